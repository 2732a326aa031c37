"""Writes the report: one HTML file with its scripts, libraries, data and picture inside, which opens from a disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from bokeh.embed import json_item
from jinja2 import Environment, PackageLoader, StrictUndefined

from report.bundle import libraries
from report.choice import choose
from report.earth_picture import CREDIT, earth_picture
from report.encode import pack_json
from report.provenance import provenance
from report.results import Results
from report.scene import Scene, build_scene
from report.section import Section
from report.sections import SECTIONS

REPORT_FILE = "report.html"
SCRIPTS = (
    "payload.js",
    "theme.js",
    "tables.js",
    "plots.js",
    "motion.js",
    "earth.js",
    "ball.js",
    "plain_layer.js",
    "strokes.js",
    "dots.js",
    "painting.js",
    "layers.js",
    "globe.js",
    "clock.js",
    "lists.js",
    "main.js",
)
"""Scripts of the page in `report/page/`, in the order in which they build on each other."""


def write_report(results: Results, *, on_start: Callable[[str], None] = lambda what: None) -> Path:
    """Write report.html into the results folder, all or nothing; returns its path.

    on_start is told what is being done. Raises ConfigError when the globe is to show a router that was not compared.
    """
    results.globe.check_routers(tuple(results.episodes.routes))
    on_start("sections")
    sections = [section for make in SECTIONS if (section := make(results)) is not None]
    chosen = choose(results.episodes, results.subject, results.globe.right, results.globe.worlds)
    scene = build_scene(
        results.episodes,
        chosen,
        results.globe,
        left=results.subject,
        propagator=results.propagator,
        on_start=on_start,
    )
    on_start("page")
    page = render(
        sections,
        scene,
        settings=results.settings,
        origin=provenance(results.run),
        remarks=results.remarks,
    )
    path = results.folder / REPORT_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".html.unfinished")
    unfinished.write_text(page, "utf-8")
    unfinished.replace(path)
    return path


def render(
    sections: Sequence[Section],
    scene: Scene,
    *,
    settings: dict[str, Any],
    origin: dict[str, str],
    remarks: Sequence[str],
) -> str:
    """The page as text. settings: the whole configuration; origin: see `report.provenance`; remarks stand first."""
    folder = files("report.page")
    figures = {
        f"plot-{section.name}-{i}": json_item(plot.figure)
        for section in sections
        for i, plot in enumerate(section.plots)
    }
    environment = Environment(
        loader=PackageLoader("report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        sections=sections,
        scene=scene,
        settings=yaml.safe_dump(json.loads(json.dumps(settings)), sort_keys=False),
        origin=origin,
        remarks=remarks,
        libraries=libraries(),
        credit=CREDIT,
        style=(folder / "page.css").read_text("utf-8"),
        script="\n".join((folder / name).read_text("utf-8") for name in SCRIPTS),
        plots=pack_json(figures),
        payload=pack_json(scene),
        earth=earth_picture(),
    )
