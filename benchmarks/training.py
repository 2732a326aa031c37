"""Decisions per second through collection and learning together: the plain trainer against the same under RLlib.

    python benchmarks/training.py [--threads 1] [--device cpu] [--repeats 5] [--runners 0 1 2] [--learners 0 1 2]

All trainers take turns, iteration by iteration, so that a slow moment of the machine hits all alike; they learn the
same, so that none has easier episodes. Each number of runners plays with no learner beside the main process, each
number of learners learns with no runner beside it. Figures are medians of the repeats, after the first iterations have
filled the replay.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from rich.console import Console
from rich.table import Table

from agents.cluster import ClusterConfig
from agents.config import AlgorithmConfig
from agents.rllib.build import build_qmix
from agents.rllib.connection import connect
from agents.rllib.metrics import flat_metrics
from agents.trainer import Trainer
from envs.config import EnvironmentConfig, TaskConfig
from envs.constellation import CONSTELLATIONS
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.routing_game import RoutingGame
from envs.scenario import Scenario

Iterate = Callable[[], float]
"""One iteration of a trainer; returns the decisions played so far."""


def plain(scenario: Scenario, config: AlgorithmConfig, device: str) -> Iterate:
    ephemeris = scenario.ephemeris("training").to(device)
    game = RoutingGame(ephemeris, scenario.task, scenario.environment, config.worlds_per_rollout)
    trainer = Trainer(game, config, device=device)
    return lambda: trainer.iterate()["decisions"]


def under_rllib(scenario: Scenario, config: AlgorithmConfig, cluster: ClusterConfig) -> Iterate:
    algorithm = build_qmix([scenario], config, cluster, seed=0)
    return lambda: flat_metrics(algorithm.train())["decisions"]


def seconds_and_decisions(trainers: list[Iterate], repeats: int, warmup: int) -> list[tuple[float, float]]:
    """Medians of an iteration of each trainer."""
    runs: list[list[tuple[float, float]]] = [[] for _ in trainers]
    played = [0.0] * len(trainers)
    for _ in range(warmup + repeats):
        for i, iterate in enumerate(trainers):
            start = time.perf_counter()
            total = iterate()
            runs[i].append((time.perf_counter() - start, total - played[i]))
            played[i] = total
    medians = (zip(*run[warmup:], strict=True) for run in runs)
    return [(statistics.median(seconds), statistics.median(decisions)) for seconds, decisions in medians]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--runners", type=int, nargs="+", default=[0])
    parser.add_argument("--learners", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    constellation = CONSTELLATIONS["walker_12x24"]
    scenario = Scenario(constellation, EbN0Link(), DayConfig(), TaskConfig(), EnvironmentConfig())
    config = AlgorithmConfig()
    gpus = int(options.device != "cpu")
    trainers = {"plain": plain(scenario, config, options.device)}
    processes = [(runners, 0) for runners in options.runners] + [
        (0, learners) for learners in options.learners
    ]
    everything = ClusterConfig(env_runners=sum(options.runners), learners=sum(options.learners))
    connect(replace(everything, threads=options.threads))  # room for all trainers at once
    for runners, learners in dict.fromkeys(processes):
        cluster = ClusterConfig(
            env_runners=runners, learners=learners, gpus_per_learner=gpus, threads=options.threads
        )
        name = f"RLlib, {runners} env runners, {learners} learners"
        trainers[name] = under_rllib(scenario, config, cluster)

    warmup = -(-config.warmup_episodes // config.worlds_per_rollout) + 1
    figures = seconds_and_decisions(list(trainers.values()), options.repeats, warmup)
    title = f"{constellation.name}, {config.worlds_per_rollout} worlds, {config.updates_per_rollout} updates"
    table = Table("trainer", "s/iteration", "thousand decisions/s", "time, ratio", title=title)
    for name, (seconds, decisions) in zip(trainers, figures, strict=True):
        rate = f"{decisions / seconds / 1e3:.1f}"
        table.add_row(name, f"{seconds:.2f}", rate, f"{seconds / figures[0][0]:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
