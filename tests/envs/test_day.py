from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from envs.config import ConfigError
from envs.day import DayConfig


@given(st.integers(1, 50), st.integers(1, 20), st.integers(1, 20), st.integers(0, 2000))
def test_parts_are_disjoint_of_the_asked_sizes_and_inside_the_day(a: int, b: int, c: int, spare: int) -> None:
    day = DayConfig(n_slots=a + b + c + spare, training_slots=a, validation_slots=b, test_slots=c)
    split = day.split()
    assert [len(part) for part in (split.training, split.validation, split.test)] == [a, b, c]
    together = torch.cat([split.training, split.validation, split.test])
    assert len(together.unique()) == a + b + c
    assert together.min() >= 0
    assert together.max() < day.n_slots


def test_split_is_the_same_every_time_and_covers_the_day() -> None:
    first, second = DayConfig().split(), DayConfig().split()
    assert torch.equal(first.training, second.training)
    together = torch.cat([first.training, first.validation, first.test]).sort().values
    assert together.diff().max() <= 26  # 1440 slots, 56 of them in use


def test_times_are_multiples_of_the_slot() -> None:
    assert DayConfig(slot_s=30.0).time_s[:3].tolist() == [0.0, 30.0, 60.0]


def test_a_day_too_short_for_its_parts_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"day\.n_slots=55 .* at least 56"):
        DayConfig(n_slots=55)


def test_a_day_has_seen_none_of_its_own_test_slots():
    for day in (DayConfig(), DayConfig(n_slots=60, training_slots=5, validation_slots=2, test_slots=3)):
        assert day.seen_in(day) == []


def test_test_slots_that_were_trained_on_are_found():
    trained = DayConfig(n_slots=20, training_slots=12, validation_slots=4, test_slots=4)
    other = DayConfig(n_slots=20, training_slots=4, validation_slots=2, test_slots=14)
    split, seen = trained.split(), other.seen_in(trained)
    known = {*split.training.tolist(), *split.validation.tolist()}
    assert seen == [slot for slot in other.split().test.tolist() if slot in known]
    assert seen
    # The same moments cut finer: slots have other numbers.
    fine = DayConfig(slot_s=30.0, n_slots=40, training_slots=1, validation_slots=1, test_slots=38)
    assert {slot / 2 for slot in fine.seen_in(trained)} <= known
