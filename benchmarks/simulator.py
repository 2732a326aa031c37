"""Packet decisions per second of the simulator, observations included, by batch size, view of the loads and network.

    python benchmarks/simulator.py [--threads 2] [--device cpu cuda] [--repeats 5]

Every decision follows the look-ahead cost in its own observation, so that episodes have a good policy's length. Devices
stand side by side (more and more worlds, and learning: benchmarks/devices.py). The last table plays the same number
of packets on a small and a large constellation, in turn: idle satellites should be free. Figures are medians of the
repeats.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.device_option import add_device_option
from envs.config import EnvironmentConfig, LoadView, TaskConfig
from envs.constellation import CONSTELLATIONS
from envs.ephemeris import Ephemeris, build_ephemeris
from envs.links import EbN0Link
from envs.routing_game import RoutingGame
from envs.topology import build_topology


def ephemeris_of(name: str, device: str, n_slots: int = 4) -> Ephemeris:
    time_s = torch.arange(n_slots, dtype=torch.float64) * 60.0
    topology = build_topology(CONSTELLATIONS[name], EbN0Link(), time_s)
    return build_ephemeris(topology, EnvironmentConfig().relay_s_per_mbit).to(device)


def play(game: RoutingGame, seed: int) -> int:
    """One batch of episodes; returns the number of decisions."""
    layout = game.observation_layout
    game.reset(seed)
    total, decide = 0, []
    while len(decisions := game.decisions()):
        blocks = decisions.observation[:, layout.n_global :].unflatten(1, (4, layout.n_per_direction))
        cost = blocks[..., layout.prior].masked_fill(~decisions.legal, torch.inf)
        game.step(decisions, cost.argmin(1))
        if decisions.decides is None:
            total += len(decisions)
        else:
            decide.append(decisions.decides.sum())
    return total + int(sum(decide))


def decisions_per_second(games: list[RoutingGame], repeats: int) -> list[float]:
    """Median rate of each game, the games taking turns so that a slow moment of the machine hits all alike."""
    rates: list[list[float]] = [[] for _ in games]
    for seed in range(repeats + 1):
        for game, of_game in zip(games, rates, strict=True):
            start = time.perf_counter()
            n = play(game, seed)
            if game.device.type == "cuda":
                torch.cuda.synchronize()
            of_game.append(n / (time.perf_counter() - start))
    return [statistics.median(of_game[1:]) for of_game in rates]  # the first batch warms up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    add_device_option(parser)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--worlds", type=int, nargs="+", default=[64, 256, 1024, 4096])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    console = Console()
    task = TaskConfig()

    small = [ephemeris_of("walker_12x24", device) for device in options.device]
    title = f"walker_12x24, {task.n_tasks} tasks, {options.threads} threads"
    columns = [f"{view.value}\n{device}" for view in LoadView for device in options.device]
    table = Table("worlds", *columns, title=f"Thousand decisions/s: {title}")
    for n_worlds in options.worlds:
        games = [
            RoutingGame(ephemeris, task, EnvironmentConfig(loads=view), n_worlds)
            for view in LoadView
            for ephemeris in small
        ]
        rates = decisions_per_second(games, options.repeats)
        table.add_row(str(n_worlds), *(f"{rate / 1e3:.0f}" for rate in rates))
        del games
    console.print(table)

    table = Table("network", "device", "satellites", "thousand decisions/s", "time per decision, ratio")
    for ephemeris, device in zip(small, options.device, strict=True):
        large = ephemeris_of("starlink_72x22", device)
        games = [RoutingGame(eph, task, EnvironmentConfig(), 1024) for eph in (ephemeris, large)]
        rates = decisions_per_second(games, options.repeats)
        for game, rate in zip(games, rates, strict=True):
            constellation = game.ephemeris.topology.constellation
            size, ratio = str(constellation.n_satellites), f"{rates[0] / rate:.2f}"
            table.add_row(constellation.name, device, size, f"{rate / 1e3:.0f}", ratio)
        del games, game, large
    console.print(table)
    console.print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
