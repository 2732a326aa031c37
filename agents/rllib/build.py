"""From plain configurations to a QMIX algorithm that is ready to train on the routing game."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch

from agents.cluster import ClusterConfig
from agents.config import AlgorithmConfig
from agents.policy import Policy
from agents.rllib.algorithm import QMIX
from agents.rllib.config import QMIXConfig
from agents.rllib.connection import connect
from agents.rllib.module import QMIXTorchModule
from agents.rllib.routing import make_routing_game
from envs.observation_layout import ObservationLayout
from envs.scenario import Scenario


def build_qmix(
    scenarios: Sequence[Scenario], algorithm: AlgorithmConfig, cluster: ClusterConfig, *, seed: int
) -> QMIX:
    """A QMIX that learns `scenarios`, whose rollouts take turns, with the processes and GPUs of `cluster`.

    Everything random follows `seed`.

    Starts or joins a Ray cluster only if `cluster` has other processes than this one. Raises ConfigError when the
    machine or the Ray cluster has fewer CPUs or GPUs than `cluster` asks for, or cannot be reached.
    """
    torch.set_num_threads(cluster.threads)
    connect(cluster)
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
        .fault_tolerance(
            restart_failed_env_runners=cluster.restart_failed_env_runners,
            delay_between_env_runner_restarts_s=0.0,
        )
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
