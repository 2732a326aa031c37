"""What the views for other libraries (PettingZoo, Gymnasium) have in common: routing worlds in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from envs.config import EnvironmentConfig, TaskConfig, require
from envs.constellation import CONSTELLATIONS
from envs.day import DayConfig
from envs.delay import charged_delays, packet_delays
from envs.ephemeris import Ephemeris
from envs.links import EbN0Link
from envs.observation import Observer
from envs.observation_layout import ObservationLayout
from envs.scenario import Part, Scenario
from envs.simulator import HOLD, RoutingSimulator
from envs.state import PACKET_FEATURES, SUMMARY_FEATURES, global_state

N_ACTIONS = HOLD + 1
"""Fore, aft, left, right, hold."""
NOBODY = -1
"""`holder` of a packet that is not to be decided on."""

DEFAULT_SCENARIO = Scenario(
    constellation=CONSTELLATIONS["walker_12x24"],
    link=EbN0Link(),
    day=DayConfig(),
    task=TaskConfig(),
    environment=EnvironmentConfig(),
)


@dataclass(frozen=True)
class Due:
    """The decisions due: packet, satellite [N] int64; observation [N, F] float32; mask [N, 5] int8, never with hold."""

    packet: np.ndarray
    satellite: np.ndarray
    observation: np.ndarray
    mask: np.ndarray

    def spread(self, place: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Observations [n, F] and masks [n, 5] of n places where decision i is due at `place[i]`.

        Elsewhere the observation is zero and only hold is legal.
        """
        observation = np.zeros((n, self.observation.shape[1]), np.float32)
        mask = np.zeros((n, N_ACTIONS), np.int8)
        mask[:, HOLD] = 1
        observation[place], mask[place] = self.observation, self.mask
        return observation, mask


def shared_ephemeris(scenario: Scenario, part: Part, ephemeris: Ephemeris | None) -> Ephemeris:
    """`ephemeris`, built anew if None; raises ConfigError when it is of another constellation than the scenario's."""
    if ephemeris is None:
        return scenario.ephemeris(part)
    made_for = ephemeris.topology.constellation
    require(
        made_for == scenario.constellation,
        "ephemeris",
        made_for.name,
        f"the scenario's is {scenario.constellation}",
    )
    return ephemeris


class SingleWorld:
    """Worlds of one scenario played one after the other.

    part: of the day, whose slots the worlds are drawn from.
    ephemeris: that of the scenario, where it is at hand already; built anew if None.
    """

    def __init__(self, scenario: Scenario, part: Part, ephemeris: Ephemeris | None) -> None:
        self.scenario = scenario
        self.ephemeris = shared_ephemeris(scenario, part, ephemeris)
        self.simulator = RoutingSimulator(self.ephemeris, scenario.environment)
        self.observer = Observer(self.simulator)
        self._random = torch.Generator()
        self._random.seed()  # other worlds each time until a seed is given

    @property
    def layout(self) -> ObservationLayout:
        return self.observer.layout

    @property
    def n_satellites(self) -> int:
        return self.ephemeris.n_satellites

    @property
    def n_packets(self) -> int:
        return 2 * self.scenario.task.n_tasks

    @property
    def strict(self) -> bool:
        return self.scenario.environment.strict

    @property
    def state_size(self) -> int:
        """Length of `state`."""
        return state_size(self.n_packets)

    def reset(self, seed: int | None) -> None:
        """Draw a new world; equal seeds give equal worlds, None the next one."""
        if seed is not None:
            self._random.manual_seed(int(seed))
        seed = int(torch.randint(2**62, (), generator=self._random))
        self.simulator.reset(self.scenario.worlds(self.ephemeris, 1, seed=seed))

    def due(self) -> Due:
        """The decisions due now; none when the world is finished."""
        turn = self.simulator.turn()
        mask = np.zeros((len(turn), N_ACTIONS), dtype=np.int8)
        mask[:, :HOLD] = turn.legal.cpu().numpy()
        return Due(
            packet=turn.packet.cpu().numpy(),
            satellite=turn.satellite.cpu().numpy(),
            observation=self.observer(turn).cpu().numpy(),
            mask=mask,
        )

    def step(self, action: np.ndarray) -> tuple[float, np.ndarray]:
        """Play `action` [N] (0..3, or 4 to hold) for the decisions due; returns the team's reward and credits [N]."""
        direction = torch.as_tensor(action, dtype=torch.long, device=self.simulator.device)
        outcome = self.simulator.step(self.simulator.turn(), direction)
        return float(outcome.team_reward[0]), outcome.credit.cpu().numpy()

    @property
    def terminated(self) -> bool:
        """No packet is on its way any more."""
        return bool(self.simulator.finished[0])

    @property
    def truncated(self) -> bool:
        """The time limit came first."""
        return bool(self.simulator.truncated[0])

    def state(self) -> np.ndarray:
        """The mixer's view: the rows of all packets one after the other, then the summary; [state_size] float32."""
        packets, summary = global_state(self.simulator)
        return torch.cat([packets.flatten(), summary.flatten()]).cpu().numpy()

    def outcome(self) -> dict[str, Any]:
        """How the episode went; see `outcomes`."""
        everything = outcomes(self.simulator, torch.zeros(1, dtype=torch.long, device=self.simulator.device))
        return {name: values[0].item() for name, values in everything.items()}


