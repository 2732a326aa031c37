"""What a satellite sees when it decides: features of what it can know, in the order of `envs.observation_layout`.

What is local: the satellite's own queue, links and counters; the ephemeris (positions, rates, the uncongested
cost-to-go of every satellite) known on board; and what other satellites broadcast. `LoadView` says how far that
reaches: `own` adds adjacent relays' counters only (the paper's "reuse status of adjacent relays"), `neighbours` the
loads on adjacent satellites' links, `two_hop` also those of satellites two hops away, `announced` also where the
packets that they hold are about to go.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.config import LoadView
from envs.constellation import OPPOSITE
from envs.ephemeris import DOWN_S_PER_MBIT
from envs.links import LIGHT_KM_S
from envs.observation_layout import CAP, SIZE_MBIT, ObservationLayout
from envs.rows import take_quads, take_rows
from envs.simulator import (
    ARRIVED_PACKETS,
    LINK_MBIT,
    LINK_PACKETS,
    QUEUE_MBIT,
    QUEUE_PACKETS,
    RELAYED_MBIT,
    RELAYED_PACKETS,
    RoutingSimulator,
    Turn,
)

# Added to the cost of going straight back, more than any way through the network costs.
FORBIDDEN_S = 1e3
# Share of the announced traffic that look-ahead costs count as if it were there: announcements are guesses. Following
# the deepest look-ahead costs 1.095 times single-order best response without them, 1.069 at 0.3 and 1.079 at 0.5 (300
# worlds of 8 tasks on Walker 12 x 24).
ANNOUNCED_WEIGHT = 0.3
# A CPU observes this many satellites at a time: what is in between stays in its cache, a third faster.
_ROWS_IN_CACHE = 1024


@dataclass(frozen=True)
class LookAhead:
    """Estimated cost in seconds of each direction, [N, 4]; what the look-ahead routers minimise.

    first: marginal cost of the hop + uncongested cost-to-go from the neighbour (LA1).
    second: marginal costs of the hop and of the best onward hop + cost-to-go from there (LA2).
    third: the same three hops deep (LA3).
    announced_s: what announced traffic adds to the marginal cost of the hop; `second` and `third` count announced
    traffic too where it is known.
    """

    first: Tensor
    second: Tensor | None = None
    third: Tensor | None = None
    announced_s: Tensor | None = None

    @property
    def deepest(self) -> Tensor:
        if self.third is not None:
            return self.third
        return self.first if self.second is None else self.second


@dataclass(frozen=True)
class _Surroundings:
    """Everything gathered once for the deciding satellites and those within reach.

    near: the M satellites whose loads are known: first the neighbours, then (two hops away) `Neighbourhood.second`.
    """

    size: Tensor  # [N, 1]
    own_loads: Tensor  # [N, L]
    near: Tensor  # [N, M] long
    packets: Tensor  # [N, M, 4] on the ISLs of `near`, as broadcast
    mbit: Tensor  # [N, M, 4]
    relayed: Tensor  # [N, M, 4] the columns from RELAYED_PACKETS on
    s_per_mbit: Tensor  # [N, 1 + M, 4] of the ISLs of the satellite itself and of `near`
    propagation_s: Tensor  # [N, 1 + M, 4]
    announced: tuple[Tensor, Tensor] | None  # packets and Mbit, each [N, 1 + M, 4]
    next_go: Tensor  # [N, 4, 4] cost-to-go records of the neighbours
    is_destination: Tensor  # [N, 4] bool
    marginal_s: Tensor  # [N, 4]
    cost_to_go_s: Tensor  # [N, 4]

    @property
    def link_s_per_mbit(self) -> Tensor:
        """[N, 4] of the satellite's own ISLs."""
        return self.s_per_mbit[:, 0]

    @property
    def link_propagation_s(self) -> Tensor:
        """[N, 4] of the satellite's own ISLs."""
        return self.propagation_s[:, 0]


