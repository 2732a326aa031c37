"""Small networks and worlds that no orbit would give: any shape, any links, any rates."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from envs.constellation import OPPOSITE, Constellation
from envs.ephemeris import Ephemeris, build_ephemeris
from envs.simulator import HOLD, RoutingSimulator, Turn
from envs.topology import Topology
from envs.worlds import Worlds

RELAY_S_PER_MBIT = 0.0005


def grid(pattern: str, planes: int, satellites_per_plane: int, phasing: int = 0) -> Constellation:
    """A constellation of which only the wiring matters."""
    if pattern == "star":
        return Constellation("grid", "star", planes, satellites_per_plane, 1000.0, 86.0, min(phasing, 1))
    return Constellation("grid", "delta", planes, satellites_per_plane, 1000.0, 53.0, phasing % planes)


def random_topology(constellation: Constellation, n_slots: int, up_share: float, seed: int) -> Topology:
    """Wired links up with probability `up_share`; random lengths and rates; symmetric as real ones are."""
    generator = torch.Generator().manual_seed(seed)
    neighbours, wired = constellation.neighbours(), constellation.wired()
    shape = (n_slots, constellation.n_satellites, 4)
    up = (torch.rand(shape, generator=generator) < up_share) & wired
    length_km = 500 + 4500 * torch.rand(shape, generator=generator)
    rate_mbps = 50 + 950 * torch.rand(shape, generator=generator)
    for direction in (0, 3):  # the other two are the same links seen from the far end
        back, there = OPPOSITE[direction], neighbours[:, direction]
        for table in (up, length_km, rate_mbps):
            table[:, there, back] = table[:, :, direction]
    return Topology(
        constellation=constellation,
        time_s=torch.arange(n_slots, dtype=torch.float64) * 60,
        neighbours=neighbours,
        up=up & wired,
        length_km=length_km,
        rate_mbps=torch.where(up & wired, rate_mbps, 0.0),
        position_km=None,
    )


def random_ephemeris(constellation: Constellation, *, up_share: float = 0.9, seed: int = 0) -> Ephemeris:
    """What is known on board of a random network of three slots."""
    return build_ephemeris(random_topology(constellation, 3, up_share, seed), RELAY_S_PER_MBIT)


def random_worlds(
    ephemeris: Ephemeris, n_tasks: int, n_worlds: int, *, absent_share: float = 0.0, seed: int = 0
) -> Worlds:
    """Worlds of any satellites of a random network, connected or not; a share of the packets is absent."""
    generator = torch.Generator().manual_seed(seed)
    n_satellites = ephemeris.n_satellites
    chosen = torch.rand(n_worlds, n_satellites, generator=generator).argsort(1)
    sensing = chosen[:, :n_tasks]
    server = chosen[:, n_tasks:].gather(1, torch.arange(n_tasks).remainder(2).expand(n_worlds, -1))
    size_mbit = 5 + 195 * torch.rand(n_worlds, 2 * n_tasks, generator=generator)
    absent = torch.rand(size_mbit.shape, generator=generator) < absent_share
    return Worlds(
        slot=torch.randint(ephemeris.n_slots, (n_worlds,), generator=generator),
        source=torch.cat([server, sensing], 1),
        destination=torch.cat([sensing, server], 1),
        size_mbit=size_mbit.masked_fill(absent, 0.0),
        present=~absent,
    )


def scaled_rates(ephemeris: Ephemeris, factor: float) -> Ephemeris:
    """The same network with every link `factor` times as fast."""
    topology = replace(ephemeris.topology, rate_mbps=ephemeris.topology.rate_mbps * factor)
    return build_ephemeris(topology, ephemeris.relay_s_per_mbit)


class RandomPlayer:
    """Plays random legal directions; holds now and then where `hold_share` says so.

    What is drawn for a packet depends on the seed, the step and the packet only, not on which other worlds are played.
    """

    def __init__(self, n_packets: int, seed: int, hold_share: float = 0.0) -> None:
        self.n_packets = n_packets
        self.hold_share = hold_share
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, turn: Turn) -> Tensor:
        """Directions [N]."""
        dice = torch.rand(self.n_packets, 5, generator=self.generator)  # [P, 5]
        row = dice[turn.packet % self.n_packets]
        direction = row[:, :4].masked_fill(~turn.legal, -1.0).argmax(1)
        return torch.where(row[:, 4] < self.hold_share, HOLD, direction)


def play(simulator: RoutingSimulator, worlds: Worlds, player: RandomPlayer) -> Tensor:
    """Play `worlds` to their end (or the time limit); returns the team's return, [E]."""
    simulator.reset(worlds)
    total = torch.zeros(worlds.n_worlds)
    while len(turn := simulator.turn()) and not bool(simulator.truncated.any()):
        total += simulator.step(turn, player(turn)).team_reward
    return total
