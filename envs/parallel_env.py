"""The routing game for PettingZoo: every satellite is an agent, one world at a time."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from envs.config import Reward
from envs.ephemeris import Ephemeris
from envs.render_mode import HUMAN, open_view
from envs.scenario import Part, Scenario
from envs.simulator import HOLD
from envs.single_world import DEFAULT_SCENARIO, N_ACTIONS, Due, SingleWorld, hold_if_illegal

Observation = dict[str, np.ndarray]


class RoutingParallelEnv(ParallelEnv[str, Observation, int]):
    """Parallel environment of `sat_000`, `sat_001`, ...: all agents stay until the episode ends for all of them.

    Observation: `observation` [F] float32 (layout in docs/environment.md) and `action_mask` [5] int8. A satellite that
    has nothing to decide sees zeros (`carries_packet` is 0) and may only hold. Actions: 0 fore, 1 aft, 2 left, 3 right,
    4 hold; an illegal one is taken as hold, with `environment.strict` it raises ValueError.
    Rewards: each agent the team's, or with `difference` its own packet's marginal cost. When the episode ends every
    agent's info has `total_delay_s`, `charged_delay_s`, `delivered_share`, `dropped` and `mean_hops`.

    Each reset draws a new world of `scenario` in the slots of one `part` of the day; equal seeds give equal worlds.
    `ephemeris` is that of the scenario where it is at hand already, as when many environments share one.
    `render_mode` is `rgb_array` or `human`, a window.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "name": "leomix_routing_v0",
        "render_modes": ["human", "rgb_array"],
        "render_fps": 4,
    }

    def __init__(
        self,
        scenario: Scenario = DEFAULT_SCENARIO,
        *,
        part: Part = "training",
        ephemeris: Ephemeris | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.world = SingleWorld(scenario, part, ephemeris)
        self.render_mode = render_mode
        self._view = open_view(render_mode, self.world.ephemeris)
        digits = max(3, len(str(self.world.n_satellites - 1)))
        self.possible_agents = [f"sat_{number:0{digits}d}" for number in range(self.world.n_satellites)]
        self.agents: list[str] = []
        self._number = {agent: number for number, agent in enumerate(self.possible_agents)}
        size = self.world.layout.size
        self._observation_spaces = {
            agent: spaces.Dict(
                {
                    "observation": spaces.Box(-np.inf, np.inf, (size,), np.float32),
                    "action_mask": spaces.Box(0, 1, (N_ACTIONS,), np.int8),
                }
            )
            for agent in self.possible_agents
        }
        self._action_spaces = {agent: spaces.Discrete(N_ACTIONS) for agent in self.possible_agents}
        self.state_space = spaces.Box(-np.inf, np.inf, (self.world.state_size,), np.float32)

    def observation_space(self, agent: str) -> spaces.Dict:
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Discrete:
        return self._action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Start a new world. No options are known."""
        self.world.reset(seed)
        self.agents = list(self.possible_agents)
        observations = self._observe()
        if self.render_mode == HUMAN:
            self.render()
        return observations, {agent: {} for agent in self.agents}

    def step(
        self, actions: dict[str, int]
    ) -> tuple[
        dict[str, Observation],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """One step of all agents; an agent that is not in `actions` holds.

        Raises RuntimeError when the episode is over, ValueError for an unknown agent and, if `strict`, for an illegal
        action.
        """
        if not self.agents:
            raise RuntimeError("the episode is over: call reset() first")
        due = self._due
        reward, credit = self.world.step(self._chosen(actions)[due.satellite])
        terminated, truncated = self.world.terminated, self.world.truncated
        agents = self.possible_agents
        if self.world.scenario.environment.reward.kind is Reward.difference:
            rewards = dict.fromkeys(agents, 0.0)
            for satellite, paid in zip(due.satellite.tolist(), credit.tolist(), strict=True):
                rewards[agents[satellite]] = paid
        else:
            rewards = dict.fromkeys(agents, reward)
        over = terminated or truncated
        outcome = self.world.outcome() if over else {}
        observations = self._observe()
        if over:
            self.agents = []
        if self.render_mode == HUMAN:
            self.render()
        return (
            observations,
            rewards,
            dict.fromkeys(agents, terminated),
            dict.fromkeys(agents, truncated),
            {agent: dict(outcome) for agent in agents},
        )

    def state(self) -> np.ndarray:
        """The global state for a mixer, [state_space.shape] float32: rows of all packets, then the summary."""
        return self.world.state()

    def render(self) -> np.ndarray | None:
        """The world as it is: a picture [720, 1280, 3] uint8 with `rgb_array`, with `human` shown in a window."""
        return self._view.render(self.world.simulator)

    def close(self) -> None:
        self._view.close()

    def _observe(self) -> dict[str, Observation]:
        self._due: Due = self.world.due()
        rows, masks = self._due.spread(self._due.satellite, len(self.possible_agents))  # [V, F], [V, 5]
        self._masks = masks.copy()  # callers may do as they like with theirs
        return {
            agent: {"observation": row, "action_mask": mask}
            for agent, row, mask in zip(self.possible_agents, rows, masks, strict=True)
        }

    def _chosen(self, actions: dict[str, int]) -> np.ndarray:
        """Actions of all satellites, [V]."""
        unknown = actions.keys() - self._number.keys()
        if unknown:
            raise ValueError(f"unknown agents {sorted(unknown)[:3]}: they are {self.possible_agents[0]}, ...")
        chosen = np.full(len(self.possible_agents), HOLD)
        chosen[[self._number[agent] for agent in actions]] = list(actions.values())
        return hold_if_illegal(chosen, self._masks, self.possible_agents.__getitem__, self.world.strict)
