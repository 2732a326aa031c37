"""Look-ahead routers: local heuristics that weigh loads nearby against the uncongested way home.

The score of a direction is what the packet's next `depth` hops, the best ones onward, would add to
everybody's delay at the present loads (see `congestion` for the marginal cost of a hop), plus the
uncongested delay from there on, which every satellite knows from the ephemeris. They are the strongest
local rivals of a learned policy.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agents.routers.hop_by_hop import HopByHopRouter
from envs.constellation import OPPOSITE
from envs.simulator import LINK_MBIT, LINK_PACKETS, RELAYED_MBIT, RELAYED_PACKETS, RoutingSimulator, Turn


class LookAheadRouter(HopByHopRouter):
    """Looks `depth` hops ahead, never straight back.

    What it knows is what the observation's load views grant: 1 its own links' loads and the counters of
    adjacent relays (view `own`); 2 also the loads of the neighbours' links (`neighbours`); 3 also those of
    satellites two hops away (`two_hop`). Loads of others arrive by broadcast,
    `EnvironmentConfig.broadcast_delay_steps` late. A relay whose counters are unknown counts as idle.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.name = f"look_ahead_{depth}"

    def begin(self, simulator: RoutingSimulator) -> None:
        back = torch.eye(4, dtype=torch.bool)[list(OPPOSITE)]  # [4, 4]: first direction, next direction
        self._straight_back = back.to(simulator.device)

    def score(self, simulator: RoutingSimulator, turn: Turn) -> Tensor:
        return self._hop(simulator, turn.packet, turn.satellite, self.depth, simulator.loads)

    def _hop(
        self, simulator: RoutingSimulator, packet: Tensor, satellite: Tensor, depth: int, loads: Tensor
    ) -> Tensor:
        """Estimated cost of leaving `satellite` [M] with `packet` [M] in each direction, [M, 4] seconds.

        loads: what is known of the loads of `satellite`'s own links.
        """
        worlds, ephemeris = simulator.worlds, simulator.ephemeris
        world = packet.div(worlds.n_packets, rounding_mode="floor")
        slot = worlds.slot[world]
        size = worlds.size_mbit.view(-1)[packet][:, None]
        destination = worlds.destination.view(-1)[packet][:, None]
        ahead = ephemeris.topology.neighbours[satellite]  # [M, 4]
        arrives = ahead == destination

        own = loads[world * ephemeris.n_satellites + satellite]  # [M, load columns]
        link = slot * ephemeris.n_satellites + satellite
        joined = (own[:, LINK_PACKETS] + 1) * size + own[:, LINK_MBIT]
        hop = joined * ephemeris.link_s_per_mbit[link] + ephemeris.link_propagation_s[link]

        relay = size.expand_as(hop)
        if depth > 1 or self.depth == 1:
            known = simulator.broadcast_loads[world[:, None] * ephemeris.n_satellites + ahead]
            relay = (known[..., RELAYED_PACKETS] + 1) * size + known[..., RELAYED_MBIT]
        onward = ephemeris.relay_s_per_mbit * relay + (
            self._best_onward(simulator, packet, ahead, depth - 1)
            if depth > 1
            else ephemeris.cost_to_go_s(slot[:, None], destination, ahead, size)
        )
        return hop + onward.masked_fill(arrives, 0.0)

    def _best_onward(self, simulator: RoutingSimulator, packet: Tensor, ahead: Tensor, depth: int) -> Tensor:
        """Estimated cost of the best way onward from each neighbour `ahead` [M, 4], [M, 4] seconds."""
        cost = self._hop(
            simulator, packet.repeat_interleave(4), ahead.reshape(-1), depth, simulator.broadcast_loads
        ).view(-1, 4, 4)
        return cost.masked_fill(self._straight_back, torch.inf).amin(2)
