"""The experiment on made-up profiles: rows that must hold together."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.routers import ROUTERS
from envs.config import ConfigError, EnvironmentConfig, TaskConfig
from envs.constellation import Constellation
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.scenario import Scenario
from offload.config import OffloadConfig
from offload.experiments.result import Result
from offload.joint.config import AccuraciesConfig, JointConfig, StationConfig
from offload.joint.contact import Contacts
from offload.joint.experiment import halves, headline, measure
from offload.joint.frontier import saved_at_equal_accuracy
from offload.joint.places import COMPUTING, OWN_CONTACT
from offload.joint.setting import Half, Setting
from offload.schemes import Searched
from tests.offload.joint.profiles import made_profile

CONFIG = JointConfig(
    profiled=400,
    frames=(20, 40),
    pixels=(65536,),
    tasks=("question", "boxes"),
    accuracies=AccuraciesConfig(question=(0.85, 0.9, 0.999), boxes=(0.8,)),
    classes=4,
    other_routers=("greedy",),
    station=StationConfig(mask_deg=0.0, hours=60.0),
)


@pytest.fixture(scope="module")
def settings() -> list[Setting]:
    constellation = Constellation("walker_6x8", "delta", 6, 8, 1000.0, 53.0, 1)
    day = DayConfig(training_slots=1, validation_slots=1, test_slots=2)
    scenario = Scenario(constellation, EbN0Link(), day, TaskConfig(n_tasks=3), EnvironmentConfig())
    ephemeris, contacts = scenario.ephemeris("test"), Contacts(constellation, CONFIG.station)
    found = []
    for task in CONFIG.tasks:
        parts = []
        for seed in (0, 1):
            made = replace(made_profile(seed=seed), provenance={"settings": {"seed": seed}})
            parts.append(Half.of(scenario, ephemeris, CONFIG, *halves(made), n_worlds=4, seed=seed))
        found.append(Setting(task, scenario, ephemeris, OffloadConfig(), CONFIG, tuple(parts), contacts))
    return found


@pytest.fixture(scope="module")
def results(settings: list[Setting]) -> list[Result]:
    return measure(settings, ROUTERS["dijkstra"]())


def rows_of(result: Result, task: str) -> list[dict]:
    return [row for row in result.rows if row["task"] == task]


def test_variants_see_the_same_frames_and_worlds(settings: list[Setting]) -> None:
    plain, both = (
        settings[0].designs(coding, gated=gated)[0.85]
        for coding, gated in (("plain", False), ("attention", True))
    )
    for one, other in zip(plain.parts, both.parts, strict=True):
        assert (one.frames.rows.sort(2).values == other.frames.rows.sort(2).values).all()
        assert (one.frames.counts == other.frames.counts).all()


def test_every_kind_of_frames_has_its_own_requirements(results: list[Result]) -> None:
    assert {row["required"] for row in rows_of(results[1], "question")} == {0.85, 0.9, 0.999}
    assert {row["required"] for row in rows_of(results[1], "boxes")} == {0.8}
    assert {row["task"] for row in results[0].rows} == {"question", "boxes"}


def test_halves_side_by_side_decide_as_each_alone(settings: list[Setting]) -> None:
    setting = settings[0]
    decide = Searched(setting.offload.search).decide
    together = setting.problem(setting.designs("attention", gated=True)[0.9], gated=True, pixels=65536)
    found = decide(together, ROUTERS["dijkstra"]()).chosen
    start = 0
    for half in setting.halves:
        alone = replace(setting, halves=(half,))
        problem = alone.problem(alone.designs("attention", gated=True)[0.9], gated=True, pixels=65536)
        own, some = decide(problem, ROUTERS["dijkstra"]()).chosen, slice(start, start + half.worlds.n_worlds)
        start = some.stop
        assert torch.equal(own.offloaded, found.offloaded[some])
        assert torch.equal(own.data.level_frames, found.data.level_frames[some])
        assert torch.allclose(own.mean_s, found.mean_s[some])
        measured = together.joint.measured_accuracy(found.offloaded)[some]
        assert torch.equal(problem.joint.measured_accuracy(own.offloaded), measured)


def test_worlds_side_by_side_are_selected_in_order(settings: list[Setting]) -> None:
    design = settings[0].designs("plain", gated=False)[0.9]
    index = torch.tensor([0, 3, 4, 7])
    part = design.select(index)
    assert torch.equal(part.fewest, design.fewest[index])
    assert torch.equal(part.size_mbit, design.size_mbit[index])
    assert torch.equal(part.tasks.frames, design.tasks.frames[index])
    only_last = design.select(torch.tensor([5]))
    assert torch.equal(only_last.fewest, design.fewest[5:6])
    with pytest.raises(ValueError, match="ascending"):
        design.select(torch.tensor([4, 0]))


def test_schemes_expect_what_is_required_or_say_that_they_cannot(results: list[Result]) -> None:
    for row in rows_of(results[1], "question"):
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
    rows = {(row["required"], row["scheme"]): row for row in rows_of(results[1], "question")}
    for required in (0.85, 0.9):
        assert rows[required, "uniform"]["delay_s"] <= rows[required, "all offloaded"]["delay_s"] * 1.001


def test_every_place_is_there_and_waiting_takes_longer(results: list[Result]) -> None:
    rows = {(row["required"], row["place"], row["router"]): row for row in rows_of(results[2], "question")}
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
    assert "Question: gate" in text and "Highest requirement met: 0.9 uniformly, 0.9 with gate" in text
    assert "Boxes: " in text and "task (boxes) takes" in text and "over ISLs" in text


@pytest.mark.parametrize("values", [(), (1.0,), (0.0, 0.5), (0.9, 0.8)])
def test_impossible_accuracies_are_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match=r"joint\.accuracies\.scene="):
        AccuraciesConfig(scene=values)


def test_bad_settings_are_refused() -> None:
    for changes, problem in (
        ({"frames": (10, 5000)}, "joint.frames"),
        ({"tasks": ("riddle",)}, "some of question, scene, boxes"),
        ({"tasks": ()}, "joint.tasks"),
        ({"gate_samples": 10}, "joint.gate_samples=10 is not possible: 50 or more"),
        ({"router": "pigeon"}, "pigeon"),
        ({"classes": 0}, "joint.classes"),
    ):
        with pytest.raises(ConfigError, match=problem):
            replace(CONFIG, **changes)
