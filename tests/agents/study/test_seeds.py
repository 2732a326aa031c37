"""Intervals over seeds against scipy, and what pairing takes away."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from agents.study.seeds import over_seeds, paired_over_seeds

NUMBERS = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8)


@given(NUMBERS)
def test_the_interval_is_students(values: list[float]) -> None:
    found = over_seeds(values)
    half = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx((found.mean - half, found.mean + half), abs=1e-9)
    assert found.n_seeds == len(values)


def test_one_seed_has_no_interval() -> None:
    one = over_seeds([1.03])
    assert (one.low, one.high) == (1.03, 1.03)
    assert "±" not in str(one)
    with pytest.raises(ValueError, match="at least one"):
        over_seeds([])


@given(NUMBERS, st.floats(-10, 10))
def test_pairing_removes_what_seeds_have_in_common(values: list[float], shift: float) -> None:
    reference = dict(enumerate(values))
    moved = {seed: value + shift for seed, value in reference.items()} | {99: 1e6}
    difference = paired_over_seeds(moved, reference)
    assert difference.mean == pytest.approx(shift, abs=1e-9)
    assert difference.high - difference.low == pytest.approx(0, abs=1e-6)
