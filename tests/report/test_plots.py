"""Figures: what is drawn lies within their axes."""

from __future__ import annotations

import pytest
from bokeh.models import FixedTicker, GlyphRenderer

from report.plots import dots, lines


@pytest.mark.parametrize("log", [True, False])
def test_bars_lie_within_the_axis(log: bool):
    made = dots(["a", "b"], [1.0, 9.0], [1.0, 6.0], [1.0, 14.0], label="delay, s", log=log)
    assert made.x_range.start < 1.0 and made.x_range.end > 14.0  # pyright: ignore[reportAttributeAccessIssue]


def test_few_points_of_a_logarithmic_axis_are_its_ticks():
    made = lines({"a": {"x": [2.5, 5.0, 80.0], "y": [1.0, 2.0, 3.0]}}, x="TOPS", y="s", log_x=True)
    ticker = made.xaxis[0].ticker
    assert isinstance(ticker, FixedTicker) and ticker.ticks == [2.5, 5.0, 80.0]


def test_lines_seen_at_first_have_different_colours():
    names = [f"router {i}" for i in range(14)]
    shown = (names[0], names[10])  # ten colours further on, the same would come again
    made = lines(
        {name: {"x": [1.0, 2.0], "y": [1.0, 2.0]} for name in names},
        x="x",
        y="y",
        hidden=[name for name in names if name not in shown],
    )
    seen = [one for one in made.renderers if isinstance(one, GlyphRenderer) and one.visible]
    assert len({one.glyph.line_color for one in seen}) == len(seen) == 2
