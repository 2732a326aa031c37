"""Hop-by-hop routers that know nothing of costs or loads: chance and geometry."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.routers.hop_by_hop import HopByHopRouter
from envs.simulator import RoutingSimulator, Turn


class RandomRouter(HopByHopRouter):
    """A legal direction, uniformly at random."""

    name = "random"
    draws = True

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._generator = torch.Generator()

    def begin(self, simulator: RoutingSimulator) -> None:
        self._generator.manual_seed(self.seed)

    def score(self, simulator: RoutingSimulator, turn: Turn) -> Tensor:
        return torch.rand(len(turn), 4, generator=self._generator).to(simulator.device)


class GreedyGeographicRouter(HopByHopRouter):
    """The neighbour that is nearest to the destination in space."""

    name = "greedy"

    def begin(self, simulator: RoutingSimulator) -> None:
        if simulator.ephemeris.topology.position_km is None:
            raise ValueError("router 'greedy' needs positions: build the topology with keep_positions=True")

    def score(self, simulator: RoutingSimulator, turn: Turn) -> Tensor:
        position_km = simulator.ephemeris.topology.position_km
        assert position_km is not None
        slot = simulator.worlds.slot[turn.world]
        destination = simulator.worlds.destination.view(-1)[turn.packet]
        return (position_km[slot[:, None], turn.neighbour] - position_km[slot, destination][:, None]).norm(
            dim=2
        )
