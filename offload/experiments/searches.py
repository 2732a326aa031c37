"""Fig. 5 and what it hides: how ratios change over the search, and how often it ends out of balance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.routers import Router
from offload.config import PAPER_SEARCH, ScheduleName, SearchConfig
from offload.experiments.result import Result, Row, mean_interval, over_trainings
from offload.problem import OffloadProblem
from offload.search import Decision, Stop, Trace, search

OUT_OF_BALANCE = 0.05
"""A task is out of balance if its branches differ by more than this share of its service delay."""

TRACED = {"bisection": "bisection, without its stopping rule", "balance to the end": "balance, to the end"}
"""The searches of Fig. 5 and their titles; both go on in every world."""


def searches(config: SearchConfig) -> dict[str, SearchConfig]:
    """What is compared: Algorithm 1 as printed, its bisection without its stopping rule, and the better schedules."""
    patient = replace(PAPER_SEARCH, stop_when_worse=False)
    to_the_end = replace(
        config, schedule=ScheduleName.balance, iterations=12, stop_when_worse=False, contested=0.0
    )
    return {
        "Algorithm 1": PAPER_SEARCH,
        "bisection": patient,
        "balance": replace(config, schedule=ScheduleName.balance, stop_when_worse=False),
        "one routing": replace(config, schedule=ScheduleName.balance, iterations=1, polish=True),
        "balance to the end": to_the_end,
        "half steps": replace(to_the_end, damping=0.5),
        "coordinate": replace(patient, schedule=ScheduleName.coordinate, iterations=32),
    }


def run_searches(
    problem: OffloadProblem, routers: Sequence[Router], on_start: Callable[[str], None] = lambda what: None
) -> dict[str, list[Decision]]:
    """Every search of `searches` on the same problem, with each of the routers that count as one."""
    decisions = {}
    for name, config in searches(problem.config.search).items():
        on_start(f"search: {name}")
        decisions[name] = [search(problem, router, config) for router in routers]
    return decisions


def search_result(decisions: Mapping[str, Sequence[Decision]]) -> Result:
    """The schedules side by side: delay, routings, why they stop, and how often they leave a task unbalanced."""
    rows: list[Row] = []
    for name, found in decisions.items():
        traces = [_trace(decision) for decision in found]
        unbalanced = over_trainings(found, _out_of_balance)  # [S, E, n]
        stops = np.stack([trace.stop.cpu().numpy() for trace in traces])  # [S, E]
        mean_s = over_trainings(found, lambda one: one.chosen.mean_s)
        bounds = mean_interval(mean_s)
        n_tasks = len(found) * int(found[0].tasks.present.sum())
        rows.append(
            {
                "search": name,
                "delay_s": float(mean_s.mean()),
                "low_s": bounds.low,
                "high_s": bounds.high,
                "routings": float(np.mean([trace.iterations.double().mean().item() for trace in traces])),
                "tasks_off_%": 100 * float(unbalanced.sum()) / n_tasks,
                "worlds_off_%": 100 * float(unbalanced.any(axis=2).mean()),
                **{f"{stop.name}_%": 100 * float((stops == stop).mean()) for stop in Stop},
            }
        )
    shown = ("search", "delay_s", "low_s", "high_s", "routings", "tasks_off_%", "worlds_off_%", "worse_%")
    title = f"Searches; off: branches differ by more than {OUT_OF_BALANCE:.0%} of the service delay"
    return Result("search", title, rows, shown=shown)


def trace_result(decisions: Mapping[str, Sequence[Decision]]) -> Result:
    """Fig. 5: mean over worlds and tasks by iteration; a world that has stopped keeps its last iteration.

    The last row of a search is what it returns: the best that it has seen, polished if it is to be.
    """
    rows: list[Row] = []
    for name in TRACED:
        n_routings = max(int(_trace(decision).iterations.max()) for decision in decisions[name])
        series = [_series(decision, n_routings) for decision in decisions[name]]
        for k in range(n_routings + 1):
            row: Row = {
                "search": name,
                "iteration": k + 1,
                "returned": "yes" if k == n_routings else "no",
            }
            for quantity in series[0]:
                values = np.stack([one[quantity][k].cpu().numpy() for one in series])  # [S, E]
                bounds = mean_interval(values)
                row |= {
                    quantity: float(values.mean()),
                    f"{quantity}_low": bounds.low,
                    f"{quantity}_high": bounds.high,
                }
            rows.append(row)
    columns = ("search", "iteration", "ratio", "small_s", "large_s", "idle_s", "delay_s")
    screen = [row | {"iteration": "returned"} if row["returned"] == "yes" else row for row in rows]
    return Result(
        "fig5_search",
        "Fig. 5: the search",
        rows,
        lambda figure: _draw(figure, rows),
        columns,
        screen,
        size=(8, 6),
    )


def _series(decision: Decision, n_routings: int) -> dict[str, list[Tensor]]:
    """What Fig. 5 shows, by iteration up to `n_routings` and at the end: [E] means over the tasks of each world."""
    trace, tasks, chosen = _trace(decision), decision.tasks, decision.chosen.delay

    def by_iteration(values: Tensor, returned: Tensor) -> Tensor:
        return torch.cat([_held(trace, values.double(), n_routings), returned.double()[None]])

    small = by_iteration(trace.small_s, chosen.small_s)
    large = by_iteration(trace.offloaded_s, chosen.offloaded_s)
    shown = {
        "ratio": by_iteration(trace.offloaded / tasks.frames.clamp(min=1), decision.ratio),
        "small_s": small,
        "large_s": large,
        "idle_s": (small - large).abs(),
        "delay_s": by_iteration(trace.total_s, chosen.total_s),
    }
    return {name: [tasks.mean(values[k]) for k in range(len(values))] for name, values in shown.items()}


def _trace(decision: Decision) -> Trace:
    assert decision.trace is not None
    return decision.trace


def _out_of_balance(decision: Decision) -> Tensor:
    """[E, n] bool: the branches of the task differ."""
    delay = decision.chosen.delay
    return delay.idle_s.abs() > OUT_OF_BALANCE * delay.total_s


def _held(trace: Trace, values: Tensor, n_routings: int) -> Tensor:
    """[n_routings, E, n] of `values` [K, E, n], every iteration after a world's last replaced by that one."""
    world = torch.arange(len(trace.iterations), device=values.device)
    k = torch.arange(n_routings, device=values.device)[:, None].minimum(
        trace.iterations - 1
    )  # [n_routings, E]
    return values[k, world]


