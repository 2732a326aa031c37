"""When curves settle, on curves whose answer is plain."""

import numpy as np
import pytest

from agents.study.settling import settled_after

EPOCHS = list(range(10, 410, 10))


def test_a_constant_has_always_been_settled() -> None:
    assert settled_after(EPOCHS, [5.0] * len(EPOCHS)) == 10


def test_an_exponential_settles_where_it_enters_the_band() -> None:
    values = [1 + np.exp(-epoch / 40) for epoch in EPOCHS]
    first = next(epoch for epoch, value in zip(EPOCHS, values, strict=True) if value <= 1.02)
    assert settled_after(EPOCHS, values) in (first - 10, first), "the level is a little above the limit"


@pytest.mark.parametrize("bump_at", [0, 20, 29])
def test_the_last_excursion_counts(bump_at: int) -> None:
    values = [5.0] * len(EPOCHS)
    values[bump_at] = 6.0
    assert settled_after(EPOCHS, values) == EPOCHS[bump_at + 1]


def test_what_still_moves_in_the_last_quarter_has_not_settled() -> None:
    assert settled_after(EPOCHS, list(np.linspace(2, 1, len(EPOCHS)))) is None
    values = [5.0] * len(EPOCHS)
    values[-3] = 6.0
    assert settled_after(EPOCHS, values) is None


def test_the_sign_of_the_level_does_not_matter() -> None:
    values = np.array([-50.0, -20.0] + [-10.0] * 18)
    assert settled_after(range(20), list(values)) == settled_after(range(20), list(-values)) == 2


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 values for 3 epochs"):
        settled_after([1, 2, 3], [1.0, 2.0])
