"""However and whenever a run is stopped, going on ends where the run that was never stopped ends, value for value."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from agents.policy import POLICY_FILE
from agents.run.checkpoint import read_checkpoint
from agents.run.folder import RunFolder
from agents.run.interruption import INTERRUPTED
from tests.stopped_runs import ITERATIONS, assert_same, deterministic_metrics, start, unfinished, wait_until

pytestmark = pytest.mark.slow


def latest(folder: Path) -> RunFolder:
    return RunFolder.open(folder / "runs" / "latest")


@pytest.fixture(scope="module")
def never_stopped(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("never_stopped")
    finish(folder)
    return latest(folder)


def assert_equal_runs(run: RunFolder, other: RunFolder) -> None:
    """Metrics, best policy, and all that the last checkpoint has: weights, targets, moments, replay, random streams."""
    assert deterministic_metrics(run.path) == deterministic_metrics(other.path)
    assert (run.path / POLICY_FILE).read_bytes() == (other.path / POLICY_FILE).read_bytes()
    last, other_last = (read_checkpoint(folder.checkpoints()[-1]) for folder in (run, other))
    assert_same(last.state, other_last.state)
    assert last.state["training"]["counters"]["iterations"] == ITERATIONS
    assert len(last.state["training"]["replay"]["length"]) == 32


def test_interrupted_at_any_moment(never_stopped: RunFolder, tmp_path: Path) -> None:
    """Ctrl-C ends the iteration and writes a checkpoint. A process that is still getting ready ends without."""
    chance = random.Random(1)
    for _ in range(4):
        process = start(tmp_path)
        wait_until(process, (tmp_path / "runs" / "latest" / "checkpoints").exists)
        time.sleep(chance.uniform(0.0, 1.0))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGINT)
        process.join(120)
        assert process.exitcode in (0, INTERRUPTED)
        run = latest(tmp_path)
        assert int(run.checkpoints()[-1].name) == len(deterministic_metrics(run.path))
        assert not unfinished(tmp_path)
    finish(tmp_path)
    assert_equal_runs(latest(tmp_path), never_stopped)


def test_killed_at_any_moment(never_stopped: RunFolder, tmp_path: Path) -> None:
    """SIGKILL while a checkpoint is being written, while the run gets ready, and some time after a checkpoint: all
    that there are stay whole, and none is ever lost."""
    chance, written_half = random.Random(2), 0
    run = RunFolder(tmp_path / "runs" / "latest")
    for number in range(12):
        before = names(run)
        process = start(tmp_path, slow_disk_s=0.01)
        if number % 3 == 0:
            wait_until(process, lambda: bool(unfinished(tmp_path)))
            time.sleep(chance.uniform(0.0, 0.04))  # flushing alone takes longer
        elif number % 3 == 1:
            time.sleep(chance.uniform(0.0, 1.0))
        else:
            wait_until(process, lambda before=before: names(run) != before)
            time.sleep(chance.uniform(0.0, 0.2))
        process.kill()
        process.join()
        written_half += bool(unfinished(tmp_path))
        assert max(names(run), default="") >= max(before, default="")
        for checkpoint in run.checkpoints():
            read_checkpoint(checkpoint)
    assert written_half >= 2
    finish(tmp_path)
    assert "damaged" not in (tmp_path / "printed").read_text()
    assert_equal_runs(latest(tmp_path), never_stopped)


@pytest.mark.parametrize(
    "settings",
    [
        ("algorithm.mixer.kind=link", "environment=paper", "algorithm.joint_weight=1.0"),
        ("training.also_on=[star_8x12, iridium_star]",),
    ],
    ids=["link mixer", "three games in turn"],
)
def test_killed_with_settings_that_have_a_state_of_their_own(
    tmp_path: Path, settings: tuple[str, ...]
) -> None:
    """The paper's reward with the mixer that is built on it, and several games that take turns: killed so that the
    checkpoint gone on from stands at another turn each time."""
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    for folder in (straight, stopped):
        folder.mkdir()
    finish(straight, *settings)
    run = RunFolder(stopped / "runs" / "latest")
    for wanted in ("000003", "000005", "000008"):
        process = start(stopped, *settings)
        assert wait_until(process, lambda wanted=wanted: max(names(run), default="") >= wanted)
        process.kill()
        process.join()
    assert max(names(run)) < f"{ITERATIONS:06}"
    finish(stopped, *settings)
    assert_equal_runs(latest(stopped), latest(straight))


def names(run: RunFolder) -> list[str]:
    """Of the finished checkpoints; all the same length."""
    return [folder.name for folder in run.checkpoints()]


def finish(folder: Path, *settings: str) -> None:
    """Go on until the run is complete."""
    process = start(folder, *settings)
    process.join(300)
    assert process.exitcode == 0
