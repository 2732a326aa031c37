"""Speed of Gymnasium's view: one simulator for all worlds against so many single environments.

    python benchmarks/vector_env.py [--worlds 1 64 512 4096] [--steps 20]

Steps of one world per second of processor time, with random legal actions and observations as by default.
"""

from __future__ import annotations

import argparse
import time

import gymnasium
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import envs.joint_env  # noqa: F401 (registers leomix/Routing-v0)
from envs.single_world import DEFAULT_SCENARIO

MOST_SINGLE = 64
"""So many copies of the single environment are waited for."""


def world_steps_per_s(mode: str, n_worlds: int, steps: int, ephemeris) -> float:
    """World steps per second of processor time, after three steps to warm up."""
    envs = gymnasium.make_vec(
        "leomix/Routing-v0", num_envs=n_worlds, vectorization_mode=mode, ephemeris=ephemeris
    )
    random = np.random.default_rng(0)
    observation, _ = envs.reset(seed=0)
    started = 0.0
    for step in range(steps + 3):
        if step == 3:
            started = time.process_time()
        masks = observation["action_mask"]
        observation, *_ = envs.step((masks * random.uniform(0.5, 1, masks.shape)).argmax(-1))
    return n_worlds * steps / (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", type=int, nargs="+", default=[1, 64, 512, 4096])
    parser.add_argument("--steps", type=int, default=20)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    ephemeris = DEFAULT_SCENARIO.ephemeris("training")
    table = Table(
        "worlds", "make_vec", "SyncVectorEnv", title="steps of one world per second of processor time"
    )
    for n_worlds in chosen.worlds:
        batched = world_steps_per_s("vector_entry_point", n_worlds, chosen.steps, ephemeris)
        single = (
            f"{world_steps_per_s('sync', n_worlds, max(chosen.steps // 4, 1), ephemeris):,.0f}"
            if n_worlds <= MOST_SINGLE
            else "-"
        )
        table.add_row(str(n_worlds), f"{batched:,.0f}", single)
    Console().print(table)


if __name__ == "__main__":
    main()
