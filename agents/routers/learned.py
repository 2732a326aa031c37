"""The learned policy as a router: every satellite plays greedily what the utility network thinks of its view."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from agents.policy import Policy, PolicyError
from agents.routers.hop_by_hop import HopByHopRouter
from agents.routers.protocol import Routes
from envs.config import EnvironmentConfig, LoadView
from envs.ephemeris import Ephemeris
from envs.observation import Observer
from envs.observation_layout import ObservationLayout
from envs.simulator import RoutingSimulator, Turn
from envs.worlds import Worlds


class LearnedRouter(HopByHopRouter):
    """Acts on the observations that the policy was trained on, whatever view of the loads the worlds are set to.

    Raises PolicyError when this version cannot produce these observations.
    """

    name = "learned"

    def __init__(self, policy: Policy) -> None:
        known = {layout.name: layout for layout in map(ObservationLayout.of, LoadView)}
        if policy.observation not in known or known[policy.observation].size != policy.spec.observation_size:
            raise PolicyError(
                f"the policy reads observations {policy.observation!r} of {policy.spec.observation_size} values, "
                f"this version makes {', '.join(f'{name!r} of {x.size}' for name, x in known.items())}: "
                "train a new policy, or use the version that wrote it"
            )
        self.policy = policy
        self._loads = known[policy.observation].loads

    def route(self, ephemeris: Ephemeris, worlds: Worlds, config: EnvironmentConfig) -> Routes:
        return super().route(ephemeris, worlds, replace(config, loads=self._loads))

    def begin(self, simulator: RoutingSimulator) -> None:
        self._observer = Observer(simulator)
        self._utility = self.policy.utility.to(simulator.device)

    def score(self, simulator: RoutingSimulator, turn: Turn) -> Tensor:
        # Part by part, so that what is observed is still in the cache when it is judged.
        parts = self._observer.parts(turn)
        return -torch.cat([self._utility.judge(self._observer(part)) for part in parts])
