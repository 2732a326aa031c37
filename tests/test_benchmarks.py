"""Benchmarks measure what they say, and refuse a device that is not there before they measure anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.codecs import coded, quality_of_error
from benchmarks.devices import rows_per_decision
from benchmarks.profile_training import Stopwatch
from benchmarks.simulator import ephemeris_of
from envs.config import EnvironmentConfig, TaskConfig
from envs.routing_game import RoutingGame
from models.codec import Codec
from models.scenes import render
from tests.pretended_device import DEVICE, pretended_device

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


def test_rows_of_a_gpu_are_those_that_it_computes() -> None:
    config = EnvironmentConfig()
    ephemeris = ephemeris_of("iridium_star", "cpu")
    late, _ = rows_per_decision(ephemeris, 4, n_worlds=6)
    with pretended_device():
        game = RoutingGame(ephemeris.to(DEVICE), TaskConfig(n_tasks=4), config, 6)
        layout, rows, decided = game.observation_layout, 0, 0
        game.reset(0)
        while len(now := game.decisions()):
            prior = now.observation[:, layout.n_global :].unflatten(1, (4, -1))[..., layout.prior]
            assert now.decides is not None
            rows, decided = rows + len(now), decided + int(now.decides.sum())
            game.step(now, prior.masked_fill(~now.legal, torch.inf).argmin(1))
    assert late == rows / decided


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
