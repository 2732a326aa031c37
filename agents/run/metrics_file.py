"""metrics.csv: a row per iteration, on disk as soon as it is known."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from agents.run.durable import write_durably

ITERATION = "iteration"


class MetricsFile:
    """Appends rows to a CSV file; a metric that first appears later gets a column then, empty in the rows before.

    after: rows of later iterations are taken off, so that a run resumed from a checkpoint continues its own file.
    """

    def __init__(self, path: Path, *, after: int = 0) -> None:
        self.path = path
        kept = [row for row in _texts(path) if float(row[ITERATION]) <= after] if path.exists() else []
        self._columns = list(dict.fromkeys([ITERATION, *(name for row in kept for name in row)]))
        self._rewrite(kept)

    def append(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Add the row of `iteration`."""
        new = [name for name in metrics if name not in self._columns]
        if new:
            rows = _texts(self.path)
            self._columns += new
            self._rewrite(rows)
        with open(self.path, "a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow({ITERATION: iteration, **metrics})

    def smallest(self, name: str) -> float:
        """The smallest value of a metric so far; infinity before the first."""
        return min((row[name] for row in read_metrics(self.path) if name in row), default=float("inf"))

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        writer.writeheader()
        writer.writerows(rows)
        write_durably(self.path, text.getvalue().encode())


def read_metrics(path: Path) -> list[dict[str, float]]:
    """All rows of a metrics.csv; a row has the metrics that were known in its iteration."""
    return [{name: float(value) for name, value in row.items()} for row in _texts(path)]


def _texts(path: Path) -> list[dict[str, str]]:
    """The rows as they were written, so that writing them again changes nothing."""
    with open(path, newline="") as file:
        complete = (
            row for row in csv.DictReader(file) if None not in row.values()
        )  # a torn last line is no row
        return [{name: value for name, value in row.items() if value != ""} for row in complete]
