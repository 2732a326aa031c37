from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.run.folder import RunFolder
from envs.config import ConfigError


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "runs", "test", {"b": 1, "a": [2.5, None]})


def write_number(number: int):
    return lambda folder: (folder / "state").write_text(str(number))


def states(run: RunFolder) -> list[str]:
    """What was written into the run's finished checkpoints, oldest first; all of them are whole."""
    return [(folder / "state").read_text() for folder in run.checkpoints()]


def test_configuration_is_there_in_its_order(run: RunFolder) -> None:
    assert list(yaml.safe_load(run.config_file.read_text()).items()) == [("b", 1), ("a", [2.5, None])]


def test_latest_points_at_the_newest_run_also_when_they_begin_in_the_same_second(tmp_path: Path) -> None:
    runs = [RunFolder.create(tmp_path, "same", {"number": number}) for number in range(3)]
    assert len({run.path for run in runs}) == 3
    newest = RunFolder.open(tmp_path / "latest")
    assert newest.path == runs[-1].path
    assert not [path for path in tmp_path.iterdir() if "unfinished" in path.name]


def test_a_folder_can_be_moved_with_its_pointer(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "here", "test", {})
    (tmp_path / "here").rename(tmp_path / "there")
    assert RunFolder.open(tmp_path / "there" / "latest").path.name == run.path.name


def test_what_is_no_run_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no config\.yaml"):
        RunFolder.open(tmp_path)


def test_only_the_newest_checkpoints_stay(run: RunFolder) -> None:
    for iteration in (5, 10, 100, 1_000_000):
        run.checkpoint(iteration, write_number(iteration), keep=2)
    assert sorted(path.name for path in (run.path / "checkpoints").iterdir()) == ["000100", "1000000"]
    assert states(run) == ["100", "1000000"]


def test_an_iteration_can_be_saved_twice(run: RunFolder) -> None:
    run.checkpoint(5, write_number(1), keep=2)
    run.checkpoint(5, write_number(2), keep=2)
    assert states(run) == ["2"]


def test_a_checkpoint_that_fails_half_way_is_never_used(run: RunFolder) -> None:
    def fail(folder: Path) -> None:
        (folder / "state").write_text("half")
        raise OSError("disk full")

    run.checkpoint(5, write_number(5), keep=1)
    with pytest.raises(OSError, match="disk full"):
        run.checkpoint(10, fail, keep=1)
    assert [path.name for path in run.checkpoints()] == ["000005"]
    run.checkpoint(10, write_number(10), keep=1)
    assert [path.name for path in (run.path / "checkpoints").iterdir()] == ["000010"]


def test_checkpoints_are_in_the_order_of_their_iterations(run: RunFolder) -> None:
    for iteration in (999_999, 1_000_000, 50):
        run.checkpoint(iteration, write_number(iteration), keep=3)
    assert states(run) == ["50", "999999", "1000000"]


CHANGES = ("fsync", "rename", "replace", "mkdir", "unlink", "rmdir")
"""Functions of `os` through which a run folder changes, and is made to last."""


class PowerCut(BaseException):
    """Ends everything at once, as nothing in the code may catch it."""


def cut_at(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise PowerCut instead of the change with this number (from 0)."""
    made: list[int] = []

    def guarded(change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if len(made) == number:
                raise PowerCut
            made.append(number)
            return change(*args, **kwargs)

        return call

    for name in CHANGES:
        monkeypatch.setattr(os, name, guarded(getattr(os, name)))


@pytest.mark.parametrize("keep", [1, 2])
@pytest.mark.parametrize("again", [False, True], ids=["new", "the same iteration again"])
def test_wherever_it_is_cut_off_a_whole_checkpoint_is_left_and_the_next_one_clears_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: int, again: bool
) -> None:
    """Of the checkpoints that were finished before, and the one that is being written, at least the newest but one."""
    number, finished = 0, False
    while not finished:
        run = RunFolder.create(tmp_path, f"cut-{number}", {})
        for iteration in (1, 2, 3):
            run.checkpoint(iteration, write_number(iteration), keep=2)
        with monkeypatch.context() as patch:
            cut_at(number, patch)
            try:
                run.checkpoint(3 if again else 4, write_number(4), keep=keep)
                finished = True
            except PowerCut:
                pass
        left = states(run)
        assert left[-1] in (("2", "3", "4") if again else ("3", "4"))
        run.checkpoint(5, write_number(5), keep=2)
        assert states(run)[-1] == "5"
        assert len(list((run.path / "checkpoints").iterdir())) <= 2
        number += 1
    assert number > 6


def test_a_checkpoint_is_on_the_disk_before_it_has_its_name_and_old_ones_go_last(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: dict[int, Path] = {}
    log: list[str] = []
    folder = run.path / "checkpoints"
    run.checkpoint(1, write_number(1), keep=1)
    open_, fsync, rename = os.open, os.fsync, os.rename

    def opening(path: Any, *args: Any, **kwargs: Any) -> int:
        descriptor = open_(path, *args, **kwargs)
        opened[descriptor] = Path(path)
        return descriptor

    def syncing(descriptor: int) -> None:
        log.append(f"sync {opened[descriptor].relative_to(run.path)}")
        fsync(descriptor)

    def renaming(old: Any, new: Any, **kwargs: Any) -> None:
        log.append(f"{Path(old).name} -> {Path(new).name}")
        rename(old, new, **kwargs)

    monkeypatch.setattr(os, "open", opening)
    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "rename", renaming)
    run.checkpoint(2, write_number(2), keep=1)
    assert log == [
        "sync checkpoints/000002.unfinished/state",
        "sync checkpoints/000002.unfinished",
        "000002.unfinished -> 000002",
        "sync checkpoints",
        "000001 -> 000001.discarded",
    ]
    assert [path.name for path in folder.iterdir()] == ["000002"]


def test_going_back_restores_what_the_checkpoint_has_and_sets_later_ones_aside(
    run: RunFolder, tmp_path: Path
) -> None:
    for iteration in (1, 2, 3):
        run.checkpoint(iteration, write_number(iteration), keep=5)
    run.metrics_file.write_text("later")
    run.policy_file.write_text("later")
    copy = tmp_path / "metrics.csv"
    copy.write_text("then")
    run.go_back_to(run.checkpoints()[0], {"metrics.csv": copy})
    assert run.metrics_file.read_text() == "then"
    assert not run.policy_file.exists()
    assert states(run) == ["1"]
    assert {path.name for path in (run.path / "checkpoints").iterdir()} == {
        "000001",
        "000002.damaged",
        "000003.damaged",
    }


def test_a_run_is_shown_as_one_would_type_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for folder in (here, elsewhere):
        folder.mkdir()
    monkeypatch.chdir(here)
    run, away = (RunFolder.create(folder / "runs", "a", {}) for folder in (here, elsewhere))
    assert run.shown == f"runs/{run.path.name}"
    assert away.shown == str(away.path)
