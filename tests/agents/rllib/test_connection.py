"""Joining a Ray cluster, also of several nodes; what is not there is missed with a word."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import ray

from agents.cluster import ClusterConfig
from agents.rllib.connection import connect
from envs.config import ConfigError

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_runners_play_on_both_nodes_of_a_cluster_and_more_than_it_holds_is_refused() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tests.agents.rllib.two_nodes"],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout.splitlines()[-1])
    assert len(set(told["placed_on"])) == told["nodes"] == 2
    assert told["episodes"] == [8, 16, 24]
    assert "cluster.env_runners=4 and cluster.learners=0 need 4 CPUs and 0 GPUs" in told["too_many"]
    assert "has 2 and 0 free after cluster.wait_s=1" in told["too_many"]


def test_gpus_that_this_machine_lacks_are_refused() -> None:
    for cluster in (
        ClusterConfig(gpus_per_learner=99),
        ClusterConfig(learners=50, gpus_per_learner=2),
        ClusterConfig(env_runners=3, gpus_per_env_runner=33.0),
    ):
        with pytest.raises(ConfigError, match=r"GPUs of cluster=(99|100)"):
            connect(cluster)


def test_a_cluster_that_does_not_answer_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unanswered(**settings: object) -> None:
        raise ConnectionError(f"nothing listens there: {settings['address']}\nand more")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", unanswered)
    with pytest.raises(
        ConfigError, match=r"cluster\.address='auto' cannot be joined \(.*nothing listens there"
    ) as raised:
        connect(ClusterConfig(address="auto"))
    assert "\n" not in str(raised.value)
