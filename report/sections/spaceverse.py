"""The vision-language side: SpaceVerse's figures, when they were measured into this folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from report.results import Results
from report.section import Section, Table
from report.sections.curves import Curves, plots_of

FILE = "spaceverse/spaceverse.json"
AXES = {
    "fig3": ("masked_share", "accuracy", "mask", "share of the image that is masked", "accuracy", False),
    "fig9": ("latency_mean_s", "accuracy", "method", "mean latency, s", "accuracy", False),
    "fig10": ("share", "accuracy", "method", "share that is offloaded", "accuracy", False),
    "fig11": ("onboard_tokens_saved", "accuracy", "method", "onboard tokens saved", "accuracy", False),
    "fig12": ("coded_bytes", "accuracy", "compressor", "coded bytes", "accuracy", True),
}
"""Figures that are curves: columns of x and y, column that makes lines, labels, whether x is logarithmic."""


def spaceverse_section(results: Results) -> Section | None:
    """Every stored table, and curves for those that have them; None where nothing was measured."""
    stored = results.stored(FILE)
    if stored is None:
        return None
    tables = {name: content["rows"] for name, content in stored.items() if content.get("rows")}
    specs = {
        name: [
            Curves(
                f"{stored[name]['title']}: {task}",
                x,
                y,
                by,
                x_label,
                y_label,
                half=f"{y}_ci95",
                where={"task": task},
                log_x=log_x,
            )
            for task in dict.fromkeys(row.get("task") for row in tables[name])
        ]
        for name, (x, y, by, x_label, y_label, log_x) in AXES.items()
        if name in tables
    }
    return Section(
        "spaceverse",
        "Vision-language inference (SpaceVerse)",
        words=(*_words(tables, stored), results.origin(FILE)),
        tables=tuple(
            Table.of(
                content["title"],
                content["rows"],
                {key: _head(key) for row in content["rows"] for key in row},
                note=content["note"],
                folded=name != "headline",
            )
            for name, content in stored.items()
            if content.get("rows")
        ),
        plots=plots_of(specs, tables),
    )


def _head(key: str) -> str:
    """What stands over a column; half the width of an interval is named after what it belongs to."""
    return key.replace("_ci95", " ±95%").replace("_", " ")


def _words(tables: Mapping[str, list[dict[str, Any]]], stored: Mapping[str, Any]) -> tuple[str, ...]:
    words = []
    for row in tables.get("headline", []):
        gain, less = row.get("accuracy_gain"), row.get("latency_reduction")
        if isinstance(gain, float) and isinstance(less, float):
            latency = f"{100 * abs(less):.1f}% {'less' if less >= 0 else 'more'} latency"
            task = f"{row['task'][0].upper()}{row['task'][1:]}"
            more = f"{100 * gain:+.1f}%".replace("-", "−")
            words.append(f"{task}: accuracy {more} and {latency}.")
    note = stored.get("headline", {}).get("note", "")
    return (f"{' '.join(words)} ({note[:1].upper()}{note[1:]}.)",) if words else ()
