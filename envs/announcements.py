"""Where packets are about to go: what satellites tell each other about the packets they hold.

Loads say where packets went; simultaneous decisions collide because nobody knows where the others are going. So every
satellite announces, for each packet that it holds, the next few hops of the packet's uncongested path: a guess (the
packet may be routed otherwise), but one that its neighbours can share at the cost of a few bytes a packet.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.ephemeris import DIRECTION, HOPS, UNREACHABLE_HOPS, Ephemeris
from envs.rows import take_quads

ANNOUNCED_HOPS = 5
"""Hops of its uncongested path that a packet's holder announces."""
ANNOUNCED_COLUMNS = 8
"""A record of `Announcements.on_links`: packets announced on the four outgoing ISLs, then Mbit."""


class Announcements:
    """Announced traffic of E worlds with P packets each.

    on_links: [E*V, 8], packets and Mbit announced on every satellite's four outgoing ISLs, `delay_steps` steps old.
    satellite, direction: [E*P, K] long, each packet's own announcement; satellite -1 beyond its destination.
    """

    def __init__(self, ephemeris: Ephemeris, n_worlds: int, n_packets: int, delay_steps: int) -> None:
        self._ephemeris = ephemeris
        self._neighbours = ephemeris.topology.neighbours.reshape(-1)
        self._delay_steps = delay_steps
        device = ephemeris.device
        self.on_links = torch.zeros(n_worlds * ephemeris.n_satellites, ANNOUNCED_COLUMNS, device=device)
        shape = (n_worlds * n_packets, ANNOUNCED_HOPS)
        self.satellite = torch.full(shape, -1, dtype=torch.long, device=device)
        self.direction = torch.zeros(shape, dtype=torch.long, device=device)
        self._written = torch.zeros(0, dtype=torch.long, device=device)
        self._sent: deque[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]] = deque()

    def clear(self) -> None:
        """Forget everything announced."""
        self._sent.clear()
        self._retract()

    def withdraw_newest(self) -> None:
        """Take back what was announced last, unless all know it already; the next announcement takes its place."""
        if self._delay_steps:
            self._sent.pop()

    def forget(self, gone: Tensor, node: Tensor, packet: Tensor) -> None:
        """Forget what was announced in the worlds where `gone` [E] bool: their `node` [M*V] and `packet` [M*P]."""
        self.on_links[node] = 0.0
        self.satellite[packet] = -1
        per_world = self.on_links.numel() // len(gone)
        packets = len(self.satellite) // len(gone)
        for late, (where, amount, sender, path, direction) in enumerate(self._sent):
            stays = ~gone[where.div(per_world, rounding_mode="floor")]
            sends = ~gone[sender.div(packets, rounding_mode="floor")]
            self._sent[late] = (where[stays], amount[stays], sender[sends], path[sends], direction[sends])

    def announce(
        self, packet: Tensor, satellite: Tensor, alive: Tensor | None, constants: Tensor, size_mbit: Tensor
    ) -> None:
        """Replace the announcements by those of `packet` [N], held by `satellite` [N], where `alive` [N] if given.

        constants [E*P, 5] and size_mbit [E*P] are the simulator's, of all packets.
        """
        _, destination, node_row, _, goal_row = constants.index_select(0, packet).T.contiguous()
        size = size_mbit.index_select(0, packet)
        path, directions, records, amounts = [], [], [], []
        hops = self._ephemeris.cost_to_go[:, HOPS].index_select(0, goal_row + satellite)
        moving = hops < UNREACHABLE_HOPS
        if alive is not None:
            moving = moving & alive
        for _ in range(ANNOUNCED_HOPS):
            direction = self._ephemeris.cost_to_go[:, DIRECTION].index_select(0, goal_row + satellite).long()
            path.append(torch.where(moving, satellite, -1))
            directions.append(direction)
            record = (node_row + satellite) * ANNOUNCED_COLUMNS + direction
            records.append(record)
            amounts.append(moving.to(size.dtype))
            ahead = self._neighbours.index_select(0, satellite * 4 + direction)
            satellite = torch.where(moving, ahead, satellite)
            moving = moving & (satellite != destination)
        record = torch.cat(records)
        packets = torch.cat(amounts)
        mbit = packets * size.repeat(ANNOUNCED_HOPS)
        where, amount = torch.cat([record, record + 4]), torch.cat([packets, mbit])
        self._sent.append((where, amount, packet, torch.stack(path, 1), torch.stack(directions, 1)))
        if len(self._sent) > self._delay_steps:
            self._publish()

    def _publish(self) -> None:
        self._retract()
        where, amount, packet, path, direction = self._sent.popleft()
        self.on_links.view(-1).index_add_(0, where, amount)
        self.satellite.index_copy_(0, packet, path)
        self.direction.index_copy_(0, packet, direction)
        self._written = where

    def _retract(self) -> None:
        self.on_links.view(-1).index_fill_(0, self._written, 0.0)
        self.satellite.fill_(-1)
        self._written = self._written[:0]

    def to(self, packet: Tensor, node_row: Tensor, size_mbit: Tensor) -> AnnouncedTraffic:
        """What the holders of `packet` [N] are told, their own announcements left out; node_row, size_mbit: [N]."""
        return AnnouncedTraffic(
            on_links=self.on_links,
            node_row=node_row[:, None],
            size_mbit=size_mbit,
            own_satellite=self.satellite.index_select(0, packet),
            own_direction=self.direction.index_select(0, packet),
        )


@dataclass(frozen=True)
class AnnouncedTraffic:
    """Announcements as N deciding satellites hear them: those of all packets but the one that each decides for.

    on_links: [E*V, 8]. node_row: [N, 1]. size_mbit: [N]. own_satellite, own_direction: [N, K].
    """

    on_links: Tensor
    node_row: Tensor
    size_mbit: Tensor
    own_satellite: Tensor
    own_direction: Tensor

    def packets_and_mbit(self, satellite: Tensor) -> tuple[Tensor, Tensor]:
        """Packets and Mbit on the ISLs of `satellite` [N, M], each [N, M, 4]."""
        packets, mbit = take_quads(self.on_links, self.node_row + satellite, 0, 1)
        own = self._own(satellite)
        return packets - own, mbit - own * self.size_mbit[:, None, None]

    def _own(self, satellite: Tensor) -> Tensor:
        """[N, M, 4] 1 on the ISLs of `satellite` [N, M] that the deciding packet itself was announced on, else 0."""
        direction = torch.full_like(satellite, -1)
        for hop in range(ANNOUNCED_HOPS):  # a path enters no satellite twice: at most one hop leaves each
            here = satellite == self.own_satellite[:, hop, None]
            direction = torch.where(here, self.own_direction[:, hop, None], direction)
        onto = direction[..., None] == torch.arange(4, device=satellite.device)
        return onto.to(self.on_links.dtype)
