"""What arrives behind a compressor: the same one sample at a time, in batches, and when it was asked before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.codec import restore
from models.compressors import (
    COMPRESSORS,
    Codec,
    IdealMask,
    NoCompression,
    RandomMask,
    Request,
    SpaceVerseCompressor,
    UniformResize,
)
from models.delivery import Delivery
from models.pair.model import PairModel
from models.procedural import procedural_samples, relevant_pixels
from models.record import record
from models.similarity import quality

TRIED = [
    SpaceVerseCompressor(codec=Codec("WEBP", 40)),
    UniformResize(0.5),
    RandomMask(0.5),
    NoCompression(),
    IdealMask(),
]


class Counting(PairModel):
    """A model whose calls are counted."""

    def __init__(self, inner: PairModel):
        super().__init__(inner.network, inner.name)
        self.answered = self.encoded = 0

    def answers(self, samples):
        self.answered += len(samples)
        return super().answers(samples)

    def encode(self, image, prompt):
        self.encoded += 1
        return super().encode(image, prompt)


@pytest.fixture(scope="module")
def pair():
    return PairModel.load("small"), PairModel.load("large")


@pytest.fixture(scope="module")
def seen(pair):
    return record(pair[0], pair[1], procedural_samples(range(5_000_000, 5_000_012)))[0]


@pytest.mark.parametrize("compressor", TRIED, ids=lambda one: one.name)
def test_batches_say_what_single_samples_say(pair, seen, compressor):
    rows = np.arange(len(seen))
    arrived = Delivery(pair[1], truth=relevant_pixels).judge(compressor, seen, rows)
    for row in rows:
        sample, trace = seen.samples[row], seen.traces[row]
        data = compressor.compress(
            Request(sample.image, trace.encoding, relevant_pixels(sample), seed=int(row))
        )
        image = restore(data)
        answer = pair[1].trace(replace(sample, image=image)).answer
        assert arrived.sizes[row] == len(data)
        assert arrived.scores[row] == pytest.approx(quality(answer, sample.target, sample.task), abs=1e-4)
        assert arrived.black[row] == pytest.approx((image.sum(-1) == 0).mean())


def test_nothing_is_answered_twice_and_the_order_of_rows_is_kept(pair, seen):
    large = Counting(pair[1])
    delivery = Delivery(large, truth=relevant_pixels)
    first = delivery.judge(TRIED[0], seen, np.arange(10))
    assert large.answered == 10
    again = delivery.judge(SpaceVerseCompressor(codec=Codec("WEBP", 40)), seen, np.array([12, 3, 9]))
    assert large.answered == 11
    np.testing.assert_array_equal(again.sizes[1:], first.sizes[[3, 9]])
    np.testing.assert_array_equal(again.scores[1:], first.scores[[3, 9]])
    delivery.judge(TRIED[0], seen.select(np.arange(10)), np.arange(10))  # another record: other samples
    assert large.answered == 21


def test_an_encoder_of_its_own_looks_once_and_changes_nothing_by_what_is_kept(pair, seen):
    encoder = Counting(pair[0])
    delivery = Delivery(pair[1], encoder, relevant_pixels)
    rows = np.arange(9)
    for compressor in TRIED:
        found = delivery.judge(compressor, seen, rows)
        own = Delivery(pair[1], truth=relevant_pixels).judge(compressor, seen, rows)
        np.testing.assert_allclose(found.sizes, own.sizes, rtol=0.02)  # ranks may differ where cosines tie
    assert encoder.encoded == len(rows)


def test_a_compressor_of_the_image_alone_ignores_the_prompt(seen):
    for kind in COMPRESSORS.values():
        if kind.image_alone:
            sample = seen.samples[0]
            made = {kind().compress(Request(sample.image, seen.traces[row].encoding)) for row in range(3)}
            assert len(made) == 1
