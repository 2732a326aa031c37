"""Benchmarks measure what they say, and refuse a device that is not there before they measure anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.codecs import coded, quality_of_error
from benchmarks.profile_training import Stopwatch
from models.codec import Codec
from models.scenes import render

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("script", ["simulator.py", "training.py", "devices.py"])
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


def test_what_is_within_a_part_does_not_count_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.process_time", lambda: now[0])
    watch = Stopwatch()

    def work(seconds: float) -> None:
        now[0] += seconds

    work(1)
    with watch.part("outer"):
        work(2)
        with watch.part("inner"):
            work(4)
        work(8)
        with pytest.raises(ZeroDivisionError), watch.part("inner"):
            work(16)
            _ = 1 / 0
    assert watch.seconds == {"the rest": 1, "outer": 10, "inner": 20}


def test_formats_are_compared_at_the_lowest_quality_that_is_good_enough() -> None:
    images = [render(seed).image for seed in range(3)]
    factors = [np.random.default_rng(seed).choice([0, 1, 2], (10, 10)) for seed in range(3)]
    wanted = coded(images, factors, Codec("WEBP", 50)).error
    quality, found = quality_of_error(images, factors, "JPEG", wanted)
    assert found.error <= wanted < coded(images, factors, Codec("JPEG", quality - 1)).error
