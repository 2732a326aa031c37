"""The real command line with other processes: what a user reads when one is lost, and that a run can go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agents.run.metrics_file import read_metrics

REPOSITORY = Path(__file__).resolve().parents[1]
TINY = (
    "experiment=smoke",
    "task.n_tasks=2",
    "algorithm.worlds_per_rollout=8",
    "algorithm.batch_episodes=8",
    "algorithm.warmup_episodes=8",
    "algorithm.updates_per_rollout=1",
    "algorithm.utility.width=8",
    "training.validation_worlds=4",
    "training.checkpoint_every=2",
    "evaluation.worlds=2",
)


def start(folder: Path, *overrides: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "160"}
    environment.pop("HYDRA_FULL_ERROR", None)
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / "train.py"), *overrides],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def below(pid: int) -> dict[int, str]:
    """The processes that `pid` has started, and those that these have: pid -> command."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    parents: dict[int, tuple[int, str]] = {}
    for line in listed.stdout.splitlines():
        own, parent, command = line.split(maxsplit=2)
        parents[int(own)] = (int(parent), command)

    def is_below(one: int) -> bool:
        return one in parents and (parents[one][0] == pid or is_below(parents[one][0]))

    return {one: command for one, (_, command) in parents.items() if is_below(one)}


@pytest.mark.slow
def test_a_lost_learner_is_one_line_with_the_way_back(tmp_path: Path) -> None:
    process = start(tmp_path, *TINY, "algorithm.iterations=100000", "cluster.learners=2")
    metrics = tmp_path / "runs" / "latest" / "metrics.csv"
    deadline = time.monotonic() + 300
    while not (metrics.exists() and len(read_metrics(metrics)) >= 3):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    # RLlib wraps its learners in actors of this name; this run has no other actors.
    learners = [pid for pid, command in below(process.pid).items() if "ray::_WrappedExecutable" in command]
    assert len(learners) == 2
    os.kill(learners[0], signal.SIGKILL)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 1, err
    run = (tmp_path / "runs" / "latest").resolve()
    assert "Traceback" not in err
    assert "error: a learner died in iteration" in err
    assert f"python train.py resume=runs/{run.name}" in err

    done = len(read_metrics(metrics))
    process = start(tmp_path, f"resume=runs/{run.name}", f"algorithm.iterations={done + 1}", "cluster=local")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert [row["iteration"] for row in read_metrics(metrics)] == list(range(1, done + 2))
