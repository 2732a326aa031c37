"""Every scheme with every router: what is gained by deciding ratios, and what by routing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from agents.routers import Router
from offload.experiments.result import Result, Row, mean_interval, over_trainings
from offload.experiments.sweeps import COLOURS, LABELS, compared_schemes
from offload.problem import OffloadProblem


def router_result(
    problem: OffloadProblem,
    routers: Mapping[str, Sequence[Router]],
    on_start: Callable[[str], None] = lambda what: None,
) -> Result:
    """Mean service delay of every scheme with each of `routers`, with 95% intervals over worlds and trainings.

    routers: by name, those that count as one (a policy trained with several seeds).
    """
    rows: list[Row] = []
    for name, trainings in routers.items():
        for scheme in compared_schemes(problem.config):
            on_start(f"{scheme.name} with {name}")
            decisions = [scheme.decide(problem, router) for router in trainings]
            mean_s = over_trainings(decisions, lambda one: one.chosen.mean_s)  # [S, E]
            bounds = mean_interval(mean_s)
            n_delivered = sum(int(one.chosen.routes.delivered.sum()) for one in decisions)
            n_present = sum(
                int((one.chosen.data.size_mbit > 0).sum() + (one.chosen.model_mbit > 0).sum())
                for one in decisions
            )
            rows.append(
                {
                    "router": name,
                    "scheme": scheme.name,
                    "delay_s": float(np.mean(mean_s)),
                    "low_s": bounds.low,
                    "high_s": bounds.high,
                    "ratio": float(over_trainings(decisions, lambda one: one.mean_ratio).mean()),
                    "delivered_%": 100 * n_delivered / n_present,
                }
            )
    screen: list[Row] = []
    for name in routers:
        own = [row for row in rows if row["router"] == name]
        screen.append({"router": name} | {str(row["scheme"]): row["delay_s"] for row in own})
    return Result(
        "schemes_by_router",
        f"Delay of every scheme with every router, s ({problem.worlds.n_worlds} worlds)",
        rows,
        lambda figure: _draw(figure, rows),
        screen=screen,
        size=(8, 0.4 * len(routers) + 1.6),
    )


def _draw(figure: Any, rows: list[Row]) -> None:
    axes = figure.subplots()
    routers = list(dict.fromkeys(str(row["router"]) for row in rows))
    for scheme in dict.fromkeys(str(row["scheme"]) for row in rows):
        own = [row for row in rows if row["scheme"] == scheme]
        delay_s = np.array([float(row["delay_s"]) for row in own])
        low_s, high_s = (np.array([float(row[end]) for row in own]) for end in ("low_s", "high_s"))
        axes.errorbar(
            delay_s,
            [routers.index(str(row["router"])) for row in own],
            xerr=np.maximum([delay_s - low_s, high_s - delay_s], 0.0),
            fmt="o",
            markersize=4,
            color=COLOURS.get(scheme),
            label=LABELS.get(scheme, scheme),
        )
    axes.set_yticks(range(len(routers)), routers)
    axes.invert_yaxis()  # in the order of the table
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    ticks = [tick for tick in (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100) if low <= tick <= high]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("mean service delay, s")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8)
