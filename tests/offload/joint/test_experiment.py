"""The experiment on made-up profiles: rows that must hold together."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.routers import ROUTERS
from envs.config import ConfigError, EnvironmentConfig, TaskConfig
from envs.constellation import Constellation
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.scenario import Scenario
from offload.config import OffloadConfig
from offload.experiments.result import Result
from offload.joint.config import JointConfig, StationConfig
from offload.joint.experiment import halves, headline, measure
from offload.joint.frontier import saved_at_equal_accuracy
from offload.joint.places import COMPUTING, OWN_CONTACT
from offload.joint.setting import Setting
from tests.offload.joint.profiles import made_profile

CONFIG = JointConfig(
    profiled=400,
    frames=(20, 40),
    pixels=(65536,),
    accuracies=(0.85, 0.9, 0.999),
    classes=4,
    other_routers=("greedy",),
    station=StationConfig(mask_deg=0.0, hours=60.0),
)


@pytest.fixture(scope="module")
def settings() -> list[Setting]:
    constellation = Constellation("walker_6x8", "delta", 6, 8, 1000.0, 53.0, 1)
    day = DayConfig(training_slots=1, validation_slots=1, test_slots=2)
    scenario = Scenario(constellation, EbN0Link(), day, TaskConfig(n_tasks=3), EnvironmentConfig())
    ephemeris = scenario.ephemeris("test")
    found = []
    for seed in (0, 1):
        known, asked = halves(replace(made_profile(seed=seed), provenance={"settings": {"seed": seed}}))
        setting = Setting.of(
            scenario, ephemeris, OffloadConfig(), CONFIG, known, asked, n_worlds=4, seed=seed
        )
        found.append(setting)
    return found


@pytest.fixture(scope="module")
def results(settings: list[Setting]) -> list[Result]:
    return measure(settings, ROUTERS["dijkstra"]())


def test_variants_see_the_same_frames_and_worlds(settings: list[Setting]) -> None:
    plain, both = (
        settings[0].design(coding, gated=gated, accuracy=0.85, pixels=65536)
        for coding, gated in (("plain", False), ("attention", True))
    )
    assert (plain.frames.rows.sort(2).values == both.frames.rows.sort(2).values).all()
    assert (plain.frames.counts == both.frames.counts).all()


def test_schemes_expect_what_is_required_or_say_that_they_cannot(results: list[Result]) -> None:
    for row in results[1].rows:
        if row["required"] > 0.99:
            assert np.isnan(row["delay_s"])
            assert "is expected of every task" in row["note"]
        else:
            assert row["expected"] >= row["required"] - 1e-8
            assert row["low_s"] <= row["delay_s"] <= row["high_s"]
            assert 0 <= row["ratio"] <= 1
    uniform = [row for row in results[1].rows if row["scheme"] == "uniform" and not np.isnan(row["delay_s"])]
    assert all(row["saved_%"] == 0 for row in uniform)


def test_searching_is_never_worse_than_offloading_everything(results: list[Result]) -> None:
    rows = {(row["required"], row["scheme"]): row for row in results[1].rows}
    for required in (0.85, 0.9):
        assert rows[required, "uniform"]["delay_s"] <= rows[required, "all offloaded"]["delay_s"] * 1.001


def test_every_place_is_there_and_waiting_takes_longer(results: list[Result]) -> None:
    rows = {(row["required"], row["place"], row["router"]): row for row in results[2].rows}
    assert len(rows) == 4  # the last requirement cannot be met
    for required in (0.85,):
        orbit, waiting = rows[required, COMPUTING, "dijkstra"], rows[required, OWN_CONTACT, "-"]
        assert waiting["delay_s"] > orbit["delay_s"]


def test_halves_share_no_frame() -> None:
    profile = made_profile(7)
    first, second = halves(profile)
    assert (len(first), len(second)) == (3, 3)
    assert not set(first.confidence[:, 0]) & set(second.confidence[:, 0])


def test_savings_at_equal_accuracy_against_a_line_known_in_closed_form() -> None:
    """A base whose delay is 100 (accuracy - 0.8) and a scheme that takes 3 at accuracy 0.86, where the base takes 6."""
    noise = np.random.default_rng(0).normal(0, 1e-3, 200)
    base = [0.85 + noise, 0.9 + noise]
    found = saved_at_equal_accuracy(base, [100 * (x - 0.8) for x in base], 0.86 + noise, np.full(200, 3.0))
    assert found[0] == pytest.approx(0.5, abs=1e-3)
    assert found[1] < 0.5 < found[2]
    beyond = saved_at_equal_accuracy(base, base, np.full(200, 0.95), np.full(200, 3.0))
    assert np.isnan(beyond).all()


def test_everything_is_written_and_said(results: list[Result], tmp_path: Path) -> None:
    for result in results:
        result.save(tmp_path)
    assert (tmp_path / "schemes.png").stat().st_size > 10_000
    assert (tmp_path / "places.png").stat().st_size > 10_000
    json.dumps([result.rows for result in results])
    text = headline(results[1].rows, results[2].rows)
    assert "both:" in text and "Highest requirement that can be met: 0.9 uniformly, 0.9 with both" in text


def test_bad_settings_are_refused() -> None:
    for changes, problem in (
        ({"frames": (10, 5000)}, "joint.frames"),
        ({"accuracies": (1.0,)}, "joint.accuracies"),
        ({"task": "riddle"}, "joint.task is 'riddle'"),
        ({"router": "pigeon"}, "pigeon"),
        ({"classes": 0}, "joint.classes"),
    ):
        with pytest.raises(ConfigError, match=problem):
            replace(CONFIG, **changes)
