from __future__ import annotations

import pickle

import pytest
import torch

from envs.config import ConfigError, EnvironmentConfig, TaskConfig
from envs.constellation import Constellation
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.scenario import Scenario

SMALL = Constellation("small", "delta", 6, 8, 1000.0, 53.0, 1)
DAY = DayConfig(n_slots=30, training_slots=3, validation_slots=2, test_slots=1)


def scenario(constellation: Constellation = SMALL, n_tasks: int = 3) -> Scenario:
    return Scenario(constellation, EbN0Link(), DAY, TaskConfig(n_tasks=n_tasks), EnvironmentConfig())


def test_each_part_has_its_own_slots() -> None:
    split = DAY.split()
    for part in ("training", "validation", "test"):
        topology = scenario().ephemeris(part).topology
        assert torch.equal(topology.time_s, DAY.time_s[getattr(split, part)])


def test_another_process_builds_the_same() -> None:
    here, there = scenario(), pickle.loads(pickle.dumps(scenario()))
    assert here == there
    assert torch.equal(here.ephemeris("test").cost_to_go, there.ephemeris("test").cost_to_go)


def test_equal_seeds_give_equal_worlds() -> None:
    ephemeris = scenario().ephemeris("test")
    first, same, other = (scenario().worlds(ephemeris, 5, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.size_mbit, same.size_mbit)
    assert not torch.equal(first.size_mbit, other.size_mbit)


def test_a_collision_course_is_refused() -> None:
    with pytest.raises(ConfigError, match="km of each other"):
        scenario(Constellation("bad", "delta", 6, 8, 1000.0, 90.0, 0)).ephemeris("test")
