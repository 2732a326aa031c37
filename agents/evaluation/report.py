"""A comparison for people and for programs: a table on screen, JSON, CSV and a figure."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from agents.evaluation.compare import REFERENCE, SINGLE_ORDER_REFERENCE, Comparison, RouterResult

JSON_FILE, CSV_FILE, FIGURE_FILE = "evaluation.json", "evaluation.csv", "evaluation.png"


def table(comparison: Comparison, *, highlight: str | None = None) -> Table:
    """The comparison as a table for 80 columns, slowest router first; the row of router `highlight` stands out."""
    out = Table(
        title=f"{comparison.n_worlds} worlds, {comparison.n_packets} packets",
        caption=f"ratio: to mean delay of {REFERENCE}; to one order: of {SINGLE_ORDER_REFERENCE}",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=0,
    )
    out.add_column("router", no_wrap=True)
    for column in (
        "mean\ns",
        "P95\ns",
        "arrive\n%",
        "hops",
        "ratio",
        "95%\ninterval",
        "to one\norder",
        "µs per\nhop",
    ):
        out.add_column(column, justify="right", no_wrap=True)
    for result in _slowest_first(comparison):
        out.add_row(
            result.router + (f" x{result.trainings}" if result.trainings > 1 else ""),
            f"{result.mean_delay_s:.3f}",
            f"{result.p95_delay_s:.2f}",
            f"{100 * result.delivery:.2f}",
            "-" if result.hops is None else f"{result.hops:.2f}",
            _short(result.ratio_to_best_response),
            f"{_short(result.ci95.low)}-{_short(result.ci95.high)}",
            _short(result.ratio_to_best_response_single),
            _short(1e6 * result.seconds_per_decision, most=1),
            style="bold" if result.router == highlight else None,
        )
    return out


def save_report(
    folder: Path,
    comparison: Comparison,
    *,
    worlds: dict[str, Any],
    config: dict[str, Any],
    highlight: str | None = None,
) -> None:
    """Write evaluation.json, evaluation.csv and evaluation.png, in which router `highlight` stands out.

    worlds: what the worlds are. config: the whole configuration. Both must be plain JSON values. The keys of the JSON
    file are stable: {"routers": [{...}], "worlds": {...}, "config": {...}}.
    """
    rows = [_row(result) for result in comparison.results]
    content = {"routers": rows, "worlds": worlds, "config": config}
    _replace(folder / JSON_FILE, json.dumps(content, indent=2, allow_nan=False) + "\n")
    with open(folder / CSV_FILE, "w", newline="") as file:
        writer = csv.DictWriter(file, _flat(rows[0]).keys())
        writer.writeheader()
        writer.writerows(map(_flat, rows))
    save_figure(folder / FIGURE_FILE, comparison, highlight=highlight)


def save_figure(path: Path, comparison: Comparison, *, highlight: str | None = None) -> None:
    """Ratios to best response with their intervals, one row a router; what it lost is written beside it."""
    from matplotlib.figure import Figure  # slow to import, and needed only here

    results = _slowest_first(comparison)
    figure = Figure(figsize=(8, 0.35 * len(results) + 1.2), layout="constrained")
    axes = figure.subplots()
    for row, result in enumerate(results):
        ratio, bounds = result.ratio_to_best_response, result.ci95
        color = "#cc3311" if result.router == highlight else "#4477aa"
        # A percentile interval need not hold the estimate; an error bar's lengths must not be negative.
        error = [[max(ratio - bounds.low, 0.0)], [max(bounds.high - ratio, 0.0)]]
        axes.errorbar(ratio, row, xerr=error, fmt="o", color=color, capsize=3)
        lost = "" if result.undelivered == 0 else f", {100 * (1 - result.delivery):.2f}% lost"
        axes.annotate(
            f"{ratio:.3f}{lost}", (bounds.high, row), xytext=(6, 0), textcoords="offset points", va="center"
        )
    largest = max(result.ci95.high for result in results)
    axes.set_xscale("log")
    axes.set_xlim(0.95, largest**1.35 + 0.1)
    ticks = [tick for tick in (1, 1.2, 1.5, 2, 3, 5, 10, 20, 50) if tick <= largest * 1.05]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_yticks(range(len(results)), [result.router for result in results])
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel(f"mean delay / that of {REFERENCE}, 95% interval over {comparison.n_worlds} worlds")
    figure.savefig(path, dpi=150)


def _short(value: float, most: int = 3) -> str:
    """In five characters as long as it is below 100 000, with at most `most` decimals."""
    whole = len(str(int(value)))
    return f"{value:.{max(0, min(most, 4 - whole))}f}"


def _slowest_first(comparison: Comparison) -> list[RouterResult]:
    return sorted(comparison.results, key=lambda result: -result.mean_delay_s)


def _row(result: RouterResult) -> dict[str, Any]:
    return asdict(result) | {"ci95": list(result.ci95), "ci95_single": list(result.ci95_single)}


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row with one column for each bound of an interval."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, list):
            flat |= {f"{key}_low": value[0], f"{key}_high": value[1]}
        else:
            flat[key] = value
    return flat


def _replace(path: Path, text: str) -> None:
    """Write `text` to `path`, all or nothing."""
    unfinished = path.with_suffix(path.suffix + ".unfinished")
    unfinished.write_text(text)
    unfinished.replace(path)
