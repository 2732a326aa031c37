"""Real decisions of a policy: what it saw, what was legal and what it thought, on worlds of its own scenario."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from agents.policy import Policy
from envs.config import EnvironmentConfig, LoadView
from envs.ephemeris import Ephemeris
from envs.observation import Observer
from envs.observation_layout import ObservationLayout
from envs.simulator import RoutingSimulator
from envs.worlds import Worlds


@dataclass(frozen=True)
class RecordedDecisions:
    """R decisions in the order played: observation [R, F] float32, legal [R, 4] bool, q [R, 4] float32, of torch."""

    observation: np.ndarray
    legal: np.ndarray
    q: np.ndarray

    def __len__(self) -> int:
        return len(self.q)


def loads_of(observation: str) -> LoadView:
    """The view of the loads that the layout named `observation` is of; raises ValueError when this version has none."""
    return {ObservationLayout.of(loads).name: loads for loads in LoadView}[observation]


@torch.no_grad()
def record_decisions(
    policy: Policy, ephemeris: Ephemeris, worlds: Worlds, environment: EnvironmentConfig
) -> RecordedDecisions:
    """Play `worlds` greedily with `policy` in torch and write down every decision."""
    simulator = RoutingSimulator(ephemeris, replace(environment, loads=loads_of(policy.observation)))
    simulator.reset(worlds)
    observer = Observer(simulator)
    rows = []
    while len(turn := simulator.turn()):
        observation = observer(turn)
        q = policy.utility(observation)
        rows.append((observation, turn.legal, q))
        simulator.step(turn, q.masked_fill(~turn.legal, -torch.inf).argmax(1))
    return RecordedDecisions(*(torch.cat(column).cpu().numpy() for column in zip(*rows, strict=True)))
