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
    "either": "#aa3377",
}


def draw_schemes(figure: Any, rows: Sequence[Row]) -> None:
    """Delay by measured accuracy, a dot for each requirement.

    A row of panels for each kind of frames, a column for each frame size.
    """
    tasks, sizes = (list(dict.fromkeys(row[key] for row in rows)) for key in ("task", "pixels"))
    panels = figure.subplots(len(tasks), len(sizes), squeeze=False)
    for task, line in zip(tasks, panels, strict=True):
        for pixels, axes in zip(sizes, line, strict=True):
            for scheme, colour in _COLOURS.items():
                own = [
                    r
                    for r in rows
                    if (r["task"], r["pixels"], r["scheme"]) == (task, pixels, scheme)
                    and not np.isnan(r["delay_s"])
                ]
                measured, delay_s = ([r[key] for r in own] for key in ("measured", "delay_s"))
                reach = np.abs([[r["low_s"] - r["delay_s"], r["high_s"] - r["delay_s"]] for r in own]).T
                axes.errorbar(
                    measured,
                    delay_s,
                    yerr=reach if own else None,
                    fmt="o-",
                    markersize=3.5,
                    linewidth=1.2,
                    color=colour,
                    label=scheme,
                )
            axes.set_title(f"{task}, {_side(pixels)}", fontsize=10)
            axes.set_ylim(bottom=0)
            axes.grid(alpha=0.3)
    for axes in panels[-1]:
        axes.set_xlabel("measured accuracy of whole tasks")
    for axes in panels[:, 0]:
        axes.set_ylabel("mean service delay, s")
    panels[0, 0].legend(fontsize=8)


def draw_places(figure: Any, rows: Sequence[Row]) -> None:
    """Service delay, and the part of it until the data has arrived, at each place for the highest requirement.

    Seconds on a logarithmic scale; a row of panels for each kind of frames, a column for each frame size.
    """
    tasks, sizes = (list(dict.fromkeys(row[key] for row in rows)) for key in ("task", "pixels"))
    panels = figure.subplots(len(tasks), len(sizes), squeeze=False, sharey="row", sharex=True)
    for task, line in zip(tasks, panels, strict=True):
        for pixels, axes in zip(sizes, line, strict=True):
            own = [row for row in rows if (row["task"], row["pixels"]) == (task, pixels)]
            if not own:
                axes.set_axis_off()
                continue
            highest = max(row["required"] for row in own)
            own = [row for row in own if row["required"] == highest][::-1]
            height = range(len(own))
            delay_s = np.array([row["delay_s"] for row in own])
            reach = np.abs(np.array([[row["low_s"], row["high_s"]] for row in own]).T - delay_s)
            axes.errorbar(delay_s, height, xerr=reach, fmt="o", color="#cc3311", label="service delay")
            way_s = [row["data_way_s"] for row in own]
            axes.plot(way_s, height, "D", color="#4477aa", label="way of the data")
            axes.set_yticks(height, [_way(row) for row in own])
            axes.set_xscale("log")
            axes.set_title(f"{task}, {_side(pixels)}, accuracy {highest:g}", fontsize=10)
            axes.grid(axis="x", alpha=0.3)
    for axes in panels[-1]:
        axes.set_xlabel("seconds")
    panels[0, 0].legend(fontsize=8)


def _side(pixels: int) -> str:
    return f"{round(pixels**0.5)} x {round(pixels**0.5)} px"


def _way(row: Row) -> str:
    return f"{row['place']}, {row['router']}" if row["place"] == COMPUTING else str(row["place"])
