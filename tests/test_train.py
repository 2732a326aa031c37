"""The real command line: train, stop, go on, evaluate."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from agents.policy import POLICY_FILE, Policy
from agents.run.metrics_file import read_metrics
from configs.convert import to_dataclass
from configs.schema import TrainConfig

REPOSITORY = Path(__file__).resolve().parents[1]
TINY = (
    "experiment=smoke",
    "algorithm.iterations=6",
    "algorithm.worlds_per_rollout=8",
    "algorithm.warmup_episodes=16",
    "training.validation_every=2",
    "training.validation_worlds=4",
    "training.checkpoint_every=3",
    "evaluation.worlds=4",
)
DETERMINISTIC = ("iteration", "return", "loss", "q", "epsilon", "learning_rate", "validation_delay_s")

pytestmark = pytest.mark.slow


def start(folder: Path, *overrides: str, largest_file: int = resource.RLIM_INFINITY) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "160"}
    environment.pop("HYDRA_FULL_ERROR", None)
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / "train.py"), *overrides],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file)),
    )


def train(folder: Path, *overrides: str) -> str:
    process = start(folder, *overrides)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with one finished run, and what was printed."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, train(folder, *TINY)


def deterministic(run: Path) -> list[dict[str, float]]:
    rows = read_metrics(run / "metrics.csv")
    return [{name: row[name] for name in DETERMINISTIC if name in row} for row in rows]


def test_a_run_leaves_everything_in_its_folder(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    assert sorted(path.name for path in folder.iterdir()) == ["runs"]
    run = (folder / "runs" / "latest").resolve()
    assert run.name.endswith("-smoke")
    names = {path.name for path in run.iterdir()}
    assert {
        "config.yaml",
        "metrics.csv",
        "checkpoints",
        POLICY_FILE,
        "evaluation.json",
        "figures",
        "export",
    } <= names
    assert not [path for path in run.rglob("*unfinished*")]
    assert (run / "export" / "policy.onnx").is_file() and (run / "export" / "manifest.json").is_file()
    assert (run / "figures" / "training.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in sorted((run / "checkpoints").iterdir())] == ["000003", "000006"]

    config = to_dataclass(TrainConfig, yaml.safe_load((run / "config.yaml").read_text()))
    assert (config.algorithm.iterations, config.constellation.name) == (6, "iridium_star")


def test_metrics_are_complete(finished: tuple[Path, str]) -> None:
    rows = read_metrics(finished[0] / "runs" / "latest" / "metrics.csv")
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["episodes"] for row in rows] == [8, 16, 24, 32, 40, 48]
    assert all({"return", "epsilon", "decisions", "decisions_per_s"} <= set(row) for row in rows)
    assert ["loss" in row for row in rows] == [False, True, True, True, True, True]  # 16 episodes of warm-up
    assert ["validation_ratio" in row for row in rows] == [False, True] * 3
    assert all(0 <= row.get("validation_delivery", 0) <= 1 for row in rows)


def test_the_policy_that_validated_best_is_compared_with_every_router(finished: tuple[Path, str]) -> None:
    folder, printed = finished
    run = folder / "runs" / "latest"
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert {"routers", "worlds", "config"} == set(evaluation)
    assert {"learned", "dijkstra", "look_ahead_3", "best_response"} <= {
        row["router"] for row in evaluation["routers"]
    }
    assert evaluation["config"]["algorithm"]["iterations"] == 6
    assert "learned" in printed
    policy = Policy.load(run)
    assert all(bool(torch.isfinite(value).all()) for value in policy.utility.state_dict().values())


def test_equal_seeds_train_equal_policies(finished: tuple[Path, str], tmp_path: Path) -> None:
    train(tmp_path, *TINY)
    first, second = finished[0] / "runs" / "latest", tmp_path / "runs" / "latest"
    assert deterministic(first) == deterministic(second)
    weights = [load_file(run / POLICY_FILE) for run in (first, second)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_resumed_run_goes_on_as_if_it_had_never_stopped(finished: tuple[Path, str], tmp_path: Path) -> None:
    original = (finished[0] / "runs" / "latest").resolve()
    run = tmp_path / "runs" / "copy"
    shutil.copytree(original, run)
    shutil.rmtree(run / "checkpoints" / "000006")  # as if it had been killed in iteration 6
    train(tmp_path, "resume=runs/copy")
    assert deterministic(run) == deterministic(original)


def test_ctrl_c_ends_with_a_checkpoint_and_says_how_to_go_on(tmp_path: Path) -> None:
    process = start(tmp_path, *TINY, "algorithm.iterations=100000", "training.checkpoint_every=100000")
    metrics = tmp_path / "runs" / "latest" / "metrics.csv"
    give_up = time.monotonic() + 120
    while not (metrics.exists() and len(read_metrics(metrics)) >= 3):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < give_up
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err

    run = (tmp_path / "runs" / "latest").resolve()
    assert f"python train.py resume=runs/{run.name}" in out
    iterations = len(read_metrics(metrics))
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["000000", f"{iterations:06d}"]

    train(tmp_path, f"resume=runs/{run.name}", f"algorithm.iterations={iterations + 2}")
    assert [row["iteration"] for row in read_metrics(metrics)] == list(range(1, iterations + 3))
    assert (run / "evaluation.json").exists()


def test_a_full_disk_is_one_line_with_the_way_back(tmp_path: Path) -> None:
    """As large as the first checkpoint a file may be, but not as the next one, which has a replay."""
    process = start(tmp_path, *TINY, largest_file=500_000)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.startswith("error: the disk refuses ") and "File too large" in err and err.count("\n") == 1
    way_back = re.search(r"to go on from 000000: python train.py (resume=runs/\S+)", err)
    assert way_back
    train(tmp_path, way_back[1])
    assert [row["iteration"] for row in read_metrics(tmp_path / "runs/latest/metrics.csv")] == list(
        range(1, 7)
    )


def test_a_folder_that_cannot_be_written_is_one_line_before_long_work(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    process = start(tmp_path, *TINY)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert err.startswith("error: results would go to runs, but ") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("algorithm.gama=1", "algorithm.gama is not a setting: did you mean algorithm.gamma?"),
        ("cluster.gpus_per_learner=99", "this machine has"),
        ("task.n_tasks=80", "task.n_tasks=80 plus task.n_computing=2 is more than the 66 satellites"),
    ],
)
def test_what_cannot_work_is_one_line_before_long_work(tmp_path: Path, override: str, message: str) -> None:
    process = start(tmp_path, *TINY, override)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())
