"""Figs. 3 and 4: all schemes on the same worlds while the workload or the computing satellites change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from agents.evaluation import ratio_interval
from agents.routers import Router
from offload.config import PAPER_SEARCH, OffloadConfig
from offload.experiments.result import Result, Row, mean_interval, over_trainings
from offload.problem import OffloadProblem
from offload.schemes import SCHEMES, Scheme, Searched, make_scheme
from offload.tasks import Tasks

BENCHMARKS = ("small_only", "centralised", "even_split")
PROPOSED = "bs_marl"
COLOURS = {
    "small_only": "#888888",
    "centralised": "#ee7733",
    "even_split": "#4477aa",
    "bs_marl": "#cc3311",
    "bs_marl_balance": "#228833",
}
LABELS = {
    "small_only": "small model only",
    "centralised": "centralised large model",
    "even_split": "even split",
    "bs_marl": "BS-MARL (Algorithm 1)",
    "bs_marl_balance": "BS-MARL (balance)",
}
"""How the paper calls the schemes of these names; others go by their names."""


def compared_schemes(config: OffloadConfig) -> list[Scheme]:
    """The paper's benchmarks, its Algorithm 1 as printed, the configured search if that is another, and the user's."""
    schemes: list[Scheme] = [SCHEMES[name](config.search) for name in BENCHMARKS]
    schemes.append(Searched(PAPER_SEARCH, PROPOSED))
    if config.search != PAPER_SEARCH:
        schemes.append(Searched(config.search, f"{PROPOSED}_{config.search.schedule.value}"))
    return schemes + [make_scheme(name, config.search, "offload.schemes") for name in config.schemes]


@dataclass(frozen=True)
class Sweep:
    """Delays of schemes at every value of one setting.

    delay_s, ratio: by scheme, [X, S, E] mean service delay and mean ratio of every world, routed by S routers that
    count as one (a policy trained with S seeds).
    """

    setting: str
    values: tuple[float, ...]
    delay_s: dict[str, np.ndarray]
    ratio: dict[str, np.ndarray]


def sweep(
    problem: OffloadProblem,
    routers: Sequence[Router],
    setting: str,
    values: Sequence[float],
    change: Callable[[OffloadProblem, float], OffloadProblem],
    on_start: Callable[[str], None] = lambda what: None,
) -> Sweep:
    """Decide with every scheme and router in `change(problem, value)` for each of `values`."""
    delay_s: dict[str, list[np.ndarray]] = {}
    ratio: dict[str, list[np.ndarray]] = {}
    for value in values:
        changed = change(problem, value)
        for scheme in compared_schemes(problem.config):
            on_start(f"{setting} {value:g}: {scheme.name}")
            decisions = [scheme.decide(changed, router) for router in routers]
            delay_s.setdefault(scheme.name, []).append(
                over_trainings(decisions, lambda one: one.chosen.mean_s)
            )
            ratio.setdefault(scheme.name, []).append(over_trainings(decisions, lambda one: one.mean_ratio))
    return Sweep(
        setting,
        tuple(values),
        {name: np.stack(found) for name, found in delay_s.items()},
        {name: np.stack(found) for name, found in ratio.items()},
    )


def with_volume(problem: OffloadProblem, volume_mbit: float) -> OffloadProblem:
    """The problem with `volume_mbit` of raw frames for every task that there is, rounded to whole frames."""
    frames = max(1, round(volume_mbit / problem.config.frames.frame_mbit))
    tasks = problem.tasks
    return replace(
        problem,
        tasks=Tasks(torch.where(tasks.present, frames, 0), tasks.large_accuracy, tasks.small_accuracy),
    )


def with_computing(problem: OffloadProblem, tops: float) -> OffloadProblem:
    """The problem with computing satellites of `tops` 10^12 op/s."""
    compute = replace(problem.config.compute, computing_tops=tops)
    return replace(problem, config=replace(problem.config, compute=compute))


def sweep_result(found: Sweep, *, name: str, title: str, axis: str, ratios: bool) -> Result:
    """A sweep as table and picture, with 95% intervals over worlds.

    axis: what the setting is, for the picture. ratios: whether the ratios chosen are in it.
    """
    rows: list[Row] = []
    for i, value in enumerate(found.values):
        for scheme, delay_s in found.delay_s.items():
            bounds = mean_interval(delay_s[i])
            rows.append(
                {
                    "scheme": scheme,
                    found.setting: value,
                    "delay_s": float(delay_s[i].mean()),
                    "low_s": bounds.low,
                    "high_s": bounds.high,
                    "ratio": float(found.ratio[scheme][i].mean()),
                }
            )
    draw = partial(_draw, found=found, rows=rows, axis=axis, ratios=ratios)
    return Result(name, title, rows, draw, size=(6.4, 6.4 if ratios else 4.2))


def _draw(figure: Any, *, found: Sweep, rows: list[Row], axis: str, ratios: bool) -> None:
    axes = figure.subplots(
        2 if ratios else 1, 1, sharex=True, squeeze=False, height_ratios=[2, 1][: 1 + ratios]
    )
    delay, *others = axes[:, 0]
    for scheme in found.delay_s:
        own = [row for row in rows if row["scheme"] == scheme]
        x, y = ([float(row[key]) for row in own] for key in (found.setting, "delay_s"))
        low, high = ([float(row[key]) for row in own] for key in ("low_s", "high_s"))
        delay.plot(
            x, y, marker="o", markersize=4, color=COLOURS.get(scheme), label=LABELS.get(scheme, scheme)
        )
        delay.fill_between(x, low, high, color=COLOURS.get(scheme), alpha=0.2, linewidth=0)
        if ratios and scheme.startswith(PROPOSED):
            others[0].plot(
                x, [float(row["ratio"]) for row in own], marker="o", markersize=4, color=COLOURS.get(scheme)
            )
    delay.set_ylabel("mean service delay, s")
    delay.set_ylim(bottom=0)
    delay.legend(fontsize=8)
    delay.grid(alpha=0.3)
    if ratios:
        others[0].set_ylabel("allocation ratio")
        others[0].set_ylim(0, 1)
        others[0].grid(alpha=0.3)
        delay.set_xscale("log")
        delay.set_xticks(found.values, [f"{value:g}" for value in found.values])
        delay.set_xticks([], minor=True)
    axes[-1, 0].set_xlabel(axis)


def reductions(sweeps: Sequence[Sweep]) -> Result:
    """By how much each search reduces mean delay against each benchmark: overall, and at most at one setting."""
    rows: list[Row] = []
    schemes = [name for name in sweeps[0].delay_s if name.startswith(PROPOSED)]
    for scheme in schemes:
        for benchmark in BENCHMARKS:
            points = []  # (share of delay saved, its interval, where)
            for one in sweeps:
                for i, value in enumerate(one.values):
                    own, other = one.delay_s[scheme][i], one.delay_s[benchmark][i]
                    bounds = ratio_interval(own, other)
                    saved = 1 - float(own.sum() / other.sum())
                    points.append((saved, 1 - bounds.high, 1 - bounds.low, f"{one.setting}={value:g}"))
            most = max(points)
            least = min(points)
            rows.append(
                {
                    "scheme": scheme,
                    "against": benchmark,
                    "mean_%": 100 * float(np.mean([point[0] for point in points])),
                    "least_%": 100 * least[0],
                    "most_%": 100 * most[0],
                    "most_low_%": 100 * most[1],
                    "most_high_%": 100 * most[2],
                    "most_at": most[3],
                }
            )
    shown = ("scheme", "against", "mean_%", "least_%", "most_%", "most_at")
    return Result(
        "reductions",
        "Delay saved against each benchmark, over all points of Figs. 3 and 4",
        rows,
        shown=shown,
    )


def headline(result: Result) -> str:
    """The `reductions` in one line."""
    parts = []
    for scheme in dict.fromkeys(row["scheme"] for row in result.rows):
        saved = ", ".join(
            f"{float(row['most_%']):.1f}% ({float(row['mean_%']):.1f}% on average) against "
            f"{LABELS.get(row['against'], row['against'])}"
            for row in result.rows
            if row["scheme"] == scheme
        )
        parts.append(f"{LABELS.get(scheme, scheme)} reduces mean service delay by up to {saved}")
    return "; ".join(parts) + ". (The paper: up to 31.85%.)"
