"""Choosing thresholds and quality: the cheapest setting that keeps its promise, and honesty when none does."""

from __future__ import annotations

import numpy as np
import pytest

from models.compression_choice import FIRST_SAMPLES, QUALITIES, REGIONS, choose_compressor, relative_loss

FULL = np.ones(400)


def judge_with(loss_per_quality: float, loss_per_alpha: float):
    """Bytes and scores that follow a formula; losses are spread over samples without noise."""

    def judge(compressor, number):
        lost = loss_per_quality * (100 - compressor.codec.quality) / 100 + loss_per_alpha * compressor.alpha
        size = 10.0 * compressor.codec.quality * (1 - 0.8 * compressor.alpha)
        return np.full(number, size), FULL[:number] - lost

    return judge


def test_the_cheapest_setting_within_the_target_wins():
    judge = judge_with(0.06, 0.02)
    choice = choose_compressor(judge, FULL, 0.05)
    allowed = [
        (10.0 * quality * (1 - 0.8 * alpha))
        for alpha, _ in REGIONS
        for quality in QUALITIES
        if 0.06 * (100 - quality) / 100 + 0.02 * alpha <= 0.05
    ]
    assert choice.met and choice.coded_bytes == pytest.approx(min(allowed)) and choice.loss <= 0.05


def test_when_nothing_is_good_enough_the_gentlest_is_chosen_and_says_so():
    choice = choose_compressor(judge_with(5.0, 5.0), FULL, 0.05)
    assert not choice.met and choice.compressor.alpha == 0.0 and choice.loss > 0.05


def test_doubt_counts_against_a_setting():
    """A mean loss within the target is not enough when samples disagree wildly."""
    random = np.random.default_rng(0)
    noise = random.choice([-1.0, 1.0], len(FULL))

    def judge(compressor, number):
        return np.full(number, 10.0), (FULL - 0.04 - noise + noise.mean())[:number]

    assert relative_loss(judge(None, len(FULL))[1], FULL)[0] == pytest.approx(0.04)
    assert not choose_compressor(judge, FULL, 0.05).met


def test_a_hopeless_setting_is_not_tried_on_all_samples_and_a_doubtful_one_is():
    asked = []

    def judge(compressor, number):
        asked.append((compressor.codec.quality, number))
        lost = 0.5 if compressor.codec.quality < 50 else 0.02
        return np.full(number, 10.0), FULL[:number] - lost

    choose_compressor(judge, FULL, 0.05, regions=[(0.0, 0.0)], qualities=(60, 40, 20))
    assert asked == [(60, FIRST_SAMPLES), (60, len(FULL)), (40, FIRST_SAMPLES)]


def test_losses_are_paired():
    full = np.array([1.0, 0.0, 1.0, 1.0])
    assert relative_loss(full, full) == (0.0, 0.0)
    assert relative_loss(np.array([1.0, 0.0, 0.0, 1.0]), full)[0] == pytest.approx(1 / 3)
    assert relative_loss(np.zeros(4), np.zeros(4)) == (0.0, 0.0)
    with pytest.raises(ValueError, match="too few"):
        choose_compressor(judge_with(0, 0), np.ones(1), 0.05)
