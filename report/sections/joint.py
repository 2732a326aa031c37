"""One system: routing, gate and compressor together, when `experiment=joint` was run for this policy."""

from __future__ import annotations

from report.results import Results
from report.section import Section, Table

FILE = "joint/joint.json"
TITLES = {
    "schemes": "BS-MARL with real frames",
    "places": "SpaceVerse by the place of its large model",
    "models_alone": "Either model alone on the frames of the tasks",
}


def joint_section(results: Results) -> Section | None:
    """The headline and every stored table; None where the experiment was not run."""
    stored = results.stored(FILE)
    if stored is None:
        return None
    tables = stored["results"]
    names = [*(name for name in TITLES if name in tables), *(name for name in tables if name not in TITLES)]
    return Section(
        "joint",
        "Routing and vision together",
        words=(
            stored["headline"],
            f"Measured on {stored['n_worlds']} worlds, packets routed by {stored['router']}. Seconds of the models are "
            f"estimates (docs/vision.md). {results.origin(FILE)}",
        ),
        tables=tuple(
            Table.of(
                TITLES[name] if name in TITLES else name.replace("_", " "),
                tables[name],
                folded=name not in ("schemes", "places"),
            )
            for name in names
            if tables[name]
        ),
    )
