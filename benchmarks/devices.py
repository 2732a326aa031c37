"""Decisions per second of simulator and training on every device, with twice as many worlds in every line.

    python benchmarks/devices.py [--device cpu cuda] [--threads 1] [--worlds 128] [--repeats 3] [--memory-gib 8]
                                 [--patience-s 120]

`play` is the simulator with observations, every decision following the look-ahead cost in its own; `train` is the plain
trainer, which plays a rollout in as many worlds and makes 15 updates on a quarter as many episodes (the default
proportions; all networks, the replay and the worlds on the device). A device takes part until its memory is exhausted
(or the GiB given), or until a line has taken it longer than the patience. Figures are medians of the repeats, after a
first round that warms up. The last lines count the rows that a GPU computes for a decision, because nobody waits to
know who decides (envs/on_their_way.py).
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from rich.console import Console
from rich.live import Live
from rich.table import Table

from agents.config import AlgorithmConfig
from agents.trainer import Trainer
from benchmarks.device_option import add_device_option
from benchmarks.simulator import ephemeris_of, play
from envs.config import EnvironmentConfig, TaskConfig
from envs.ephemeris import Ephemeris
from envs.routing_game import RoutingGame

NETWORK = "walker_12x24"


def players(ephemeris: Ephemeris, n_worlds: int) -> Callable[[int], int]:
    """Plays the batch of episodes of a seed and returns the number of decisions."""
    game = RoutingGame(ephemeris, TaskConfig(), EnvironmentConfig(), n_worlds)
    return lambda seed: play(game, seed)


def learners(ephemeris: Ephemeris, n_worlds: int) -> Callable[[int], int]:
    """Plays and learns for an iteration and returns the number of decisions."""
    config = replace(
        AlgorithmConfig(),
        worlds_per_rollout=n_worlds,
        batch_episodes=max(1, n_worlds // 4),
        replay_episodes=2 * n_worlds,
        warmup_episodes=n_worlds,
    )
    game = RoutingGame(ephemeris, TaskConfig(), EnvironmentConfig(), n_worlds)
    trainer = Trainer(game, config, device=ephemeris.device)

    def iterate(_: int) -> int:
        before = trainer.counters["decisions"]
        trainer.iterate()
        return trainer.counters["decisions"] - before

    return iterate


WORKS = {"play": players, "train": learners}


@dataclass
class Contestant:
    """One device at one kind of work; `out` says why it takes no part any more."""

    device: str
    work: str
    ephemeris: Ephemeris
    patience_s: float
    out: str = ""

    def line(self, n_worlds: int, repeats: int) -> str:
        """Thousand decisions per second in `n_worlds`, or why there is no such number."""
        if self.out:
            return ""
        begun = time.perf_counter()
        try:
            rates = self._rates(n_worlds, repeats)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            self.out = "out of memory"
            return self.out
        finally:
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        rate = f"{statistics.median(rates) / 1e3:.0f}"
        if time.perf_counter() - begun > self.patience_s:
            self.out = "too slow for more"
            return f"{rate}, {self.out}"
        return rate

    def _rates(self, n_worlds: int, repeats: int) -> list[float]:
        work = WORKS[self.work](self.ephemeris, n_worlds)
        rates = []
        for seed in range(repeats + 1):
            start = time.perf_counter()
            n = work(seed)
            if self.device != "cpu":
                torch.cuda.synchronize(self.device)
            rates.append(n / (time.perf_counter() - start))
        return rates[1:]


def rows_per_decision(ephemeris: Ephemeris, n_tasks: int, n_worlds: int = 256) -> tuple[float, float]:
    """Rows that a step takes where it does not ask, and rows of all packets; both per decision, over an episode."""
    game = RoutingGame(ephemeris, TaskConfig(n_tasks=n_tasks), EnvironmentConfig(), n_worlds)
    layout, alive, n = game.observation_layout, [], 0
    game.reset(0)
    while len(decisions := game.decisions()):
        alive.append(int(game.simulator.alive.sum()))
        n += len(decisions)
        blocks = decisions.observation[:, layout.n_global :].unflatten(1, (4, layout.n_per_direction))
        cost = blocks[..., layout.prior].masked_fill(~decisions.legal, torch.inf)
        game.step(decisions, cost.argmin(1))
    rows = alive[0] + sum(
        alive
    )  # in every step those who were on their way in the one before, and once more at the end
    return rows / n, len(alive) * n_worlds * game.n_agents / n


def limit_memory(device: str, gib: float | None) -> float:
    """Have allocations beyond `gib` (default: what is free) fail, instead of taking the machine down; how many GiB."""
    if device == "cpu":
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
        gib = min(gib or free, free)
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        limit = int((used + gib) * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.getrlimit(resource.RLIMIT_DATA)[1]))
        return gib
    free, total = torch.cuda.mem_get_info(device)
    gib = min(gib or free / 2**30, free / 2**30)
    torch.cuda.set_per_process_memory_fraction(gib * 2**30 / total, torch.device(device))
    return gib


def out_of_memory(error: RuntimeError) -> bool:
    """Whether `error` says so, in the words of either allocator."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    add_device_option(parser)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--worlds", type=int, default=AlgorithmConfig().worlds_per_rollout, help="at first")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory-gib", type=float, help="of each device; default: what is free")
    parser.add_argument("--patience-s", type=float, default=120, help="for a line of one device")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    contestants = [
        Contestant(device, work, ephemeris_of(NETWORK, device), options.patience_s)
        for device in options.device
        for work in WORKS
    ]
    memory = ", ".join(
        f"{device} {limit_memory(device, options.memory_gib):.1f} GiB" for device in options.device
    )
    title = (
        f"Thousand decisions/s: {NETWORK}, {TaskConfig().n_tasks} tasks, {options.threads} threads; {memory}"
    )
    table = Table("worlds", *(f"{one.device}\n{one.work}" for one in contestants), title=title)
    n_worlds, console = options.worlds, Console()
    with Live(table, console=console, auto_refresh=False) as live:  # what is known stays, whatever happens
        while not all(one.out for one in contestants):
            table.add_row(str(n_worlds), *(one.line(n_worlds, options.repeats) for one in contestants))
            live.refresh()
            n_worlds *= 2
    console.print()
    for n_tasks in (8, 16):
        late, every = rows_per_decision(ephemeris_of(NETWORK, "cpu"), n_tasks)
        console.print(
            f"{n_tasks} tasks: {late:.2f} rows a decision on a GPU; of all packets it would be {every:.2f}"
        )


if __name__ == "__main__":
    main()
