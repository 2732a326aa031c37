"""All experiments of BS-MARL's section VI in one go."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from agents.routers import ROUTERS, Router, make_router
from envs.ephemeris import Ephemeris
from envs.scenario import Scenario
from offload.config import OffloadConfig
from offload.experiments.config import BsMarlConfig
from offload.experiments.result import Result
from offload.experiments.routers import router_result
from offload.experiments.searches import run_searches, search_result, trace_result
from offload.experiments.sweeps import (
    compared_schemes,
    headline,
    reductions,
    sweep,
    sweep_result,
    with_computing,
    with_volume,
)
from offload.experiments.training_curves import training_result
from offload.problem import OffloadProblem
from offload.tasks import sample_tasks

FOLDER = "bs_marl"
"""Where the results go, in the folder of the run."""


def run_bs_marl(
    scenario: Scenario,
    offload: OffloadConfig,
    config: BsMarlConfig,
    folder: Path,
    *,
    n_worlds: int,
    seed: int,
    learned: Sequence[Router] = (),
    runs: tuple[Path, ...] = (),
    settings: dict[str, Any],
    console: Console,
) -> list[Result]:
    """Measure, show on `console` and write tables, CSV files, pictures and bs_marl.json into `folder`.

    learned: the policy, trained with one or several seeds, over which results are averaged; none: `config.router`
    routes. runs: folders whose training is Fig. 6. settings: kept beside the results.
    Raises ConfigError before any work when a setting is not possible.
    """
    routers = learned or (make_router(config.router, "bs_marl.router"),)
    compared_schemes(offload)  # raises where one cannot be had
    training = training_result(runs) if runs else None
    with console.status("building the test worlds") as status:

        def say(what: str) -> None:
            status.update(f"{n_worlds} worlds, {what}")

        problem = build_problem(scenario, scenario.ephemeris("test"), offload, n_worlds, seed)
        results = measure(problem, routers, config, say)
    if training is not None:
        results.append(training)
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        result.save(folder)
        console.print(result.table())
    summary = headline(next(result for result in results if result.name == "reductions"))
    console.print(summary, highlight=False)
    if training is None:
        console.print(
            "Fig. 6 needs training runs: name them with bs_marl.training_runs=[runs/A,runs/B]", markup=False
        )
    content = {
        "headline": summary,
        "router": routers[0].name,
        "trainings": len(routers),
        "n_worlds": n_worlds,
        "results": {result.name: result.rows for result in results},
        "config": settings,
    }
    (folder / "bs_marl.json").write_text(json.dumps(content, indent=2) + "\n")
    console.print(f"written to {folder}")
    return results


def build_problem(
    scenario: Scenario, ephemeris: Ephemeris, offload: OffloadConfig, n_worlds: int, seed: int
) -> OffloadProblem:
    """Worlds of `scenario` with tasks of `offload`; equal seeds give equal problems."""
    worlds = scenario.worlds(ephemeris, n_worlds, seed=seed)
    tasks = sample_tasks(offload.frames, worlds, seed=seed)
    return OffloadProblem.of(ephemeris, worlds, tasks, offload, scenario.environment)


def measure(
    problem: OffloadProblem,
    routers: Sequence[Router],
    config: BsMarlConfig,
    on_start: Callable[[str], None],
) -> list[Result]:
    """Figs. 3 to 5, the reductions, the searches side by side and the table of schemes by routers.

    routers: those that count as one (a policy trained with several seeds).
    """
    name = routers[0].name
    by_volume = sweep(problem, routers, "data_volume_Mbit", config.volumes_mbit, with_volume, on_start)
    by_computing = sweep(problem, routers, "computing_TOPS", config.computing_tops, with_computing, on_start)
    decisions = run_searches(problem, routers, on_start)
    some = problem.select(torch.arange(min(config.router_worlds, problem.worlds.n_worlds)))
    compared = {name: routers} | {other: (make(),) for other, make in ROUTERS.items() if other != name}
    return [
        sweep_result(
            by_volume,
            name="fig3_data_volume",
            title=f"Fig. 3: delay by data volume of a task ({name})",
            axis="data volume of a task, Mbit",
            ratios=False,
        ),
        sweep_result(
            by_computing,
            name="fig4_computing",
            title=f"Fig. 4: delay by computing capacity ({name})",
            axis="capacity of a computing satellite, TOPS",
            ratios=True,
        ),
        trace_result(decisions),
        search_result(decisions),
        router_result(some, compared, on_start),
        reductions([by_volume, by_computing]),
    ]