class Observer:
    """Builds observations of a simulator's turns in one layout; holds no state between turns."""

    def __init__(self, simulator: RoutingSimulator) -> None:
        self.simulator = simulator
        self.layout = ObservationLayout.of(simulator.config.loads)
        device = simulator.device
        turns = simulator.ephemeris.topology.constellation.turns  # [V, 2]
        self._angles = (2 * torch.pi * turns).float().to(device)  # [V, 2]
        straight_back = torch.eye(4)[list(OPPOSITE)].to(device)  # [4, 4]: first direction, next direction
        self._per_unit = self.layout.units().reciprocal().to(device)  # [F]
        self._no_return = FORBIDDEN_S * straight_back
        around = simulator.ephemeris.neighbourhood
        neighbours = simulator.neighbours
        two_hops = self.layout.loads in (LoadView.two_hop, LoadView.announced)
        self._near = torch.cat([neighbours, around.second], 1) if two_hops else neighbours  # [V, M]
        self._beyond = (
            torch.cat([around.second, around.third], 1) if two_hops else around.second
        )  # [V, U or 5 U]
        self._way, self._n_second = around.way, around.second.shape[1]
        self._return_link = torch.tensor(OPPOSITE, device=device)[None, :, None]  # [1, 4, 1]

    def look_ahead(self, turn: Turn) -> LookAhead:
        """Look-ahead costs of a turn, as deep as the layout's view of the loads allows."""
        return self._look_ahead(turn, self._gather(turn))

    def __call__(self, turn: Turn) -> Tensor:
        """Observations [N, layout.size] of the satellites deciding in `turn`."""
        out = torch.empty(len(turn), self.layout.size, device=self.simulator.device)
        parts = self.parts(turn)
        for rows, part in zip(out.split([len(part) for part in parts]), parts, strict=True):
            self._observe(part, rows)
        return out

    def parts(self, turn: Turn) -> list[Turn]:
        """The decisions of `turn`, as many at a time as are best observed together; at least one part."""
        fits = self.simulator.device.type != "cpu" or len(turn) <= _ROWS_IN_CACHE
        return [turn] if fits else turn.split(_ROWS_IN_CACHE)

    def _observe(self, turn: Turn, out: Tensor) -> None:
        """Write the observations of `turn` into `out` [N, layout.size]."""
        sim = self.simulator
        packet, size = turn.packet, turn.size_mbit
        around = self._gather(turn)
        look = self._look_ahead(turn, around)
        own = around.own_loads
        here = take_rows(sim.ephemeris.cost_to_go, turn.goal_row + turn.satellite)  # [N, 4]
        accumulated_s = sim.accumulated_s.view(-1).index_select(0, packet)
        uncongested_s = sim.uncongested_s.view(-1).index_select(0, packet)
        hops = sim.hops.view(-1).index_select(0, packet)
        offset = self._angles.index_select(0, turn.destination) - self._angles.index_select(0, turn.satellite)
        n_tasks = sim.n_packets // 2
        is_data = packet % sim.n_packets >= n_tasks
        partner = packet + torch.where(is_data, -n_tasks, n_tasks)
        partner_size = sim.worlds.size_mbit.reshape(-1).index_select(0, partner)
        values = {
            "carries_packet": torch.ones_like(size),
            "is_data": is_data.to(size.dtype),
            "size": size,
            "log_size": (size / SIZE_MBIT).log(),
            "partner_size": partner_size,
            "hops_left": 1 - hops / sim.config.max_hops,
            "cost_to_go": torch.addcmul(here[:, 1], here[:, 0], size),
            "accumulated_delay": accumulated_s,
            "stretch": accumulated_s / (uncongested_s + 0.1),
            "queue_packets": own[:, QUEUE_PACKETS] - 1,
            "queue_mbit": own[:, QUEUE_MBIT] - size,
            "step": sim.steps.index_select(0, turn.world).to(size.dtype),
            "relayed_packets": own[:, RELAYED_PACKETS],
            "relayed_mbit": own[:, RELAYED_MBIT],
            "arrived": own[:, ARRIVED_PACKETS].clamp(max=1.0),
            "plane_offset_sin": offset[:, 0].sin(),
            "plane_offset_cos": offset[:, 0].cos(),
            "slot_offset_sin": offset[:, 1].sin(),
            "slot_offset_cos": offset[:, 1].cos(),
            "hops_to_destination": here[:, 2],
        }
        by_direction = self._direction_values(turn, around, look)
        layout = self.layout
        torch.stack([values[name] for name in layout.global_units], 1, out=out[:, : layout.n_global])
        blocks = out[:, layout.n_global :].view(len(turn), 4, layout.n_per_direction)
        torch.stack([by_direction[name] for name in layout.direction_units], 2, out=blocks)
        out.mul_(self._per_unit).clamp_(max=CAP)
        # A direction whose link is down reads as zero throughout.
        blocks.mul_(by_direction["up"][..., None])

    # ---------------------------------------------------------------- parts

    def _gather(self, turn: Turn) -> _Surroundings:
        sim = self.simulator
        size = turn.size_mbit[:, None]  # [N, 1]
        own_loads = sim.loads.index_select(0, turn.node_row + turn.satellite)  # [N, L]
        near = self._near.index_select(0, turn.satellite)  # [N, M]
        packets, mbit, relayed = take_quads(sim.broadcast_loads, turn.node_row[:, None] + near, 0, 1, 2)
        here_and_near = torch.cat([turn.satellite[:, None], near], 1)
        s_per_mbit, propagation_s = take_quads(sim.link_cost, turn.slot_row[:, None] + here_and_near, 0, 1)
        announced = None
        if sim.announcements is not None:
            heard = sim.announcements.to(turn.packet, turn.node_row, turn.size_mbit)
            announced = heard.packets_and_mbit(here_and_near)
        goal = (turn.goal_row[:, None] + turn.neighbour).view(-1)
        next_go = take_rows(sim.ephemeris.cost_to_go, goal).view(-1, 4, 4)
        is_destination = turn.neighbour == turn.destination[:, None]

        joined = torch.addcmul(own_loads[:, LINK_MBIT], own_loads[:, LINK_PACKETS] + 1, size)
        relay_mbit = torch.addcmul(relayed[:, :4, 1], relayed[:, :4, 0] + 1, size)
        relay_s = (sim.config.relay_s_per_mbit * relay_mbit).masked_fill(is_destination, 0.0)
        return _Surroundings(
            size=size,
            own_loads=own_loads,
            near=near,
            packets=packets,
            mbit=mbit,
            relayed=relayed,
            s_per_mbit=s_per_mbit,
            propagation_s=propagation_s,
            announced=announced,
            next_go=next_go,
            is_destination=is_destination,
            marginal_s=torch.addcmul(propagation_s[:, 0], joined, s_per_mbit[:, 0]) + relay_s,
            cost_to_go_s=torch.addcmul(next_go[..., 1], next_go[..., 0], size),
        )

    def _onward_s(self, turn: Turn, size: Tensor) -> Tensor:
        """Uncongested way home from `self._beyond` [N, B], with the relay at its beginning: 0 at the destination."""
        satellite = self._beyond.index_select(0, turn.satellite)
        row = (turn.goal_row[:, None] + satellite).view(-1)
        go = take_rows(self.simulator.ephemeris.cost_to_go, row).view(*satellite.shape, 4)
        # How busy the relay is, nobody within reach knows: it counts as empty.
        onward = torch.addcmul(go[..., 1], go[..., 0] + self.simulator.config.relay_s_per_mbit, size)
        return onward.masked_fill(satellite == turn.destination[:, None], 0.0)

    def _look_ahead(self, turn: Turn, around: _Surroundings) -> LookAhead:
        first = around.marginal_s + around.cost_to_go_s
        if self.layout.loads is LoadView.own:
            return LookAhead(first)
        n, n_second = len(turn), self._n_second
        size = around.size[:, None]  # [N, 1, 1]
        begin, announced_s = around.marginal_s, None
        joined = torch.addcmul(around.mbit, around.packets + 1, size)  # [N, M, 4]
        if around.announced is not None:
            packets, mbit = around.announced
            expected = torch.addcmul(mbit, packets, size).mul_(
                ANNOUNCED_WEIGHT
            )  # what announced packets would cost
            announced_s = expected[:, 0] * around.link_s_per_mbit
            begin = begin + announced_s
            joined += expected[:, 1:]
        cost = torch.addcmul(around.propagation_s[:, 1:], joined, around.s_per_mbit[:, 1:])  # [N, M, 4]
        onward = self._onward_s(turn, around.size)  # [N, B]
        hop = (cost[:, :4] + self._no_return).view(n, 16)
        # A way leads to one of the satellites two hops away: what is known there is laid out along the ways.
        way = self._way.index_select(0, turn.satellite)  # [N, 16]
        way += torch.arange(0, n * n_second, n_second, device=way.device)[:, None]
        way = way.view(-1)
        rest = onward[:, :n_second].reshape(-1).index_select(0, way).view(n, 16)
        second = begin + (hop + rest).view(n, 4, 4).amin(2).masked_fill(around.is_destination, 0.0)
        if self.layout.loads is LoadView.neighbours:
            return LookAhead(first, second)

        relayed = torch.addcmul(around.relayed[:, 4:, 1], around.relayed[:, 4:, 0] + 1, around.size)
        relay_s = self.simulator.config.relay_s_per_mbit * relayed  # [N, U]
        beyond = cost[:, 4:] + onward[:, n_second:].view(n, n_second, 4)
        beyond += relay_s[..., None]
        ends = around.near[:, 4:] == turn.destination[:, None]
        beyond.masked_fill_(ends[..., None], 0.0)
        rest = take_rows(beyond.view(-1, 4), way).view(n, 4, 4, 4) + self._no_return
        third = begin + (hop + rest.amin(3).view(n, 16)).view(n, 4, 4).amin(2).masked_fill(
            around.is_destination, 0.0
        )
        return LookAhead(first, second, third, announced_s)

    def _direction_values(self, turn: Turn, around: _Surroundings, look: LookAhead) -> dict[str, Tensor]:
        size, own = around.size, around.own_loads
        s_per_mbit, propagation_s = around.link_s_per_mbit, around.link_propagation_s
        up = (s_per_mbit < DOWN_S_PER_MBIT).to(size.dtype)
        rho = self.simulator.config.relay_s_per_mbit
        relay_s = (rho * size).masked_fill(around.is_destination, 0.0)  # [N, 4]
        transmission_s = s_per_mbit * size
        alone_s = transmission_s + propagation_s + relay_s + around.cost_to_go_s
        best_alone = alone_s.masked_fill(~turn.legal, FORBIDDEN_S).amin(1, keepdim=True)
        best_first = look.first.masked_fill(~turn.legal, FORBIDDEN_S).amin(1, keepdim=True)
        values = {
            "legal": turn.legal.to(size.dtype),
            "up": up,
            "visited": turn.visited.to(size.dtype),
            "is_destination": around.is_destination.to(size.dtype),
            "transmission": transmission_s,
            "propagation": propagation_s,
            "length": propagation_s * LIGHT_KM_S,
            "link_packets": own[:, LINK_PACKETS],
            "link_mbit": own[:, LINK_MBIT],
            "relay_packets": around.relayed[:, :4, 0],
            "relay_mbit": around.relayed[:, :4, 1],
            "marginal_cost": around.marginal_s,
            "cost_to_go": around.cost_to_go_s,
            "hops_to_destination": around.next_go[..., 2],
            "detour": alone_s - best_alone,
            "own_advantage": look.first - best_first,
            "prior": look.deepest,
        }
        if look.second is not None:
            back = self._return_link.expand(len(turn), 4, 1)
            packets, mbit = around.packets[:, :4], around.mbit[:, :4]  # on the neighbours' ISLs
            values |= {
                "return_packets": packets.gather(2, back).squeeze(2),
                "return_mbit": mbit.gather(2, back).squeeze(2),
                "onward_packets": packets.sum(2),
                "onward_mbit": mbit.sum(2),
                "onward_excess": look.second - look.first,
            }
            if look.third is not None:
                values["beyond_excess"] = look.third - look.second
            if around.announced is not None and look.announced_s is not None:
                packets, mbit = around.announced
                values |= {
                    "announced_packets": packets[:, 0],
                    "announced_mbit": mbit[:, 0],
                    "announced_excess": look.announced_s,
                }
        return values
