"""Benchmarks refuse a device that this machine does not have, before they measure anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("script", ["simulator.py", "training.py"])
def test_a_device_that_is_not_there_is_one_line(script: str) -> None:
    command = [sys.executable, str(REPOSITORY / "benchmarks" / script), "--device", "cuda:77"]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={"PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
    assert ended.returncode == 2
    assert "error: --device=cuda:77 cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr
