"""A result of an experiment: rows of figures that become a table, a CSV file and a picture."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.table import Table
from torch import Tensor

from agents.evaluation import Interval, ratio_interval
from offload.search import Decision

Row = dict[str, Any]
"""Column: text or number."""


@dataclass(frozen=True)
class Result:
    """Named rows, all with the same keys; `draw` adds them to a matplotlib figure, None: there is no picture.

    shown: the columns of the table on screen, None: all. screen: rows for the screen, None: those of the file.
    """

    name: str
    title: str
    rows: list[Row]
    draw: Callable[[Any], None] | None = None
    shown: tuple[str, ...] | None = None
    screen: list[Row] | None = None
    size: tuple[float, float] = (6.4, 4.2)

    def table(self) -> Table:
        """For a screen."""
        rows = self.rows if self.screen is None else self.screen
        columns = self.shown or tuple(rows[0])
        out = Table(title=self.title, box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
        for i, column in enumerate(columns):
            out.add_column(column.replace("_", " "), justify="left" if i == 0 else "right")
        for row in rows:
            out.add_row(*(_text(row[column]) for column in columns))
        return out

    def save(self, folder: Path) -> None:
        """Write <name>.csv, and <name>.png if there is a picture."""
        with open(folder / f"{self.name}.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, self.rows[0].keys())
            writer.writeheader()
            writer.writerows(self.rows)
        if self.draw is not None:
            from matplotlib.figure import Figure  # slow to import, and needed only here

            figure = Figure(figsize=self.size, layout="constrained")
            self.draw(figure)
            figure.savefig(folder / f"{self.name}.png", dpi=150)


def _text(value: str | int | float) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def over_trainings(decisions: Sequence[Decision], read: Callable[[Decision], Tensor]) -> np.ndarray:
    """What `read` finds in the decisions of S routers that count as one: [S, ...]."""
    return np.stack([read(decision).double().cpu().numpy() for decision in decisions])


def mean_interval(values: np.ndarray) -> Interval:
    """95% bootstrap interval of the mean over worlds [E], or over trainings and worlds [S, E]."""
    return ratio_interval(values, np.ones_like(values))
