"""Decisions per second through collection and learning together: the plain trainer against the same under RLlib.

    python benchmarks/training.py [--threads 1] [--device cpu cuda] [--repeats 3] [--runners 0 1 2] [--learners 0 1 2]
                                  [--updates 15]

All trainers take turns, iteration by iteration, so that a slow moment of the machine hits all alike; they learn the
same, so that none has easier episodes; and each has every place in the turn as often, because whoever comes first takes
longest, whoever it is. Each number of runners plays with no learner beside the main process, each number of
learners learns with no runner beside it. On a GPU networks, replay and updates are there, and the episodes that the
main process plays. Figures are means of all turns, once the replay is full; ratios are those of the means to the first
line's. Play and learning take turns, so the processor time of the main process, of its busiest env runner and of its
busiest learner add up to what an iteration takes on a machine with a core for each and nothing else to do: that is what
to look at where the machine is busy (Linux only).
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Column, Table

from agents.cluster import ClusterConfig
from agents.config import AlgorithmConfig
from agents.episodes import Episodes
from agents.rllib.build import build_qmix
from agents.rllib.connection import connect
from agents.rllib.metrics import flat_metrics
from agents.trainer import Trainer
from benchmarks.device_option import add_device_option
from envs.config import ConfigError, EnvironmentConfig, TaskConfig
from envs.constellation import CONSTELLATIONS
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.routing_game import RoutingGame
from envs.scenario import Scenario

Iterate = Callable[[], float]
"""One iteration of a trainer; returns the decisions played so far."""


class TimedTrainer(Trainer):
    """Knows how long it has played since it learns; the rest of an iteration is learning."""

    play_s = all_s = 0.0

    def iterate(self) -> dict[str, float]:
        if not self.counters["updates"]:
            self.play_s = self.all_s = 0.0
        start = time.perf_counter()
        metrics = super().iterate()
        self.all_s += time.perf_counter() - start
        return metrics

    def play(self, epsilon: float) -> Episodes:
        start = time.perf_counter()
        episodes = super().play(epsilon)
        episodes.n_decisions()  # waits for the device
        self.play_s += time.perf_counter() - start
        return episodes


def plain(scenario: Scenario, config: AlgorithmConfig, device: str) -> TimedTrainer:
    ephemeris = scenario.ephemeris("training").to(device)
    game = RoutingGame(ephemeris, scenario.task, scenario.environment, config.worlds_per_rollout)
    return TimedTrainer(game, config, device=device)


def under_rllib(scenario: Scenario, config: AlgorithmConfig, cluster: ClusterConfig) -> Iterate:
    algorithm = build_qmix([scenario], config, cluster, seed=0)
    return lambda: flat_metrics(algorithm.train())["decisions"]


@dataclass(frozen=True)
class Iteration:
    """What one took: seconds, decisions, and processor seconds of the main process, runners and learners."""

    seconds: float
    decisions: float
    main_s: float
    runner_s: float
    learner_s: float

    @property
    def path_s(self) -> float:
        return self.main_s + self.runner_s + self.learner_s


RUNNER, LEARNER = b"ray::BatchedEnvRunner", b"ray::_WrappedExecutable"
"""How Ray calls the processes."""


def processor_s() -> dict[tuple[bytes, str], float]:
    """Processor seconds so far of all env runners and learners of this user."""
    used = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "cmdline").read_bytes()
            kind = next((kind for kind in (RUNNER, LEARNER) if name.startswith(kind)), None)
            if kind and process.stat().st_uid == os.getuid():
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                used[kind, process.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            continue  # it has ended
    return used


def measure(iterate: Iterate, played: float) -> Iteration:
    """One iteration of a trainer that had played `played` decisions before."""
    before, main, start = processor_s(), time.process_time(), time.perf_counter()
    total = iterate()
    seconds, main = time.perf_counter() - start, time.process_time() - main
    spent = {who: used - before.get(who, 0.0) for who, used in processor_s().items()}
    busiest = [
        max((s for (kind, _), s in spent.items() if kind == one), default=0.0) for one in (RUNNER, LEARNER)
    ]
    return Iteration(seconds, total - played, main, *busiest)


def take_turns(trainers: list[Iterate], repeats: int, warmup: int) -> list[list[Iteration]]:
    """Of each trainer, the iterations after `warmup`: `repeats` in every place of the turn."""
    iterations: list[list[Iteration]] = [[] for _ in trainers]
    played = [0.0] * len(trainers)
    order = deque(range(len(trainers)))
    for _ in range(warmup + repeats * len(trainers)):
        for i in order:
            iterations[i].append(measure(trainers[i], played[i]))
            played[i] += iterations[i][-1].decisions
        order.rotate()
    return [some[warmup:] for some in iterations]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--threads", type=int, default=1)
    add_device_option(parser)
    parser.add_argument("--repeats", type=int, default=3, help="in every place of the turn")
    parser.add_argument("--runners", type=int, nargs="+", default=[0])
    parser.add_argument("--learners", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--updates", type=int, default=AlgorithmConfig().updates_per_rollout, help="of a rollout"
    )
    parser.add_argument(
        "--worlds", type=int, default=AlgorithmConfig().worlds_per_rollout, help="of a rollout"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    constellation = CONSTELLATIONS["walker_12x24"]
    scenario = Scenario(constellation, EbN0Link(), DayConfig(), TaskConfig(), EnvironmentConfig())
    config = AlgorithmConfig(updates_per_rollout=options.updates, worlds_per_rollout=options.worlds)
    processes = [(runners, 0) for runners in options.runners] + [
        (0, learners) for learners in options.learners
    ]
    # While a replay fills, memory is taken from the system, which costs time that a long training does not spend.
    warmup = -(-config.replay_episodes // config.worlds_per_rollout) + 1
    timed: dict[str, TimedTrainer] = {}
    trainers: dict[str, Iterate] = {}
    try:
        for device in options.device:
            timed[f"{device}, plain"] = trainer = plain(scenario, config, device)
            trainers[f"{device}, plain"] = lambda trainer=trainer: trainer.iterate()["decisions"]
        total = len(options.device) * sum(options.runners), len(options.device) * sum(options.learners)
        everything = ClusterConfig(env_runners=total[0], learners=total[1], threads=options.threads)
        connect(everything)  # room for all trainers at once
        for device in options.device:
            gpus = int(device != "cpu")
            for runners, learners in dict.fromkeys(processes):
                cluster = ClusterConfig(
                    env_runners=runners, learners=learners, gpus_per_learner=gpus, threads=options.threads
                )
                cluster.require_even_shares(config)
                name = f"{device}, RLlib, {runners} env runners, {learners} learners"
                trainers[name] = under_rllib(scenario, config, cluster)
    except ConfigError as error:
        parser.error(str(error))

    figures = take_turns(list(trainers.values()), options.repeats, warmup)
    title = f"{constellation.name}, {config.worlds_per_rollout} worlds, {config.updates_per_rollout} updates"
    columns = (
        "s/iteration",
        "thousand decisions/s",
        "ratio",
        "processor s: main",
        "runner",
        "learner",
        "sum, ratio",
    )
    table = Table(Column("trainer", no_wrap=True), *columns, title=title)

    def mean(of: Callable[[Iteration], float], some: list[Iteration]) -> float:
        return statistics.fmean(map(of, some))

    seconds, path_s = (mean(attrgetter(name), figures[0]) for name in ("seconds", "path_s"))
    for name, some in zip(trainers, figures, strict=True):
        table.add_row(
            name,
            f"{mean(attrgetter('seconds'), some):.2f}",
            f"{mean(attrgetter('decisions'), some) / mean(attrgetter('seconds'), some) / 1e3:.1f}",
            f"{mean(attrgetter('seconds'), some) / seconds:.2f}",
            *(f"{mean(attrgetter(name), some):.2f}" for name in ("main_s", "runner_s", "learner_s")),
            f"{mean(attrgetter('path_s'), some) / path_s:.2f}",
        )
    console = Console()
    console.print(table)
    for name, trainer in timed.items():
        console.print(f"{name}: {trainer.play_s / trainer.all_s:.0%} of the time is play, the rest learning")


if __name__ == "__main__":
    main()
