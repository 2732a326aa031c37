"""Which checkpoint a run goes on from, and what must not have changed since it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from agents.run import resume
from agents.run.folder import RunFolder
from agents.run.resume import StoppedRun, save_run
from envs.config import ConfigError

SETTINGS = {"algorithm": {"gamma": 1.0, "iterations": 10}, "training": {"seed": 3, "keep_checkpoints": 2}}
LAYOUTS = {"observation": "leomix-observation-v1", "state": "leomix-state-v1"}


def save(run: RunFolder, iteration: int) -> None:
    """A checkpoint, and metrics and policy of its iteration beside it."""
    run.metrics_file.write_text(f"metrics of {iteration}")
    run.policy_file.write_text(f"policy of {iteration}")
    training = {"counters": {"iterations": iteration}, "model": {"w": torch.full((1000,), iteration)}}
    save_run(run, training, SETTINGS, LAYOUTS, keep=3)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run that was killed some time after its checkpoint of iteration 6."""
    run = RunFolder.create(tmp_path, "test", SETTINGS)
    for iteration in (2, 4, 6):
        save(run, iteration)
    run.metrics_file.write_text("later metrics")
    run.policy_file.write_text("later policy")
    return run


def damage(run: RunFolder, name: str, file: str = "tensors.safetensors") -> None:
    with open(run.path / "checkpoints" / name / file, "r+b") as opened:
        opened.seek(500)
        opened.write(b"?")


def opened(run: RunFolder, said: list[str]) -> StoppedRun:
    return StoppedRun.open(run.path, said.append)


def test_the_newest_checkpoint_is_taken_without_a_word(run: RunFolder) -> None:
    said: list[str] = []
    stopped = opened(run, said)
    assert stopped.training["counters"] == {"iterations": 6}
    assert torch.equal(stopped.training["model"]["w"], torch.full((1000,), 6))
    assert said == []


def test_the_folder_is_as_it_was_when_the_checkpoint_was_written(run: RunFolder) -> None:
    stopped = opened(run, [])
    assert run.metrics_file.read_text() == "later metrics"
    assert stopped.reopen({"a": 1}).path == run.path
    assert run.metrics_file.read_text() == "metrics of 6"
    assert run.policy_file.read_text() == "policy of 6"
    assert run.config_file.read_text() == "a: 1\n"


def test_damaged_checkpoints_are_named_and_set_aside_and_the_one_before_is_taken(run: RunFolder) -> None:
    damage(run, "000006")
    (run.path / "checkpoints" / "000004" / "state.json").unlink()
    said: list[str] = []
    stopped = opened(run, said)
    assert said == [
        "checkpoint 000006 is damaged (tensors.safetensors: its content has changed), trying the one before",
        "checkpoint 000004 is damaged (state.json: it is missing), trying the one before",
    ]
    assert stopped.training["counters"] == {"iterations": 2}
    stopped.reopen(SETTINGS)
    assert [path.name for path in run.checkpoints()] == ["000002"]
    assert run.policy_file.read_text() == "policy of 2"
    save(run, 3)
    save(run, 4)  # damaged before, and whole again
    assert [path.name for path in run.checkpoints()] == ["000002", "000003", "000004"]


def test_a_run_without_a_whole_checkpoint_says_so_and_stays_as_it_is(run: RunFolder, tmp_path: Path) -> None:
    for name in ("000002", "000004", "000006"):
        damage(run, name)
    said: list[str] = []
    with pytest.raises(
        ConfigError, match="cannot go on: none of its 3 checkpoints is whole; start a new run"
    ):
        opened(run, said)
    assert len(said) == 3
    assert len(run.checkpoints()) == 3
    empty = RunFolder.create(tmp_path, "empty", {})
    with pytest.raises(ConfigError, match="cannot go on: it has no checkpoint; start a new run"):
        opened(empty, [])


def test_another_version_of_the_code_is_announced(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume, "code_version", lambda: "leomix 9.0")
    said: list[str] = []
    opened(run, said)
    (line,) = said
    assert line.startswith("checkpoint 000006 was written by leomix ")
    assert line.endswith(
        "this is leomix 9.0: the run goes on, but may differ from one that was never stopped"
    )


@pytest.mark.parametrize(
    ("settings", "layouts", "iterations", "message"),
    [
        (
            {"algorithm": {"gamma": 0.9}},
            {},
            10,
            r"algorithm\.gamma was 1\.0 when the checkpoint was written and is 0\.9 in config\.yaml: set it back",
        ),
        ({"training": {"seed": 4}}, {}, 10, r"training\.seed was 3 when"),
        (
            {},
            {"state": "leomix-state-v2"},
            10,
            "the run's state layout is leomix-state-v1, this version has leomix-st",
        ),
        ({}, {}, 5, "algorithm.iterations=5 is not possible: at least the 6 that are done"),
    ],
)
def test_what_no_longer_fits_is_refused(
    run: RunFolder, settings: dict[str, Any], layouts: dict[str, str], iterations: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        opened(run, []).require_fit(settings, layouts, ("algorithm.iterations",), iterations)


def test_what_may_change_and_what_is_new_in_this_version_fits(run: RunFolder) -> None:
    settings = {"algorithm": {"gamma": 1.0, "iterations": 20}, "training": {"keep_checkpoints": 5, "new": 1}}
    may_change = ("algorithm.iterations", "training.keep_checkpoints")
    opened(run, []).require_fit(settings, LAYOUTS, may_change, 6)
