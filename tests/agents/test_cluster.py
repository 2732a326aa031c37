"""What a cluster configuration allows and asks of Ray."""

from __future__ import annotations

import pytest

from agents.cluster import ClusterConfig
from agents.config import AlgorithmConfig
from envs.config import ConfigError


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"env_runners": -1}, "cluster.env_runners=-1"),
        ({"gpus_per_env_runner": -0.5}, "cluster.gpus_per_env_runner=-0.5"),
        ({"threads": 0}, "cluster.threads=0"),
        ({"wait_s": -1.0}, "cluster.wait_s=-1.0"),
    ],
)
def test_impossible_values_are_refused(settings: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ClusterConfig(**settings)


def test_processes_must_share_worlds_and_batches_evenly() -> None:
    algorithm = AlgorithmConfig(worlds_per_rollout=12, batch_episodes=8)
    for possible in (ClusterConfig(), ClusterConfig(env_runners=4, learners=2)):
        possible.require_even_shares(algorithm)
    with pytest.raises(
        ConfigError, match=r"cluster.env_runners=5 .*divisor of algorithm.worlds_per_rollout=12"
    ):
        ClusterConfig(env_runners=5).require_even_shares(algorithm)
    with pytest.raises(ConfigError, match=r"cluster.learners=3 .*divisor of algorithm.batch_episodes=8"):
        ClusterConfig(learners=3).require_even_shares(algorithm)


def test_the_resources_are_those_of_every_process_beside_the_main_one() -> None:
    assert ClusterConfig(gpus_per_learner=1).bundles() == []
    cluster = ClusterConfig(
        env_runners=2, learners=2, gpus_per_learner=1, gpus_per_env_runner=0.25, threads=3
    )
    assert cluster.bundles() == [{"CPU": 3, "GPU": 0.25}] * 2 + [{"GPU": 1}] * 2
    assert (cluster.total("CPU"), cluster.total("GPU")) == (6, 2.5)
    assert ClusterConfig(learners=2).bundles() == [{"CPU": 1}] * 2
