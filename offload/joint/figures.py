"""Pictures of the joint experiment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from offload.experiments.result import Row
from offload.joint.places import COMPUTING

_COLOURS = {
    "all offloaded": "#888888",
    "uniform": "#4477aa",
    "gate": "#ee7733",
    "compressor": "#228833",
    "both": "#cc3311",
}


def draw_schemes(figure: Any, rows: Sequence[Row]) -> None:
    """Above delay by required accuracy, below measured accuracy by delay; a column for each frame size."""
    sizes = list(dict.fromkeys(row["pixels"] for row in rows))
    panels = figure.subplots(2, len(sizes), squeeze=False)
    for column, pixels in enumerate(sizes):
        above, below = panels[:, column]
        for scheme, colour in _COLOURS.items():
            own = [
                r
                for r in rows
                if r["pixels"] == pixels and r["scheme"] == scheme and not np.isnan(r["delay_s"])
            ]
            required, delay_s, measured = (
                [r[key] for r in own] for key in ("required", "delay_s", "measured")
            )
            above.plot(required, delay_s, "o-", markersize=4, color=colour, label=scheme)
            bounds = ([r[key] for r in own] for key in ("low_s", "high_s"))
            above.fill_between(required, *bounds, color=colour, alpha=0.15, linewidth=0)
            below.plot(measured, delay_s, "o-", markersize=4, color=colour)
        above.set_title(f"{round(pixels**0.5)} x {round(pixels**0.5)} px")
        above.set_xlabel("required accuracy")
        below.set_xlabel("measured accuracy")
        for axes in (above, below):
            axes.set_ylim(bottom=0)
            axes.grid(alpha=0.3)
    for axes in panels[:, 0]:
        axes.set_ylabel("mean service delay, s")
    panels[0, 0].legend(fontsize=8)


def draw_places(figure: Any, rows: Sequence[Row]) -> None:
    """Service delay, and the part of it until the data has arrived, at each place for the highest requirement.

    Seconds on a logarithmic scale; a column for each frame size.
    """
    sizes = list(dict.fromkeys(row["pixels"] for row in rows))
    panels = figure.subplots(1, len(sizes), squeeze=False, sharey=True, sharex=True)[0]
    for axes, pixels in zip(panels, sizes, strict=True):
        own = [row for row in rows if row["pixels"] == pixels]
        highest = max(row["required"] for row in own)
        own = [row for row in own if row["required"] == highest][::-1]
        height = range(len(own))
        delay_s = np.array([row["delay_s"] for row in own])
        reach = np.abs(np.array([[row["low_s"], row["high_s"]] for row in own]).T - delay_s)
        axes.errorbar(delay_s, height, xerr=reach, fmt="o", color="#cc3311", label="service delay")
        axes.plot([row["data_way_s"] for row in own], height, "D", color="#4477aa", label="way of the data")
        axes.set_yticks(height, [_way(row) for row in own])
        axes.set_xscale("log")
        axes.set_title(f"{round(pixels**0.5)} x {round(pixels**0.5)} px, accuracy {highest:g}")
        axes.set_xlabel("seconds")
        axes.grid(axis="x", alpha=0.3)
    panels[0].legend(fontsize=8)


def _way(row: Row) -> str:
    return f"{row['place']}, {row['router']}" if row["place"] == COMPUTING else str(row["place"])
