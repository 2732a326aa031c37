"""Real training runs in processes of their own, which a test may stop and go on with as often as it likes.

Module-level names, because the processes import them. They are forked from a server that has imported everything
already, so that a run starts in a second.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from rich.console import Console

from agents.run.folder import RunFolder
from agents.run.interruption import INTERRUPTED
from agents.run.metrics_file import read_metrics
from configs import CONFIG_DIR
from configs.convert import to_dataclass
from configs.schema import TrainConfig

ITERATIONS = 10
OVERRIDES = (
    "experiment=smoke",
    "task.n_tasks=3",
    f"algorithm.iterations={ITERATIONS}",
    "algorithm.worlds_per_rollout=8",
    "algorithm.updates_per_rollout=2",
    "algorithm.batch_episodes=4",
    "algorithm.replay_episodes=32",  # full after half of the run
    "algorithm.warmup_episodes=16",
    "training.validation_every=2",
    "training.validation_worlds=4",
    "training.checkpoint_every=1",
    "training.seed=7",
)
"""Small, and with a checkpoint after every iteration."""

TIMES = ("decisions_per_s",)
"""Columns of metrics.csv that tell the time."""

_PROCESSES = multiprocessing.get_context("forkserver")


def start(folder: Path, *settings: str, slow_disk_s: float = 0.0) -> BaseProcess:
    """Train in `folder`: go on with its last run, or begin one if that was stopped before its first checkpoint.

    settings: besides `OVERRIDES`, the same every time.
    slow_disk_s: how much longer it takes to flush a file to the disk.
    """
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = to_dataclass(TrainConfig, compose("train", [*OVERRIDES, *settings]))
    if RunFolder(folder / "runs" / "latest").checkpoints():
        config = replace(config, resume="runs/latest")
    _PROCESSES.set_forkserver_preload(
        ["train", "agents.rllib.build", "agents.rllib.resume", "tests.stopped_runs"]
    )
    ready = _PROCESSES.Event()
    process = _PROCESSES.Process(target=_train, args=(folder, config, slow_disk_s, ready))
    process.start()
    assert ready.wait(120)
    return process


def wait_until(process: BaseProcess, condition: Callable[[], bool], timeout_s: float = 120.0) -> bool:
    """Whether `condition` came true before the process ended; looks a thousand times a second."""
    give_up = time.monotonic() + timeout_s
    while process.is_alive():
        if condition():
            return True
        assert time.monotonic() < give_up, "the run takes too long"
        time.sleep(0.001)
    return condition()


def unfinished(folder: Path) -> list[Path]:
    """Checkpoints of the run in `folder` that are being written, or were when it was stopped."""
    checkpoints = folder / "runs" / "latest" / "checkpoints"
    try:
        names = os.listdir(checkpoints)
    except FileNotFoundError:  # the run has just begun, and `latest` points at it
        return []
    return [checkpoints / name for name in names if name.endswith(".unfinished")]


def deterministic_metrics(run: Path) -> list[dict[str, float]]:
    """The rows of metrics.csv without the times."""
    return [
        {name: value for name, value in row.items() if name not in TIMES}
        for row in read_metrics(run / "metrics.csv")
    ]


def assert_same(a: Any, b: Any, path: str = "state") -> None:
    """Two nested states are equal, value for value and kind for kind."""
    assert type(a) is type(b), path
    if isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for key in a:
            assert_same(a[key], b[key], f"{path}/{key}")
    elif isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and torch.equal(a, b), path
    else:
        assert a == b, path


def _train(folder: Path, config: TrainConfig, slow_disk_s: float, ready: Event) -> None:
    """What the process does. Its exit status: 0 complete, 130 interrupted."""
    flush, complete = os.fsync, False

    def slow_flush(descriptor: int) -> None:
        time.sleep(slow_disk_s)
        flush(descriptor)

    with suppress(KeyboardInterrupt):  # the command line ends as quietly
        ready.set()
        from train import train

        os.chdir(folder)
        os.fsync = slow_flush
        with open("printed", "a") as printed:
            _, complete = train(config, Console(file=printed))
    raise SystemExit(0 if complete else INTERRUPTED)
