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
_MARKS = "osD^v"


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
    """Delay by required accuracy at each place, seconds on a logarithmic scale; a column for each frame size."""
    sizes = list(dict.fromkeys(row["pixels"] for row in rows))
    panels = figure.subplots(1, len(sizes), squeeze=False, sharey=True)[0]
    for axes, pixels in zip(panels, sizes, strict=True):
        own = [row for row in rows if row["pixels"] == pixels]
        ways = list(dict.fromkeys((row["place"], row["router"]) for row in own))
        for number, (place, router) in enumerate(ways):
            line = [row for row in own if (row["place"], row["router"]) == (place, router)]
            required = [row["required"] for row in line]
            label = f"{place}, {router}" if place == COMPUTING else place
            axes.plot(
                required,
                [row["delay_s"] for row in line],
                f"{_MARKS[number % 5]}-",
                markersize=4,
                label=label,
            )
            axes.fill_between(
                required, [r["low_s"] for r in line], [r["high_s"] for r in line], alpha=0.15, linewidth=0
            )
        axes.set_yscale("log")
        axes.set_title(f"{round(pixels**0.5)} x {round(pixels**0.5)} px")
        axes.set_xlabel("required accuracy")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("mean service delay, s")
    panels[0].legend(fontsize=8)
