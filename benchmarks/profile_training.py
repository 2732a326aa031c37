"""Where the time of a training goes, and how much faster it could be at most: one thread of a CPU, the plain trainer.

    python benchmarks/profile_training.py [--repeats 5] [--precision auto]

The first table shares the processor time of an iteration (a rollout and its updates) out among its parts. The second
sets the arithmetic of the networks against what matrix products of the same formats reach here at best: an iteration
that did nothing but these products, each at full speed, would still take that long.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest import mock

import torch
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

import agents.trainer
from agents.config import AlgorithmConfig, Precision
from agents.networks import Utility
from agents.precision import compute_dtype
from agents.qmix import QMIXModel
from agents.replay import Replay
from agents.trainer import Trainer
from envs.config import EnvironmentConfig, TaskConfig
from envs.constellation import CONSTELLATIONS
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.observation import Observer
from envs.routing_game import RoutingGame
from envs.scenario import Scenario
from envs.simulator import RoutingSimulator

PARTS: list[tuple[Any, str, str]] = [
    (agents.trainer, "play_rollout", "play: worlds, choices, bookkeeping"),
    (Observer, "__call__", "play: observations"),
    (RoutingSimulator, "turn", "play: simulator"),
    (RoutingSimulator, "step", "play: simulator"),
    (RoutingSimulator, "reset", "play: simulator"),
    (Utility, "judge", "play: network"),
    (Replay, "add", "replay"),
    (Replay, "sample", "replay"),
    (QMIXModel, "loss", "learn: targets and losses"),
    (Utility, "forward", "learn: utility networks"),
    (torch.Tensor, "backward", "learn: gradient"),
    (torch.optim.Adam, "step", "learn: optimiser and targets"),
    (QMIXModel, "update_targets", "learn: optimiser and targets"),
]
"""Where a part is entered. What it calls that is a part of its own does not count for it."""


class Stopwatch:
    """Processor seconds of nested parts, each without those inside it."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._stack = ["the rest"]
        self._since = time.process_time()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What is done within counts for `name`; the network at play is not the one that learns."""
        self._charge()
        self._stack.append("play: network" if self._stack[-1] == "play: network" else name)
        try:
            yield
        finally:
            self._charge()
            self._stack.pop()

    def _charge(self) -> None:
        now = time.process_time()
        self.seconds[self._stack[-1]] += now - self._since
        self._since = now


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """Time the parts of whatever is done within."""
    watch = Stopwatch()

    def timed(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with watch.part(name):
                return function(*args, **kwargs)

        return call

    with ExitStack() as stack:
        for owner, attribute, name in PARTS:
            stack.enter_context(mock.patch.object(owner, attribute, timed(getattr(owner, attribute), name)))
        yield watch


def best_rate(dtype: torch.dtype) -> float:
    """FLOP/s of the fastest of some square matrix products."""
    rates = []
    for size in (256, 512, 1024):
        a, b = torch.randn(2, size, size).to(dtype)
        for _ in range(8):
            start = time.process_time()
            for _ in range(4):
                torch.mm(a, b)
            rates.append(4 * 2 * size**3 / (time.process_time() - start))
    return max(rates)


def new_trainer(precision: Precision) -> Trainer:
    """The default training of `python train.py`, its replay about to be learned from."""
    scenario = Scenario(
        CONSTELLATIONS["walker_12x24"], EbN0Link(), DayConfig(), TaskConfig(), EnvironmentConfig()
    )
    config = AlgorithmConfig(precision=precision)
    game = RoutingGame(
        scenario.ephemeris("training"), scenario.task, scenario.environment, config.worlds_per_rollout
    )
    trainer = Trainer(game, config)
    while len(trainer.replay) < config.warmup_episodes:
        trainer.iterate()
    return trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--precision", type=Precision, choices=list(Precision), default=Precision.auto)
    options = parser.parse_args()
    torch.set_num_threads(1)
    trainer = new_trainer(options.precision)

    repeats: list[dict[str, float]] = []
    before = trainer.counters["decisions"]
    for _ in range(options.repeats):
        with stopwatch() as watch:
            trainer.iterate()
        repeats.append(watch.seconds)
    decisions = (trainer.counters["decisions"] - before) / options.repeats
    total = statistics.median(sum(one.values()) for one in repeats)
    table = Table("part", "ms", "share, %", title=f"An iteration of {decisions:,.0f} decisions")
    of_part = {name: statistics.median(one[name] for one in repeats) for name in {*repeats[0]}}
    for name, seconds in sorted(of_part.items(), key=lambda item: item[0]):
        table.add_row(name, f"{1e3 * seconds:.0f}", f"{100 * seconds / total:.1f}")
    table.add_row("all", f"{1e3 * total:.0f}", "100.0")
    console = Console()
    console.print(table)

    with FlopCounterMode(display=False) as counter:
        trainer.iterate()
    flops, dtype = counter.get_total_flops(), compute_dtype(options.precision)
    table = Table("format", "best product, GFLOP/s", "the products alone, ms", "decisions/s then")
    for one in dict.fromkeys((dtype, torch.float32)):
        rate = best_rate(one)
        seconds = flops / rate
        name = str(one).removeprefix("torch.")
        table.add_row(name, f"{rate / 1e9:.0f}", f"{1e3 * seconds:.0f}", f"{decisions / seconds:,.0f}")
    console.print(table)
    console.print(
        f"{flops / decisions / 1e6:.2f} MFLOP a decision in matrix products; "
        f"{decisions / total:,.0f} decisions/s of processor time as it is"
    )


if __name__ == "__main__":
    main()
