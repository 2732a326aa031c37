"""A table of an experiment: rows with a title and what must be known to read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.metrics import interval

Row = dict[str, object]


@dataclass(frozen=True)
class Table:
    """Rows of named columns; a column x with a column x_ci95 is a mean over seeds with its 95% interval.

    shown  columns on screen, empty: all;  on_screen  False: too long for it, in the files only
    """

    name: str
    title: str
    note: str
    rows: list[Row]
    shown: tuple[str, ...] = ()
    on_screen: bool = True


def summary(values: Sequence[float], name: str) -> Row:
    """Mean and half-width of the 95% Student interval over seeds, as two columns."""
    mean, half = interval(values)
    return {name: mean, f"{name}_ci95": half}


def summaries(collected: dict[str, list[float]]) -> Row:
    """`summary` of several quantities."""
    row: Row = {}
    for name, values in collected.items():
        row.update(summary(values, name))
    return row


def collect(into: dict[str, list[float]], values: dict[str, float]) -> None:
    """Append one seed's values."""
    for name, value in values.items():
        into.setdefault(name, []).append(value)


def number(row: Row, column: str) -> float:
    """A column that holds a number; KeyError or TypeError when it does not."""
    value = row[column]
    if not isinstance(value, (int, float)):
        raise TypeError(f"column {column} holds {value!r}, not a number")
    return float(value)
