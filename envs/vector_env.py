"""Many worlds at once for Gymnasium: `gymnasium.make_vec("leomix/Routing-v0", num_envs=64)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from envs.config import require
from envs.ephemeris import Ephemeris
from envs.observation import Observer
from envs.render_mode import HUMAN, open_view
from envs.restarting import RestartingSimulator
from envs.scenario import Part, Scenario
from envs.simulator import HOLD, Turn
from envs.single_world import (
    DEFAULT_SCENARIO,
    N_ACTIONS,
    NOBODY,
    hold_if_illegal,
    joint_spaces,
    outcomes,
    shared_ephemeris,
)
from envs.state import global_state

Observations = dict[str, np.ndarray]


class RoutingVectorEnv(VectorEnv[Observations, np.ndarray, np.ndarray]):
    """E worlds of `envs.joint_env.RoutingJointEnv` side by side in one simulator, each with its own episodes.

    Observations, actions, rewards and infos are those of E joint environments under `gymnasium.vector.SyncVectorEnv`
    with the same seed: arrays get a first axis E, and every array in `infos` has a twin `_name` [E] bool that says for
    which worlds it holds.

    autoreset_mode: when a world that has ended begins anew. NEXT_STEP (default): in the following step, whose action is
        ignored. SAME_STEP: at once; how the old episode ended is in `infos["final_obs"]` and `infos["final_info"]`.
        DISABLED: by `reset(options={"reset_mask": mask})`.
    The simulator runs where `ephemeris` is, on a GPU for instance; arrays are always NumPy's.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 4}  # noqa: RUF012 (as Gymnasium has it: instances add their own)

    def __init__(
        self,
        num_envs: int = 1,
        scenario: Scenario = DEFAULT_SCENARIO,
        *,
        part: Part = "training",
        ephemeris: Ephemeris | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        require(num_envs >= 1, "num_envs", num_envs, "at least 1")
        require(
            render_mode != HUMAN, "render_mode", render_mode, "many worlds have no window: rgb_array, or None"
        )
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}
        self.num_envs = num_envs
        self.scenario = scenario
        self.ephemeris = shared_ephemeris(scenario, part, ephemeris)
        self.simulator = RestartingSimulator(self.ephemeris, scenario.environment)
        self.observer = Observer(self.simulator)
        self.single_observation_space, self.single_action_space = joint_spaces(
            scenario, self.ephemeris.n_satellites
        )
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.n_packets = 2 * scenario.task.n_tasks
        self.render_mode = render_mode
        self._view = open_view(render_mode, self.ephemeris)
        self._random = [torch.Generator() for _ in range(num_envs)]
        for generator in self._random:
            generator.seed()  # other worlds each time until a seed is given
        self._over = np.ones(
            num_envs, bool
        )  # [E] nothing to step: before the first reset, or at an episode's end
        self._observation: Observations | None = None

    # ---------------------------------------------------------------- Gymnasium

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observations, dict[str, Any]]:
        """Start new worlds, all of them or those where `options["reset_mask"]` [E] is True.

        seed: world e gets seed + e, or the e-th of a list; None draws on.
        Raises ValueError for a list or a mask that does not fit.
        """
        super().reset(seed=seed if isinstance(seed, int) else None)
        seeds = self._seeds(seed)
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, bool))
        if np.shape(mask) != (self.num_envs,) or np.asarray(mask).dtype != bool or not np.any(mask):
            raise ValueError(f"reset_mask must be {self.num_envs} booleans, at least one of them True")
        if self._observation is None and not mask.all():
            raise RuntimeError("the first reset must start all worlds: leave out reset_mask")
        for generator, one, chosen in zip(self._random, seeds, mask, strict=True):
            if chosen and one is not None:
                generator.manual_seed(int(one))
        if mask.all():
            self.simulator.reset(self._draw(np.arange(self.num_envs)))
        else:
            self._restart(mask)
        self._over = np.where(mask, False, self._over)
        self._observation = self._observe()
        return self._copy(), self._infos(mask)

    def step(
        self, actions: np.ndarray
    ) -> tuple[Observations, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One step of all worlds with `actions` [E, P].

        Raises RuntimeError when there is no world to step and, if `strict`, ValueError for an illegal action.
        """
        waiting = self._over
        if self._observation is None:
            raise RuntimeError("no world has begun: call reset() first")
        if self.autoreset_mode is AutoresetMode.DISABLED and waiting.any():
            raise RuntimeError(
                f"world {int(waiting.argmax())} is over: call reset(options={{'reset_mask': ...}}) first"
            )
        rewards, credit = self._play(np.asarray(actions), ~waiting)
        if waiting.any():  # only with NEXT_STEP
            self._restart(waiting)
        terminated = self.simulator.finished.cpu().numpy() & ~waiting
        truncated = self.simulator.truncated.cpu().numpy() & ~waiting
        over = terminated | truncated
        if self.autoreset_mode is AutoresetMode.SAME_STEP and over.any():
            final = self._final(over, truncated, credit)
            self._restart(over)
            self._observation = self._observe()
            infos = self._infos(np.ones(self.num_envs, bool), credit * ~over[:, None]) | final
        else:
            self._over = over
            self._observation = self._observe()
            infos = self._infos(np.ones(self.num_envs, bool), credit) | self._outcomes(over)
        return self._copy(), rewards, terminated, truncated, infos

    def render(self) -> tuple[np.ndarray, ...]:
        """A picture [720, 1280, 3] uint8 of every world."""
        frames = (self._view.render(self.simulator, world) for world in range(self.num_envs))
        return tuple(frame for frame in frames if frame is not None)

    # ---------------------------------------------------------------- parts

    def _seeds(self, seed: int | Sequence[int | None] | None) -> Sequence[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int):
            return [seed + number for number in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise ValueError(f"{len(seed)} seeds for {self.num_envs} worlds: give one for each")
        return seed

    def _draw(self, worlds: np.ndarray):
        """New worlds for those at `worlds` [M]; each draws from its own stream, as it would alone."""
        seeds = [int(torch.randint(2**62, (), generator=self._random[world])) for world in worlds]
        return self.scenario.worlds(self.ephemeris, len(seeds), seed=seeds)

    def _restart(self, mask: np.ndarray) -> None:
        worlds = np.flatnonzero(mask)
        self.simulator.restart(torch.as_tensor(worlds, device=self.simulator.device), self._draw(worlds))

    def _play(self, actions: np.ndarray, playing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Step the worlds where `playing` [E]: rewards [E] and credits [E, P], zero for the others."""
        if actions.shape != (self.num_envs, self.n_packets):
            raise ValueError(f"actions have shape {actions.shape}, not {(self.num_envs, self.n_packets)}")
        packets = self.n_packets
        numbers = np.flatnonzero(playing)
        chosen = np.full(actions.shape, HOLD)
        chosen[playing] = hold_if_illegal(
            actions[playing].reshape(-1),
            self._masks[playing].reshape(-1, N_ACTIONS),
            lambda i: f"packet {i % packets} of world {numbers[i // packets]}",
            self.scenario.environment.strict,
        ).reshape(-1, packets)
        turn = self._rows(self.simulator.turn(), playing)
        direction = torch.as_tensor(chosen.reshape(-1), device=self.simulator.device)[turn.packet]
        outcome = self.simulator.step(turn, direction)
        credit = torch.zeros(self.num_envs * packets, device=self.simulator.device)
        credit[turn.packet] = outcome.credit
        return outcome.team_reward.double().cpu().numpy(), credit.view(-1, packets).cpu().numpy()

    def _rows(self, turn: Turn, worlds: np.ndarray) -> Turn:
        """The decisions of `turn` in the worlds where `worlds` [E]."""
        if worlds.all():
            return turn
        among = torch.as_tensor(worlds, device=self.simulator.device)[turn.world]
        return turn.select(among.nonzero().squeeze(1))

    def _observe(self) -> Observations:
        return self._observation_of(self.simulator.turn(), np.arange(self.num_envs))

    def _observation_of(self, turn: Turn | None, worlds: np.ndarray) -> Observations:
        """What the worlds at `worlds` [M] show, whose decisions due are `turn` (None: there is none); [M, ...]."""
        n_rows = len(worlds) * self.n_packets
        rows = np.zeros((n_rows, self.observer.layout.size), np.float32)
        masks = np.zeros((n_rows, N_ACTIONS), np.int8)
        masks[:, HOLD] = 1
        holder = np.full(n_rows, NOBODY)
        if turn is not None and len(turn):
            place = np.zeros(self.num_envs, np.int64)
            place[worlds] = np.arange(len(worlds))
            packet = turn.packet.cpu().numpy()
            row = place[packet // self.n_packets] * self.n_packets + packet % self.n_packets
            rows[row] = self.observer(turn).cpu().numpy()
            masks[row, :HOLD] = turn.legal.cpu().numpy()
            masks[row, HOLD] = 0
            holder[row] = turn.satellite.cpu().numpy()
        packets, summary = global_state(self.simulator)
        state = torch.cat([packets.flatten(1), summary], 1)
        shape = (len(worlds), self.n_packets)
        return {
            "observation": rows.reshape(*shape, -1),
            "action_mask": masks.reshape(*shape, N_ACTIONS),
            "holder": holder.reshape(shape),
            "state": state[torch.as_tensor(worlds, device=state.device)].cpu().numpy(),
        }

    @property
    def _masks(self) -> np.ndarray:
        assert self._observation is not None
        return self._observation["action_mask"]

    def _copy(self) -> Observations:
        """Observations that callers may do with as they like; the masks are still needed here."""
        assert self._observation is not None
        return self._observation | {"action_mask": self._masks.copy()}

    def _infos(self, mask: np.ndarray, credit: np.ndarray | None = None) -> dict[str, Any]:
        """What infos have in every step of the worlds where `mask` [E]; zero for the others."""
        if credit is None:
            credit = np.zeros((self.num_envs, self.n_packets), np.float32)
        masks = self._masks * mask[:, None, None].astype(np.int8)
        return {"credit": credit, "_credit": mask.copy(), "action_mask": masks, "_action_mask": mask.copy()}

    def _outcomes(self, over: np.ndarray) -> dict[str, Any]:
        """How the episodes ended where `over` [E]; nothing where none did."""
        if not over.any():
            return {}
        infos: dict[str, Any] = {}
        index = torch.as_tensor(np.flatnonzero(over), device=self.simulator.device)
        for name, values in outcomes(self.simulator, index).items():
            infos[name] = np.zeros(self.num_envs, values.dtype)
            infos[name][over] = values
            infos[f"_{name}"] = over.copy()
        return infos

    def _final(self, over: np.ndarray, truncated: np.ndarray, credit: np.ndarray) -> dict[str, Any]:
        """`final_obs` and `final_info` of the worlds where `over` [E], in Gymnasium's convention."""
        # Nobody decides in a terminated world; asking for the turn is only needed where time ran out.
        turn = self._rows(self.simulator.turn(), over) if truncated.any() else None
        worlds = np.flatnonzero(over)
        last = self._observation_of(turn, worlds)
        final_obs = np.full(self.num_envs, None, dtype=object)
        for row, world in enumerate(worlds):
            final_obs[world] = {name: values[row] for name, values in last.items()}
        masks = np.zeros((self.num_envs, self.n_packets, N_ACTIONS), np.int8)
        masks[over] = last["action_mask"]
        final_info = {
            "credit": credit * over[:, None],
            "_credit": over.copy(),
            "action_mask": masks,
            "_action_mask": over.copy(),
            **self._outcomes(over),
        }
        return {
            "final_obs": final_obs,
            "_final_obs": over.copy(),
            "final_info": final_info,
            "_final_info": over.copy(),
        }
