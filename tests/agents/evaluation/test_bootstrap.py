import numpy as np
import pytest
from scipy.stats import bootstrap

from agents.evaluation import ratio_interval


def test_interval_is_that_of_scipys_paired_bootstrap():
    generator = np.random.default_rng(0)
    hardness = generator.gamma(4.0, size=200)
    values, reference = hardness * generator.uniform(1.0, 1.6, 200), hardness
    ours = ratio_interval(values, reference)
    scipys = bootstrap(
        (values, reference),
        lambda a, b, axis: a.mean(axis) / b.mean(axis),
        paired=True,
        method="percentile",
        n_resamples=4000,
        rng=1,
    ).confidence_interval
    width = scipys.high - scipys.low
    assert ours.low == pytest.approx(scipys.low, abs=0.1 * width)
    assert ours.high == pytest.approx(scipys.high, abs=0.1 * width)
    assert ours.low < values.mean() / reference.mean() < ours.high


def test_pairing_cancels_what_makes_a_world_hard():
    hardness = np.random.default_rng(1).gamma(1.0, size=50)
    assert ratio_interval(1.25 * hardness, hardness) == pytest.approx((1.25, 1.25))


def test_same_seed_same_interval_and_wider_with_more_confidence():
    generator = np.random.default_rng(2)
    values, reference = generator.uniform(1, 2, 40), generator.uniform(1, 2, 40)
    assert ratio_interval(values, reference, seed=3) == ratio_interval(values, reference, seed=3)
    narrow, wide = (ratio_interval(values, reference, confidence=c) for c in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_several_trainings_on_the_same_worlds_widen_the_interval_by_their_own_spread():
    generator = np.random.default_rng(4)
    hardness = generator.gamma(4.0, size=300)
    worlds_only = hardness * generator.uniform(1.0, 1.2, 300)
    same = ratio_interval(np.stack([worlds_only] * 3), hardness)
    assert same == pytest.approx(ratio_interval(worlds_only, hardness), abs=2e-3)
    spread = np.array([0.9, 1.0, 1.1])[:, None] * worlds_only
    wide = ratio_interval(spread, hardness)
    mean = spread.mean(0).sum() / hardness.sum()
    assert wide.low < same.low < mean < same.high < wide.high
    assert wide.high - wide.low == pytest.approx(
        2 * 1.96 * mean * np.sqrt(2 / 3) * 0.1 / np.sqrt(3), rel=0.15
    )
