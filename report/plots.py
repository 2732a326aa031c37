"""Interactive figures, by Bokeh. Colours of text and lines are the page's: its script sets them by theme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, LogTickFormatter, TeeHead, Whisker
from bokeh.plotting import figure

PALETTE = (
    "#3b82c4",
    "#e0563b",
    "#2e9e63",
    "#a06bd6",
    "#d99a1c",
    "#27a5ab",
    "#d1568f",
    "#7f8c3d",
    "#8b6f5c",
    "#6b7a8f",
)
"""Ten colours that can be told apart on light and on dark ground."""
HIGHLIGHT = "#e0563b"
ORDINARY = "#3b82c4"


def plain_figure(height: int = 320, **settings: Any) -> figure:
    """An empty figure as wide as the page, which zooms and pans only when asked to."""
    settings = {"sizing_mode": "stretch_width"} | settings
    made = figure(
        height=height,
        tools="pan,box_zoom,wheel_zoom,reset,save",
        active_drag=None,
        active_scroll=None,
        toolbar_location="right",
        **settings,
    )
    made.toolbar.logo = None
    made.toolbar.autohide = True
    return made


def dots(
    names: Sequence[str],
    values: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    label: str,
    highlight: str | None = None,
    log: bool = False,
) -> figure:
    """A value with its interval in a row for each name, the first at the bottom."""
    made = plain_figure(
        34 * len(names) + 90,
        y_range=list(names),
        x_range=_around(low, high, log),  # of the bars too, which Bokeh does not look at
        x_axis_type="log" if log else "linear",
    )
    source = ColumnDataSource(
        {
            "name": list(names),
            "value": list(values),
            "low": list(low),
            "high": list(high),
            "colour": [HIGHLIGHT if name == highlight else ORDINARY for name in names],
        }
    )
    made.add_layout(
        Whisker(
            base="name",
            upper="high",
            lower="low",
            dimension="width",
            source=source,
            line_color="colour",
            upper_head=TeeHead(size=8, line_color="colour"),
            lower_head=TeeHead(size=8, line_color="colour"),
        )
    )
    drawn = made.scatter("value", "name", size=10, color="colour", source=source)
    made.add_tools(
        HoverTool(
            renderers=[drawn],
            tooltips=[("", "@name"), (label, "@value{0.000} (@low{0.000} to @high{0.000})")],
        )
    )
    made.xaxis.axis_label = label
    made.ygrid.grid_line_color = None
    if log:
        marks = [
            mark
            for mark in (1, 1.2, 1.5, 2, 3, 5, 7, 10, 20, 30, 50, 100, 200, 500)
            if min(low) * 0.9 <= mark <= max(high)
        ]
        made.xaxis.ticker = FixedTicker(ticks=marks)
        made.xaxis.minor_tick_line_color = None
        made.xaxis.major_label_overrides = {mark: f"{mark:g}" for mark in marks}
    return made


def _around(low: Sequence[float], high: Sequence[float], log: bool) -> tuple[float, float]:
    """A range with all values and a little more, on a logarithmic axis by a factor."""
    first, last = min(low), max(high)
    if log:
        return first / 1.04, last * 1.04
    margin = 0.04 * (last - first) or 1.0
    return first - margin, last + margin


def lines(
    series: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    x: str,
    y: str,
    log_x: bool = False,
    log_y: bool = False,
    markers: bool = False,
    hidden: Sequence[str] = (),
    from_zero: bool = False,
    height: int = 320,
) -> figure:
    """A line for each name of `series`, with keys x, y and, for a band around it, low and high.

    A click on a name in the legend hides or shows its line; those in `hidden` start hidden.
    """
    made = plain_figure(
        height, x_axis_type="log" if log_x else "linear", y_axis_type="log" if log_y else "linear"
    )
    for axis, log in ((made.xaxis, log_x), (made.yaxis, log_y)):
        if log:
            axis.formatter = LogTickFormatter(min_exponent=4)  # 0.1 and 100 as they are
    drawn = []
    shown_first = sorted(series, key=lambda name: name in hidden)
    for name, columns in series.items():
        number = shown_first.index(name)  # those that are seen at first have colours of their own
        colour = PALETTE[number % len(PALETTE)]
        source = ColumnDataSource({key: np.asarray(values, float) for key, values in columns.items()})
        source.add([name] * len(columns["x"]), "name")
        dash = "solid" if number < len(PALETTE) else "dashed"
        line = made.line(
            "x", "y", source=source, color=colour, line_width=2, line_dash=dash, legend_label=name
        )
        drawn.append(line)
        parts: list[Any] = [line]
        if markers:
            size = 6 if len(columns["x"]) > 1 else 11  # a dot without a line must be seen on its own
            parts.append(made.scatter("x", "y", source=source, color=colour, size=size, legend_label=name))
        if "low" in columns:
            parts.append(
                made.varea("x", "low", "high", source=source, color=colour, alpha=0.18, legend_label=name)
            )
        for part in parts:
            part.visible = name not in hidden
    made.add_tools(
        HoverTool(renderers=drawn, tooltips=[("", "@name"), (x, "@x{0.[000]}"), (y, "@y{0.[0000]}")])
    )
    made.xaxis.axis_label, made.yaxis.axis_label = x, y
    points = sorted({float(at) for columns in series.values() for at in columns["x"]})
    if log_x and len(points) <= 10:
        made.xaxis.ticker = FixedTicker(ticks=points)
        made.xaxis.major_label_overrides = {at: f"{at:g}" for at in points}
    if from_zero:
        made.y_range.start = 0  # pyright: ignore[reportAttributeAccessIssue]
    if made.legend:
        made.add_layout(made.legend[0], "right")
        made.legend.click_policy = "hide"
        made.legend.border_line_color = None
    return made


def pairs(values: np.ndarray, others: np.ndarray, *, name: str, other: str, unit: str, number: str) -> figure:
    """A dot for each pair of values, with the diagonal on which both are alike."""
    made = plain_figure(480, sizing_mode="scale_width", aspect_ratio=1.1, max_width=560)
    top = float(max(np.max(values), np.max(others))) * 1.03
    source = ColumnDataSource({"x": list(others), "y": list(values), "number": list(range(len(values)))})
    made.line([0, top], [0, top], color="#888888", line_dash="dashed")
    drawn = made.scatter("x", "y", source=source, size=6, color=ORDINARY, alpha=0.55)
    made.add_tools(
        HoverTool(
            renderers=[drawn],
            tooltips=[(number, "@number"), (name, f"@y{{0.0}} {unit}"), (other, f"@x{{0.0}} {unit}")],
        )
    )
    made.xaxis.axis_label, made.yaxis.axis_label = f"{other}, {unit}", f"{name}, {unit}"
    return made
