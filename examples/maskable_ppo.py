"""Train LEOMix's routing game with an outside library: MaskablePPO of sb3-contrib, and no change to the environment.

    pip install -e '.[examples]' && python examples/maskable_ppo.py [--updates 120] [--tasks 8] [--seed 0]

Every packet of every world is one environment to Stable-Baselines3: it sees what the satellite sees that holds the
packet, may do what the mask allows, and is paid its own hop's credit: minus what the hop adds to everybody's delay. All
of them share one policy. At the end the policy routes held-out worlds beside the routers that come with LEOMix.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from rich.console import Console
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import VecEnv

import envs.joint_env  # noqa: F401 (registers leomix/Routing-v0)
from agents.evaluation import compare, table
from agents.routers import ROUTERS
from agents.routers.hop_by_hop import HopByHopRouter
from envs.config import TaskConfig
from envs.observation import Observer
from envs.simulator import HOLD
from envs.single_world import DEFAULT_SCENARIO

CREDIT_S = 3.0
"""Credits are seconds; the value network likes numbers of order one."""


class PacketsAsEnvironments(VecEnv):
    """`num_envs` worlds of P packets as num_envs * P environments of Stable-Baselines3.

    The episode of a packet lasts as long as its world's. While others are decided on, it may only hold.
    """

    def __init__(self, worlds: gymnasium.vector.VectorEnv) -> None:
        self.worlds = worlds
        assert isinstance(worlds.single_observation_space, spaces.Dict)
        rows = worlds.single_observation_space["observation"]
        assert isinstance(rows, spaces.Box)
        self.n_packets, size = rows.shape
        self._masks = np.ones((worlds.num_envs * self.n_packets, HOLD + 1), bool)
        super().__init__(
            worlds.num_envs * self.n_packets,
            spaces.Box(-np.inf, np.inf, (size,), np.float32),
            spaces.Discrete(HOLD + 1),
        )

    def reset(self) -> np.ndarray:
        seed = self._seeds[0]
        self._reset_seeds()
        observations, _ = self.worlds.reset(seed=seed)
        return self._rows(observations)

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions.reshape(-1, self.n_packets)

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        observations, _, terminated, truncated, info = self.worlds.step(self._actions)
        over = terminated | truncated
        credit = info["credit"]
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if over.any():
            credit = np.where(over[:, None], info["final_info"]["credit"], credit)
            for world in np.flatnonzero(over):
                last = info["final_obs"][world]["observation"]
                for packet in range(self.n_packets):
                    infos[world * self.n_packets + packet] = {
                        "terminal_observation": last[packet],
                        "TimeLimit.truncated": bool(truncated[world]),
                    }
        done = over.repeat(self.n_packets)
        return self._rows(observations), credit.reshape(-1) / CREDIT_S, done, infos

    def _rows(self, observations: dict[str, np.ndarray]) -> np.ndarray:
        self._masks = observations["action_mask"].reshape(self.num_envs, -1).astype(bool)
        return observations["observation"].reshape(self.num_envs, -1)

    # What Stable-Baselines3 asks of a vector environment besides; MaskablePPO asks for `action_masks`.

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [{"action_masks": self._masks, "render_mode": None}[attr_name]] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise AttributeError(f"{attr_name} cannot be set")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        assert method_name == "action_masks", method_name
        return list(self._masks)

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs

    def close(self) -> None:
        self.worlds.close()

    def has_attr(self, attr_name: str) -> bool:
        return attr_name in ("action_masks", "render_mode")


class PPORouter(HopByHopRouter):
    """The trained policy, played greedily."""

    name = "maskable_ppo"

    def __init__(self, model: MaskablePPO) -> None:
        self.policy = model.policy

    def begin(self, simulator) -> None:
        self._observer = Observer(simulator)

    @torch.no_grad()
    def score(self, simulator, turn) -> torch.Tensor:
        values: Any = self.policy.get_distribution(self._observer(turn)).distribution  # a torch Categorical
        return -values.logits[:, :HOLD]


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train and compare; returns each router's mean delay over that of best response."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--updates", type=int, default=120, help="of the policy, after 32 steps of all worlds each"
    )
    parser.add_argument("--worlds", type=int, default=32, help="played side by side")
    parser.add_argument("--test-worlds", type=int, default=200, help="that the policy is compared on")
    parser.add_argument("--tasks", type=int, default=8, help="in a world")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    console = Console()
    torch.set_num_threads(1)

    scenario = replace(DEFAULT_SCENARIO, task=TaskConfig(n_tasks=chosen.tasks))
    worlds = gymnasium.make_vec(
        "leomix/Routing-v0", num_envs=chosen.worlds, scenario=scenario, autoreset_mode="SameStep"
    )
    env = PacketsAsEnvironments(worlds)
    rows = 32 * env.num_envs
    model = MaskablePPO(
        "MlpPolicy",
        env,
        n_steps=32,
        batch_size=min(4096, rows),
        n_epochs=4,
        learning_rate=lambda left: 1e-3 * max(left, 0.1),
        gamma=1.0,
        gae_lambda=0.9,
        ent_coef=0.003,
        policy_kwargs={"net_arch": [128, 128]},
        seed=chosen.seed,
    )
    started = time.perf_counter()
    with console.status(f"{chosen.updates} updates"):
        model.learn(chosen.updates * rows)
    console.print(f"{chosen.updates} updates in {time.perf_counter() - started:.0f} s")

    ephemeris = scenario.ephemeris("test")
    names = ("random", "min_hop", "dijkstra", "look_ahead_1", "look_ahead_3")
    routers = [PPORouter(model), *(ROUTERS[name]() for name in names)]
    test = scenario.worlds(ephemeris, chosen.test_worlds, seed=1_000_003)
    comparison = compare(routers, ephemeris, test, scenario.environment)
    console.print(table(comparison, highlight=PPORouter.name))
    return {result.router: result.ratio_to_best_response for result in comparison.results}


if __name__ == "__main__":
    main()
