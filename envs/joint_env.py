"""The routing game for Gymnasium: one controller decides for all packets of a world; `leomix/Routing-v0`."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np

from envs.ephemeris import Ephemeris
from envs.render_mode import HUMAN, open_view
from envs.scenario import Part, Scenario
from envs.single_world import DEFAULT_SCENARIO, NOBODY, Due, SingleWorld, hold_if_illegal, joint_spaces


class RoutingJointEnv(gymnasium.Env[dict[str, np.ndarray], np.ndarray]):
    """Joint environment over the P packets of one world.

    Observation: `observation` [P, F] float32 (layout in docs/environment.md), `action_mask` [P, 5] int8, `holder` [P]
    int64, `state` [S] float32. A packet that is not to be decided on (waiting, arrived, dropped) has a row of zeros,
    only hold in its mask and -1 as holder; else `holder` is the satellite that decides.
    Actions: [P], 0 fore, 1 aft, 2 left, 3 right, 4 hold; an illegal one is taken as hold, with `environment.strict` it
    raises ValueError. Reward: the team's. `info` has `action_mask` too; `info["credit"]` [P] has each
    packet's marginal cost; at the end come `total_delay_s`, `charged_delay_s`, `delivered_share`,
    `dropped` and `mean_hops`.

    `gymnasium.make_vec("leomix/Routing-v0", num_envs=64)` makes an `envs.vector_env.RoutingVectorEnv`, which plays all
    worlds at once.

    Each reset draws a new world of `scenario` in the slots of one `part` of the day; equal seeds give equal worlds.
    `ephemeris` is that of the scenario where it is at hand already, as when many environments share one.
    `render_mode` is `rgb_array` or `human`, a window.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["human", "rgb_array"], "render_fps": 4}

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
        self.observation_space, self.action_space = joint_spaces(scenario, self.world.n_satellites)
        self._due: Due | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Start a new world. No options are known."""
        super().reset(seed=seed)
        self.world.reset(seed)
        observation = self._observe()
        if self.render_mode == HUMAN:
            self.render()
        return observation, self._info()

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """One step with `action` [P].

        Raises RuntimeError when the episode is over and, if `strict`, ValueError for an illegal action.
        """
        due = self._due
        if due is None:
            raise RuntimeError("the episode is over: call reset() first")
        chosen = hold_if_illegal(np.asarray(action), self._masks, "packet {}".format, self.world.strict)
        reward, credit = self.world.step(chosen[due.packet])
        observation = self._observe()
        info = self._info()
        info["credit"][due.packet] = credit
        terminated, truncated = self.world.terminated, self.world.truncated
        if terminated or truncated:
            info |= self.world.outcome()
            self._due = None
        if self.render_mode == HUMAN:
            self.render()
        return observation, reward, terminated, truncated, info

    def render(self) -> np.ndarray | None:
        """The world as it is: a picture [720, 1280, 3] uint8 with `rgb_array`, with `human` shown in a window."""
        return self._view.render(self.world.simulator)

    def close(self) -> None:
        self._view.close()

    def _info(self) -> dict[str, Any]:
        """What info has in every step; nothing is credited yet."""
        return {"credit": np.zeros(self.world.n_packets, np.float32), "action_mask": self._masks.copy()}

    def _observe(self) -> dict[str, np.ndarray]:
        self._due = due = self.world.due()
        rows, masks = due.spread(due.packet, self.world.n_packets)  # [P, F], [P, 5]
        self._masks = masks.copy()  # callers may do as they like with theirs
        holder = np.full(self.world.n_packets, NOBODY)  # [P]
        holder[due.packet] = due.satellite
        return {"observation": rows, "action_mask": masks, "holder": holder, "state": self.world.state()}


gymnasium.register(
    id="leomix/Routing-v0",
    entry_point="envs.joint_env:RoutingJointEnv",
    vector_entry_point="envs.vector_env:RoutingVectorEnv",
)
