"""From plain configurations to a QMIX algorithm that is ready to train on the routing game."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

import ray
import torch

from agents.cluster import ClusterConfig
from agents.config import AlgorithmConfig
from agents.policy import Policy
from agents.rllib.algorithm import QMIX
from agents.rllib.config import QMIXConfig
from agents.rllib.module import QMIXTorchModule
from agents.rllib.routing import make_routing_game
from envs.config import require
from envs.observation_layout import ObservationLayout
from envs.scenario import Scenario


def build_qmix(
    scenarios: Sequence[Scenario], algorithm: AlgorithmConfig, cluster: ClusterConfig, *, seed: int
) -> QMIX:
    """A QMIX that learns `scenarios`, whose rollouts take turns, with the processes and GPUs of `cluster`.

    Everything random follows `seed`.

    Starts or joins a Ray cluster only if `cluster` has other processes than this one. Raises ConfigError when the
    machine has fewer GPUs than `cluster` asks for.
    """
    torch.set_num_threads(cluster.threads)
    if cluster.address is None:
        _require_gpus(cluster)
    if cluster.address is not None or cluster.env_runners or cluster.learners:
        _start_ray(cluster)
    logging.getLogger("ray").setLevel(logging.ERROR)  # RLlib's warnings about its own deprecated calls
    qmix = (
        QMIXConfig()
        .environment(make_routing_game, env_config={"scenarios": tuple(scenarios)})
        .training(qmix=algorithm)
        .env_runners(
            num_env_runners=cluster.env_runners,
            num_cpus_per_env_runner=cluster.threads,
            num_gpus_per_env_runner=cluster.gpus_per_env_runner,
        )
        .learners(num_learners=cluster.learners, num_gpus_per_learner=cluster.gpus_per_learner)
        .debugging(seed=seed, log_level="ERROR")
        .build_algo()
    )
    assert isinstance(qmix, QMIX)
    return qmix


def policy_of(algorithm: QMIX, scenario: Scenario) -> Policy:
    """The greedy policy of the newest weights; it shares them, so save or use it before the next iteration."""
    module = _module(algorithm)
    return Policy(
        utility=module.model.utility,
        config=algorithm.config.qmix.utility,
        spec=module.observation_space.spec,
        observation=ObservationLayout.of(scenario.environment.loads).name,
    )


def device_of(algorithm: QMIX) -> torch.device:
    """Where the policy of `policy_of` is."""
    return next(_module(algorithm).model.parameters()).device


def _module(algorithm: QMIX) -> QMIXTorchModule:
    module = algorithm.get_module()
    assert isinstance(module, QMIXTorchModule)
    return module


def _require_gpus(cluster: ClusterConfig) -> None:
    wanted = cluster.gpus_per_learner * max(cluster.learners, 1)
    wanted += cluster.gpus_per_env_runner * cluster.env_runners
    there = torch.cuda.device_count()
    require(
        wanted <= there, "GPUs of cluster", wanted, f"this machine has {there}; see cluster.gpus_per_learner"
    )


def _start_ray(cluster: ClusterConfig) -> None:
    if ray.is_initialized():
        return
    if cluster.address is not None:
        ray.init(address=cluster.address, log_to_driver=False)
        return
    # Ray waits for ever for CPUs that a machine does not have: let processes share them instead.
    needed = 1 + cluster.threads * (cluster.env_runners + cluster.learners)
    ray.init(
        num_cpus=max(needed, os.cpu_count() or 1),
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
