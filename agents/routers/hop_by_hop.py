"""The driver of the routers that decide hop by hop: they play the game with its masks, as satellites do."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from agents.routers.protocol import Routes
from envs.config import EnvironmentConfig
from envs.ephemeris import Ephemeris
from envs.simulator import RoutingSimulator, Turn
from envs.worlds import Worlds


class HopByHopRouter(ABC):
    """Every deciding satellite sends its packet in the legal direction of lowest score, ties to the first."""

    name: str
    draws = False
    """Whether scores are drawn at random, row by row: then no row may be one that does not decide (`Turn.decides`)."""

    def begin(self, simulator: RoutingSimulator) -> None:  # noqa: B027 (most have nothing to do)
        """Called once after the worlds are set up, before the first decision."""

    @abstractmethod
    def score(self, simulator: RoutingSimulator, turn: Turn) -> Tensor:
        """Cost of every direction, [N, 4]; values of illegal directions do not matter. No NaN."""

    def route(self, ephemeris: Ephemeris, worlds: Worlds, config: EnvironmentConfig) -> Routes:
        simulator = RoutingSimulator(ephemeris, config)
        simulator.reset(worlds)
        self.begin(simulator)
        # A game of small steps, of which torch does less around each. What outlives it was made before: tensors born
        # in inference mode may not be changed outside of it.
        with torch.inference_mode():
            next_turn = simulator.turn if self.draws else simulator.turn_unasked
            while len(turn := next_turn()):
                score = self.score(simulator, turn).clamp(max=torch.finfo(torch.float32).max)
                direction = score.masked_fill(~turn.legal, torch.inf).argmin(1)
                simulator.step(turn, direction, only_legal=True)
        return Routes(links=simulator.paths, delivered=simulator.delivered)
