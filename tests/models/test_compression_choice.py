"""Choosing thresholds and quality: the cheapest setting that keeps its promise, and honesty when none does."""

from __future__ import annotations

import numpy as np
import pytest

from models.compression_choice import (
    FIRST_SAMPLES,
    LEAST_SAMPLES,
    MOST_SAMPLES,
    QUALITIES,
    REGIONS,
    choose_compressor,
    choose_per_task,
    relative_loss,
    rows_to_judge,
)
from models.delivery import Arrival
from models.record import Record
from models.sample import Sample, Task

FULL = np.ones(400)


def record_of(number: int, large_score: np.ndarray | None = None) -> Record:
    """Questions about nothing, of which only the large model's scores matter."""
    sample = Sample(np.zeros((8, 8, 3), np.uint8), "is there a ship?", "no", Task.QUESTION)
    full = np.ones(number) if large_score is None else large_score
    return Record([sample] * number, [], [], full, full, full, full)


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


def test_hard_samples_that_tolerate_less_are_compressed_less():
    """Easy ones bear anything, hard ones (every third) lose with quality: what is sent decides."""
    hard = np.arange(300) % 3 == 0
    confidence = np.where(hard, 0.2, 0.9)

    def deliver(compressor, record, rows):
        lost = np.where(hard[rows], 0.1 * (60 - compressor.codec.quality) / 48, 0.0)
        return Arrival(np.full(len(rows), float(compressor.codec.quality)), 1.0 - lost, np.zeros(len(rows)))

    record = record_of(300)
    choices = [
        choose_per_task(record, deliver, 0.05, sent, confidence)[Task.QUESTION]
        for sent in (np.ones(300, bool), hard)
    ]
    assert [choice.compressor.codec.quality for choice in choices] == [12, 45]
    assert [choice.samples for choice in choices] == [200, 100]
    assert all(choice.met for choice in choices)


def test_the_loss_is_relative_to_the_large_model_on_the_same_samples():
    """Of the hard half the large model answers every fifth: losing one answer in ten there is half of what it has."""
    hard = np.arange(200) % 2 == 0
    right = np.where(hard, np.arange(200) % 10 == 0, True).astype(float)

    def deliver(compressor, record, rows):
        scores = np.where(rows % 20 == 0, 0.0, right[rows])
        return Arrival(np.full(len(rows), 10.0), scores, np.zeros(len(rows)))

    choice = choose_per_task(record_of(200, right), deliver, 0.05, hard, right)[Task.QUESTION]
    assert not choice.met and choice.loss == pytest.approx(0.5)


def test_when_few_are_sent_the_next_doubtful_ones_join():
    rows, confidence = np.arange(10, 400), np.linspace(1.0, 0.0, 400)
    sent = np.zeros(400, bool)
    sent[[3, 20, 390]] = True  # 3 is of another task
    chosen = rows_to_judge(rows, sent, confidence)
    assert len(chosen) == LEAST_SAMPLES
    assert chosen.tolist() == sorted([20, *range(400 - LEAST_SAMPLES + 1, 400)])
    sent[:] = True
    assert rows_to_judge(rows, sent, confidence).tolist() == list(range(10, 10 + MOST_SAMPLES))
    assert rows_to_judge(rows[:3], ~sent, confidence).tolist() == [10, 11, 12]
