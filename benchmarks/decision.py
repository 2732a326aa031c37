"""Time of an online decision: one world, and many at once; and where the time goes.

    python benchmarks/decision.py [--threads 1] [--worlds 1000] [--repeats 5] [--policy RUN] [--profile FILE]

Walker 12 x 24, 8 tasks. With a profile (`python -m models.profile`) tasks are of real frames, 100 to 600 each, and
"packets" is ranking them and making the tables. Without a policy the default network with its initial weights routes,
which costs as much as a trained one and behaves like look-ahead. Figures are medians of the repeats, in
processor time: with one thread what an idle core takes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from agents.config import UtilityConfig
from agents.networks import build_utility
from agents.policy import Policy
from agents.protocol import EnvironmentSpec
from agents.routers import ROUTERS, Router, Routes
from agents.routers.learned import LearnedRouter
from envs.config import EnvironmentConfig, TaskConfig
from envs.constellation import CONSTELLATIONS
from envs.day import DayConfig
from envs.ephemeris import Ephemeris
from envs.links import EbN0Link
from envs.observation import ObservationLayout
from envs.routing_game import RoutingGame
from envs.scenario import Scenario
from envs.worlds import Worlds
from models.profile_file import Profile, load_profile
from offload.config import PAPER_SEARCH, OffloadConfig, SearchConfig
from offload.experiments.bs_marl import build_problem
from offload.joint.design import JointDesign
from offload.joint.estimates import Estimates
from offload.joint.frames import draw_frames
from offload.joint.problem import JointProblem
from offload.joint.seconds import operations
from offload.packets import DataPacketDesign, DataPackets, PacketDesign
from offload.problem import OffloadProblem
from offload.residuals import Levels
from offload.search import search
from offload.tasks import Tasks

SEARCHES = {"default": SearchConfig(), "one routing": SearchConfig(iterations=1), "Algorithm 1": PAPER_SEARCH}


class TimedRouter:
    """A router that adds up the time it takes."""

    def __init__(self, router: Router) -> None:
        self._router, self.name = router, router.name
        self.seconds, self.calls = 0.0, 0

    def route(self, ephemeris: Ephemeris, worlds: Worlds, config: EnvironmentConfig) -> Routes:
        started = time.process_time()
        routes = self._router.route(ephemeris, worlds, config)
        self.seconds += time.process_time() - started
        self.calls += 1
        return routes


class TimedDesign:
    """A design of data packets that adds up the time it takes; selections share the clock."""

    def __init__(self, design: DataPacketDesign, clock: list[float]) -> None:
        self._design, self._clock = design, clock

    @property
    def levels(self) -> Levels:
        return self._design.levels

    def select(self, index: Tensor) -> TimedDesign:
        return TimedDesign(self._design.select(index), self._clock)

    def __call__(self, tasks: Tasks, offloaded: Tensor) -> DataPackets:
        started = time.process_time()
        packets = self._design(tasks, offloaded)
        self._clock.append(time.process_time() - started)
        return packets


@dataclass(frozen=True)
class Times:
    """Seconds of the processor for one search over all worlds, and routings made."""

    total: float
    routing: float
    design: float
    routings: int


def time_search(problem: OffloadProblem, router: Router, config: SearchConfig) -> Times:
    timed, clock = TimedRouter(router), []
    design = PacketDesign(TimedDesign(problem.design.data, clock), problem.design.model)
    measured = OffloadProblem(
        problem.ephemeris, problem.worlds, problem.tasks, design, problem.config, problem.environment
    )
    started = time.process_time()
    search(measured, timed, config)
    return Times(time.process_time() - started, timed.seconds, sum(clock), timed.calls)


def joint_maker(
    scenario: Scenario, ephemeris: Ephemeris, profile: Profile, n_worlds: int
) -> Callable[[], JointProblem]:
    """Makes the problem of tasks whose frames have just been taken: ranks them and tabulates their packets."""
    cut = len(profile) * 2 // 5
    asked, estimates = (
        profile.select(slice(cut, None)),
        Estimates.fit(profile.select(slice(0, cut)), "attention", 8),
    )
    worlds, config = scenario.worlds(ephemeris, n_worlds, seed=1), OffloadConfig()
    counts = torch.randint(100, 601, (n_worlds, worlds.n_tasks), generator=torch.manual_seed(1))
    taken = draw_frames(asked, counts, 0.93, seed=1)
    seconds = operations(config.compute, config.frames, gated=True)

    def make() -> JointProblem:
        design = JointDesign(asked, "attention", estimates, taken.ranked(asked), config.frames.pixels)
        return JointProblem.joined(
            ephemeris,
            worlds,
            design,
            seconds,
            config,
            scenario.environment,
            update_mbit=config.model.smallest_mbit,
        )

    return make


def time_joint(make: Callable[[], JointProblem], router: Router, config: SearchConfig) -> Times:
    timed = TimedRouter(router)
    started = time.process_time()
    problem = make()
    tabulated = time.process_time() - started
    search(problem, timed, config)
    return Times(time.process_time() - started, timed.seconds, tabulated, timed.calls)


def initial_policy(scenario: Scenario, ephemeris: Ephemeris) -> Policy:
    """The default network before training."""
    game = RoutingGame(ephemeris, scenario.task, scenario.environment, 1)
    spec, config = EnvironmentSpec.of(game), UtilityConfig()
    layout = ObservationLayout.of(scenario.environment.loads)
    return Policy(build_utility(spec, config), config, spec, layout.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--worlds", type=int, nargs="+", default=[1, 1000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--policy", type=Path, default=None)
    parser.add_argument("--profile", type=Path, default=None)
    parser.add_argument("--routers", nargs="*", default=["dijkstra", "look_ahead_3"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    scenario = Scenario(
        CONSTELLATIONS["walker_12x24"], EbN0Link(), DayConfig(), TaskConfig(), EnvironmentConfig()
    )
    ephemeris = scenario.ephemeris("test")
    policy = Policy.load(options.policy) if options.policy else initial_policy(scenario, ephemeris)
    routers: list[Router] = [LearnedRouter(policy), *(ROUTERS[name]() for name in options.routers)]
    for n_worlds in options.worlds:
        if options.profile is None:
            measure = partial(
                time_search, build_problem(scenario, ephemeris, OffloadConfig(), n_worlds, seed=1)
            )
        else:
            measure = partial(
                time_joint, joint_maker(scenario, ephemeris, load_profile(options.profile), n_worlds)
            )
        table = Table(
            "router",
            "search",
            "ms per\ndecision",
            "routings",
            "routing %",
            "packets %",
            "rest %",
            title=f"{n_worlds} worlds of 8 tasks at once, walker_12x24, {options.threads} threads",
        )
        for router in routers:
            for name, config in SEARCHES.items():
                measure(router, config)  # warms up
                runs = [measure(router, config) for _ in range(options.repeats)]
                total, routing, design = (
                    statistics.median(getattr(run, key) for run in runs)
                    for key in ("total", "routing", "design")
                )
                table.add_row(
                    router.name,
                    name,
                    f"{1e3 * total / n_worlds:.2f}",
                    str(runs[0].routings),
                    f"{100 * routing / total:.0f}",
                    f"{100 * design / total:.0f}",
                    f"{100 * (1 - (routing + design) / total):.0f}",
                )
        Console().print(table)


if __name__ == "__main__":
    main()
