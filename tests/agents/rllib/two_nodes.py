"""A program for test_connection: train on a Ray cluster of two nodes, and ask it for more than it has. Prints JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import ray
from ray.cluster_utils import Cluster

from agents.cluster import ClusterConfig
from agents.config import AlgorithmConfig, UtilityConfig
from agents.rllib.build import build_qmix
from agents.rllib.metrics import flat_metrics
from envs.config import ConfigError, EnvironmentConfig, TaskConfig
from envs.constellation import CONSTELLATIONS
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.scenario import Scenario

SCENARIO = Scenario(
    CONSTELLATIONS["iridium_star"],
    EbN0Link(),
    DayConfig(n_slots=60, training_slots=2, validation_slots=1, test_slots=2),
    TaskConfig(n_tasks=2),
    EnvironmentConfig(),
)
ALGORITHM = AlgorithmConfig(
    utility=UtilityConfig(width=8),
    iterations=4,
    worlds_per_rollout=8,
    updates_per_rollout=1,
    batch_episodes=4,
    replay_episodes=16,
    warmup_episodes=8,
)


def main() -> None:
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    told: dict[str, Any] = {"nodes": 2}
    try:
        small = ClusterConfig(address=nodes.address, env_runners=2, wait_s=60)
        try:
            build_qmix([SCENARIO], ALGORITHM, replace(small, env_runners=4, wait_s=1), seed=0)
        except ConfigError as error:
            told["too_many"] = str(error)
        algorithm = build_qmix([SCENARIO], ALGORITHM, small, seed=0)
        told["placed_on"] = algorithm.env_runner_group.foreach_env_runner(
            lambda runner: ray.get_runtime_context().get_node_id(), local_env_runner=False
        )
        told["episodes"] = [flat_metrics(algorithm.train())["episodes"] for _ in range(3)]
        algorithm.stop()
    finally:
        ray.shutdown()
        nodes.shutdown()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