def outcomes(simulator: RoutingSimulator, index: Tensor) -> dict[str, np.ndarray]:
    """How the episodes of the worlds at `index` [M] long went, each [M]: what `info` says at the end of an episode.

    charged_delay_s counts undelivered packets as evaluation does (`envs.delay`).
    """
    sim, worlds = simulator, simulator.worlds.select(index)
    paths, delivered = sim.paths[index], sim.delivered[index]
    charged = charged_delays(sim.ephemeris, worlds, paths, delivered, sim.config.undelivered_factor)
    n_present = worlds.present.sum(1)
    values = {
        "total_delay_s": packet_delays(sim.ephemeris, worlds, paths).total_s.sum(1).double(),
        "charged_delay_s": charged.sum(1).double(),
        "delivered_share": (delivered.sum(1) / n_present).double(),
        "dropped": sim.dropped[index].sum(1),
        "mean_hops": (sim.hops[index].sum(1) / n_present).double(),
    }
    return {name: value.cpu().numpy() for name, value in values.items()}


def state_size(n_packets: int) -> int:
    """Length of a world's state vector: the rows of all packets, then the summary."""
    return n_packets * len(PACKET_FEATURES) + len(SUMMARY_FEATURES)


def joint_spaces(scenario: Scenario, n_satellites: int) -> tuple[spaces.Dict, spaces.MultiDiscrete]:
    """Observation and action space of one world as the Gymnasium views show it (see `envs.joint_env`)."""
    n_packets = 2 * scenario.task.n_tasks
    size = ObservationLayout.of(scenario.environment.loads).size
    observation = spaces.Dict(
        {
            "observation": spaces.Box(-np.inf, np.inf, (n_packets, size), np.float32),
            "action_mask": spaces.Box(0, 1, (n_packets, N_ACTIONS), np.int8),
            "holder": spaces.Box(NOBODY, n_satellites - 1, (n_packets,), np.int64),
            "state": spaces.Box(-np.inf, np.inf, (state_size(n_packets),), np.float32),
        }
    )
    return observation, spaces.MultiDiscrete(np.full(n_packets, N_ACTIONS))


def hold_if_illegal(
    action: np.ndarray, mask: np.ndarray, name: Callable[[int], str], strict: bool
) -> np.ndarray:
    """Actions [n] with hold in place of every illegal one; mask [n, 5]; `name` tells who the i-th is that acts.

    Raises ValueError naming the first illegal action if `strict`.
    """
    known = (action >= 0) & (action < N_ACTIONS)
    legal = known & (mask[np.arange(len(action)), np.where(known, action, HOLD)] > 0)
    if strict and not legal.all():
        first = int(np.argmin(legal))
        raise ValueError(
            f"illegal action {action[first]} of {name(first)}: legal are {np.flatnonzero(mask[first]).tolist()}"
        )
    return np.where(legal, action, HOLD)