def _draw(figure: Any, rows: list[Row]) -> None:
    names = list(dict.fromkeys(row["search"] for row in rows))
    axes = figure.subplots(2, len(names), sharex="col", sharey="row", squeeze=False)
    lines = {"small_s": ("small model", "#4477aa"), "large_s": ("data packet + large model", "#cc3311")}
    for column, name in enumerate(names):
        own = [row for row in rows if row["search"] == name]
        k = [int(row["iteration"]) for row in own]
        top, bottom = axes[0, column], axes[1, column]
        for quantity, (label, colour) in lines.items():
            _band(top, k, own, quantity, label, colour)
        _band(top, k, own, "idle_s", "idle time of the one that ends first", "#888888")
        _band(bottom, k, own, "ratio", "allocation ratio", "#228833")
        top.set_title(TRACED[name], fontsize=10)
        top.grid(alpha=0.3)
        bottom.grid(alpha=0.3)
        bottom.set_xlabel("routing (end: what is returned)")
        bottom.set_xticks(k, [*map(str, k[:-1]), "end"])
    axes[0, 0].set_ylabel("mean over tasks, s")
    axes[0, 0].legend(fontsize=8)
    axes[1, 0].set_ylabel("allocation ratio")


def _band(axes: Any, k: list[int], rows: list[Row], quantity: str, label: str, colour: str) -> None:
    axes.plot(k, [row[quantity] for row in rows], marker="o", markersize=3, color=colour, label=label)
    bounds = ([row[f"{quantity}_{end}"] for row in rows] for end in ("low", "high"))
    axes.fill_between(k, *bounds, color=colour, alpha=0.2, linewidth=0)
