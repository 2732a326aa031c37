"""What a section of the report is: a title, words, tables, plots. Each is a file in `report/sections/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10
from typing import Any

from bokeh.plotting import figure

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Table:
    """Rows under a head. highlight: text of the first column of the row that stands out; note: stands below it.

    folded: shown only when asked for, as befits a long one.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    highlight: str | None = None
    folded: bool = False

    @classmethod
    def of(
        cls,
        title: str,
        rows: Sequence[Mapping[str, Any]],
        columns: Mapping[str, str] | Sequence[str] | None = None,
        **more: Any,
    ) -> Table:
        """Rows that are mappings. columns: which of their keys, and what their heads say; None: all, as they are."""
        keys = columns if columns is not None else list(dict.fromkeys(key for row in rows for key in row))
        heads = keys if isinstance(keys, Mapping) else {key: str(key).replace("_", " ") for key in keys}
        return cls(
            title,
            tuple(heads.values()),
            tuple(tuple(row.get(key) for key in heads) for row in rows),
            **more,
        )

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Of every column, whether it holds numbers, which stand to the right and sort by value."""
        return tuple(
            any(isinstance(row[i], (int, float)) for row in self.rows)
            and all(row[i] is None or isinstance(row[i], (int, float)) for row in self.rows)
            for i in range(len(self.columns))
        )

    @property
    def text(self) -> tuple[tuple[str, ...], ...]:
        """The rows as they are shown: what is measured has as many digits behind the point in all of a column."""
        digits = [_digits([row[i] for row in self.rows]) for i in range(len(self.columns))]
        return tuple(
            tuple(text_of(value, n) for value, n in zip(row, digits, strict=True)) for row in self.rows
        )


@dataclass(frozen=True)
class Plot:
    """An interactive figure and what it shows, in words that say as much to somebody who cannot see it."""

    title: str
    figure: figure
    words: str = ""


@dataclass(frozen=True)
class Tile:
    """A number at the top of the page. mood: "better" or "worse" where it is good or bad, else empty."""

    label: str
    value: str
    mood: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page. words: paragraphs of plain text, made from the numbers; the first `leading` of them also
    stand in the summary at the top, with `tiles`.
    """

    name: str
    title: str
    words: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    tiles: tuple[Tile, ...] = ()
    leading: int = 1


def text_of(value: Cell, digits: int | None = None) -> str:
    """A cell as text: four digits of a number that is measured, all digits before the point; counts as they are.

    digits: so many behind the point instead.
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return str(value)
    if digits is not None:
        return f"{value:.{digits}f}"
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def _digits(column: Sequence[Cell]) -> int | None:
    """Digits behind the point: two, or four of most numbers before and behind it, but not more than there are.

    None for a column of numbers that are not alike, whose cells are better told one by one.
    """
    sizes = sorted(abs(value) for value in column if isinstance(value, float) and value and isfinite(value))
    if not sizes or sizes[-1] > 1e4 * sizes[0]:
        return None
    usual, largest = (3 - floor(log10(size)) for size in (sizes[len(sizes) // 2], sizes[-1]))
    written = max(len(f"{size:.9f}".rstrip("0").partition(".")[2]) for size in sizes)
    return min(max(usual, 2), max(largest, 3), written)
