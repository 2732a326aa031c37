"""Curves out of rows: one line for each value of a column, as figures of the papers are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from report.plots import lines
from report.section import Plot

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Curves:
    """How the rows of a table become a figure.

    x, y: columns of the axes, whose labels are x_label and y_label. by: column whose values make the lines; where: keep
    only rows with these values. low, high: columns of the band around a line; half: column with half its width.
    """

    title: str
    x: str
    y: str
    by: str
    x_label: str
    y_label: str
    low: str | None = None
    high: str | None = None
    half: str | None = None
    where: Mapping[str, Any] | None = None
    log_x: bool = False
    from_zero: bool = False
    words: str = ""

    def plot(self, rows: Rows) -> Plot | None:
        """The figure of `rows`; None when they have too few of its points to make one."""
        kept = [
            row
            for row in rows
            if all(row.get(key) == value for key, value in (self.where or {}).items())
            and all(isinstance(row.get(key), (int, float)) for key in (self.x, self.y))
        ]
        if len(kept) < 2:
            return None
        names = list(dict.fromkeys(str(row[self.by]) for row in kept))
        series = {
            name.replace("_", " "): self._line([row for row in kept if str(row[self.by]) == name])
            for name in names
        }
        made = lines(
            series,
            x=self.x_label,
            y=self.y_label,
            log_x=self.log_x,
            markers=max(len(columns["x"]) for columns in series.values()) < 40,
            from_zero=self.from_zero,
        )
        return Plot(self.title, made, self.words)

    def _line(self, rows: Rows) -> dict[str, list[float]]:
        rows = sorted(rows, key=lambda row: row[self.x])
        columns = {"x": [row[self.x] for row in rows], "y": [row[self.y] for row in rows]}
        if self.low and self.high and all(self.low in row and self.high in row for row in rows):
            columns |= {"low": [row[self.low] for row in rows], "high": [row[self.high] for row in rows]}
        elif self.half and all(isinstance(row.get(self.half), (int, float)) for row in rows):
            columns |= {
                "low": [row[self.y] - row[self.half] for row in rows],
                "high": [row[self.y] + row[self.half] for row in rows],
            }
        return columns


def plots_of(specs: Mapping[str, Sequence[Curves]], tables: Mapping[str, Rows]) -> tuple[Plot, ...]:
    """All figures that can be made: specs by name of their table, in the order of `specs`."""
    made = (
        spec.plot(tables[name]) for name, all_specs in specs.items() if name in tables for spec in all_specs
    )
    return tuple(plot for plot in made if plot is not None)
