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

from envs.announcements import AnnouncedTraffic
from envs.config import LoadView
from envs.constellation import OPPOSITE
from envs.ephemeris import DOWN_S_PER_MBIT
from envs.links import LIGHT_KM_S
from envs.observation_layout import CAP, SIZE_MBIT, ObservationLayout
from envs.rows import take_rows
from envs.simulator import (
    ARRIVED_PACKETS,
    LINK_MBIT,
    LINK_PACKETS,
    LOAD_COLUMNS,
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
_ROWS_IN_CACHE = 2048


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
    """Everything gathered once for the deciding satellites and their neighbours."""

    size: Tensor  # [N, 1]
    link_cost: Tensor  # [N, 8]
    own_loads: Tensor  # [N, L]
    next_loads: Tensor  # [N, 4, L] as broadcast
    next_go: Tensor  # [N, 4, 4] cost-to-go records of the neighbours
    is_destination: Tensor  # [N, 4] bool
    marginal_s: Tensor  # [N, 4]
    cost_to_go_s: Tensor  # [N, 4]
    announced: AnnouncedTraffic | None


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
        self._return_link = torch.tensor(OPPOSITE, device=device)[None, :, None]  # [1, 4, 1]

    def look_ahead(self, turn: Turn) -> LookAhead:
        """Look-ahead costs of a turn, as deep as the layout's view of the loads allows."""
        return self._look_ahead(turn, self._gather(turn))

    def __call__(self, turn: Turn) -> Tensor:
        """Observations [N, layout.size] of the satellites deciding in `turn`."""
        out = torch.empty(len(turn), self.layout.size, device=self.simulator.device)
        at_once = _ROWS_IN_CACHE if out.device.type == "cpu" else max(len(turn), 1)
        for rows, part in zip(out.split(at_once), turn.split(at_once), strict=True):
            self._observe(part, rows)
        return out

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
        link_cost = sim.link_cost.index_select(0, turn.slot_row + turn.satellite)  # [N, 8]
        own_loads = sim.loads.index_select(0, turn.node_row + turn.satellite)  # [N, L]
        next_node = (turn.node_row[:, None] + turn.neighbour).view(-1)
        next_loads = sim.broadcast_loads.index_select(0, next_node).view(-1, 4, LOAD_COLUMNS)  # [N, 4, L]
        next_go = self._cost_to_go(turn.goal_row, turn.neighbour)
        is_destination = turn.neighbour == turn.destination[:, None]

        joined = torch.addcmul(own_loads[:, LINK_MBIT], own_loads[:, LINK_PACKETS] + 1, size)
        relayed = torch.addcmul(next_loads[..., RELAYED_MBIT], next_loads[..., RELAYED_PACKETS] + 1, size)
        relay_s = (sim.config.relay_s_per_mbit * relayed).masked_fill(is_destination, 0.0)
        return _Surroundings(
            size=size,
            link_cost=link_cost,
            own_loads=own_loads,
            next_loads=next_loads,
            next_go=next_go,
            is_destination=is_destination,
            marginal_s=torch.addcmul(link_cost[:, 4:], joined, link_cost[:, :4]) + relay_s,
            cost_to_go_s=torch.addcmul(next_go[..., 1], next_go[..., 0], size),
            announced=None
            if sim.announcements is None
            else sim.announcements.to(turn.packet, turn.node_row, turn.size_mbit),
        )

    def _cost_to_go(self, goal_row: Tensor, satellite: Tensor) -> Tensor:
        """Cost-to-go records [N, M, 4] of `satellite` [N, M] for the packets whose rows begin at `goal_row` [N]."""
        row = (goal_row[:, None] + satellite).view(-1)
        return take_rows(self.simulator.ephemeris.cost_to_go, row).view(*satellite.shape, 4)

    def _link_costs(
        self, turn: Turn, satellite: Tensor, loads: Tensor, announced: AnnouncedTraffic | None
    ) -> Tensor:
        """Marginal cost in seconds of the outgoing ISLs of `satellite` [N, M] under `loads` [N, M, L]: [N, M, 4]."""
        row = (turn.slot_row[:, None] + satellite).view(-1)
        link_cost = self.simulator.link_cost.index_select(0, row).view(*satellite.shape, 8)
        size = turn.size_mbit[:, None, None]
        joined = torch.addcmul(loads[..., LINK_MBIT], loads[..., LINK_PACKETS] + 1, size)
        if announced is not None:
            joined = torch.add(joined, announced.joined_mbit(satellite), alpha=ANNOUNCED_WEIGHT)
        return torch.addcmul(link_cost[..., 4:], joined, link_cost[..., :4])

    def _look_ahead(self, turn: Turn, around: _Surroundings) -> LookAhead:
        first = around.marginal_s + around.cost_to_go_s
        if self.layout.loads is LoadView.own:
            return LookAhead(first)
        sim = self.simulator
        n = len(turn)
        rho = sim.config.relay_s_per_mbit
        size = turn.size_mbit[:, None]  # [N, 1]
        destination = turn.destination[:, None]
        second_node = sim.neighbours.index_select(0, turn.neighbour.view(-1)).view(n, 16)
        ends = second_node == destination
        hop = self._link_costs(turn, turn.neighbour, around.next_loads, around.announced).view(n, 16)
        hop = hop + self._no_return.view(16)
        go = self._cost_to_go(turn.goal_row, second_node)
        # How busy the relay at the turn is, nobody within reach knows: count it as empty.
        rest = torch.addcmul(go[..., 1], go[..., 0] + rho, size).masked_fill(ends, 0.0)
        begin, announced_s = around.marginal_s, None
        if around.announced is not None:
            joined = around.announced.joined_mbit(turn.satellite[:, None]).squeeze(1)
            announced_s = ANNOUNCED_WEIGHT * joined * around.link_cost[:, :4]
            begin = begin + announced_s
        second = begin + (hop + rest).view(n, 4, 4).amin(2).masked_fill(around.is_destination, 0.0)
        if self.layout.loads is LoadView.neighbours:
            return LookAhead(first, second)

        third_node = sim.neighbours.index_select(0, second_node.view(-1)).view(n, 64)
        next_node = (turn.node_row[:, None] + second_node).view(-1)
        loads = sim.broadcast_loads.index_select(0, next_node).view(n, 16, LOAD_COLUMNS)
        relayed = torch.addcmul(loads[..., RELAYED_MBIT], loads[..., RELAYED_PACKETS] + 1, size)
        beyond = self._link_costs(turn, second_node, loads, around.announced)  # [N, 16, 4]
        go = self._cost_to_go(turn.goal_row, third_node)
        rest = torch.addcmul(go[..., 1], go[..., 0] + rho, size).masked_fill(third_node == destination, 0.0)
        beyond = beyond + rest.view(n, 16, 4) + self._no_return.repeat(4, 1)
        rest = (rho * relayed + beyond.amin(2)).masked_fill(ends, 0.0)
        third = begin + (hop + rest).view(n, 4, 4).amin(2).masked_fill(around.is_destination, 0.0)
        return LookAhead(first, second, third, announced_s)

    def _direction_values(self, turn: Turn, around: _Surroundings, look: LookAhead) -> dict[str, Tensor]:
        size, own, ahead = around.size, around.own_loads, around.next_loads
        s_per_mbit, propagation_s = around.link_cost[:, :4], around.link_cost[:, 4:]
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
            "relay_packets": ahead[..., RELAYED_PACKETS],
            "relay_mbit": ahead[..., RELAYED_MBIT],
            "marginal_cost": around.marginal_s,
            "cost_to_go": around.cost_to_go_s,
            "hops_to_destination": around.next_go[..., 2],
            "detour": alone_s - best_alone,
            "own_advantage": look.first - best_first,
            "prior": look.deepest,
        }
        if look.second is not None:
            back = self._return_link.expand(len(turn), 4, 1)
            onward = ahead[..., : LINK_MBIT.stop].unflatten(2, (2, 4)).sum(3)  # [N, 4, (packets, Mbit)]
            values |= {
                "return_packets": ahead.gather(2, back).squeeze(2),
                "return_mbit": ahead.gather(2, back + LINK_MBIT.start).squeeze(2),
                "onward_packets": onward[..., 0],
                "onward_mbit": onward[..., 1],
                "onward_excess": look.second - look.first,
            }
            if look.third is not None:
                values["beyond_excess"] = look.third - look.second
            if around.announced is not None and look.announced_s is not None:
                packets, mbit = around.announced.packets_and_mbit(turn.satellite[:, None])
                values |= {
                    "announced_packets": packets.squeeze(1),
                    "announced_mbit": mbit.squeeze(1),
                    "announced_excess": look.announced_s,
                }
        return values
