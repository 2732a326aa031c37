"""Decisions per second through collection and learning together: the plain trainer against the same under RLlib.

    python benchmarks/training.py [--threads 1] [--device cpu cuda] [--repeats 5] [--runners 0 1 2] [--learners 0 1 2]
                                  [--updates 15]

All trainers take turns, iteration by iteration, so that a slow moment of the machine hits all alike; they learn the
same, so that none has easier episodes. Each number of runners plays with no learner beside the main process, each
number of learners learns with no runner beside it. On a GPU networks, replay and updates are there, and the episodes
that the main process plays. Figures are medians of the repeats, after the first iterations have filled the replay;
ratios are medians of the ratios to the first line of the same repeat.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

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
from envs.config import ConfigError, EnvironmentConfig, TaskConfig
from envs.constellation import CONSTELLATIONS
from envs.day import DayConfig
from envs.devices import available_devices, require_device
from envs.links import EbN0Link
from envs.routing_game import RoutingGame
from envs.scenario import Scenario

Iterate = Callable[[], float]
"""One iteration of a trainer; returns the decisions played so far."""


class TimedTrainer(Trainer):
    """Knows how long it has played; the rest of an iteration is learning."""

    play_s = 0.0

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


def seconds_and_decisions(
    trainers: list[Iterate], repeats: int, warmup: int
) -> list[tuple[list[float], list[float]]]:
    """Of each trainer, seconds and decisions of the iterations after `warmup`."""
    seconds: list[list[float]] = [[] for _ in trainers]
    decisions: list[list[float]] = [[] for _ in trainers]
    played = [0.0] * len(trainers)
    for _ in range(warmup + repeats):
        for i, iterate in enumerate(trainers):
            start = time.perf_counter()
            total = iterate()
            seconds[i].append(time.perf_counter() - start)
            decisions[i].append(total - played[i])
            played[i] = total
    return [(s[warmup:], d[warmup:]) for s, d in zip(seconds, decisions, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", nargs="+", default=available_devices())
    parser.add_argument("--repeats", type=int, default=5)
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
    warmup = -(-config.warmup_episodes // config.worlds_per_rollout) + 1
    timed: dict[str, TimedTrainer] = {}
    trainers: dict[str, Iterate] = {}
    try:
        for device in options.device:
            require_device(device, "--device")
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

    figures = seconds_and_decisions(list(trainers.values()), options.repeats, warmup)
    title = f"{constellation.name}, {config.worlds_per_rollout} worlds, {config.updates_per_rollout} updates"
    table = Table(
        Column("trainer", no_wrap=True), "s/iteration", "thousand decisions/s", "time, ratio", title=title
    )
    first, _ = figures[0]
    for name, (seconds, decisions) in zip(trainers, figures, strict=True):
        rate = statistics.median(n / s for n, s in zip(decisions, seconds, strict=True))
        ratio = statistics.median(s / reference for s, reference in zip(seconds, first, strict=True))
        table.add_row(name, f"{statistics.median(seconds):.2f}", f"{rate / 1e3:.1f}", f"{ratio:.2f}")
    console = Console()
    console.print(table)
    for (name, trainer), (seconds, _) in zip(timed.items(), figures, strict=False):
        # Play of the first iterations is the same, only learning is not.
        share = trainer.play_s / (options.repeats + warmup) / statistics.mean(seconds)
        console.print(f"{name}: {share:.0%} of the time is play, the rest learning")


if __name__ == "__main__":
    main()
