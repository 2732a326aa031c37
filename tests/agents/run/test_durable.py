from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from agents.run.checkpoint import write_checkpoint
from agents.run.durable import DiskRefuses, naming_what_the_disk_refuses, require_writable
from envs.config import ConfigError


def test_what_the_disk_refuses_is_named() -> None:
    with (
        pytest.raises(DiskRefuses, match=r"^the disk refuses a/metrics\.csv \(No space left on device\)$"),
        naming_what_the_disk_refuses(),
    ):
        raise OSError(errno.ENOSPC, "No space left on device", "a/metrics.csv")
    with pytest.raises(DiskRefuses, match="what was to be written"), naming_what_the_disk_refuses():
        raise OSError(errno.EROFS, "Read-only file system")


def test_other_errors_keep_their_traceback() -> None:
    with pytest.raises(FileNotFoundError), naming_what_the_disk_refuses():
        open("nowhere")  # noqa: SIM115


def test_tensors_that_the_disk_refuses_are_named_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """safetensors has errors of its own."""
    (tmp_path / "tensors.safetensors").mkdir()
    with (
        pytest.raises(DiskRefuses, match=r"tensors\.safetensors \(.*directory"),
        naming_what_the_disk_refuses(),
    ):
        write_checkpoint(tmp_path, {"iteration": 1})


def test_where_files_may_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_writable(tmp_path / "runs" / "a-run")
    assert not list(tmp_path.iterdir()), "looked at, not made"
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ConfigError, match=r"results would go to .*runs, but .*thesis\.tex is a file"):
        require_writable(tmp_path / "thesis.tex" / "runs")
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path) != tmp_path
    )  # root may write everywhere else
    with pytest.raises(ConfigError, match="may not be written: name or copy to another folder"):
        require_writable(tmp_path / "runs")
