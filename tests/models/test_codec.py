"""Coded images come back: exactly where the codec is lossless, region by region, at every scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.codec import FACTORS, Codec, edges, encode_regions, encode_whole, restore

PNG = Codec("PNG")


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, (height, width, 3), dtype=np.uint8)


@settings(max_examples=30, deadline=None)
@given(st.integers(16, 70), st.integers(16, 70), st.integers(1, 8), st.integers(1, 8), st.integers(0, 10**6))
def test_kept_regions_are_exact_and_dropped_ones_black(height, width, rows, columns, seed):
    image = picture(height, width)
    factor = np.random.default_rng(seed).choice(FACTORS, size=(rows, columns))
    back = restore(encode_regions(image, factor, PNG))
    assert back.shape == image.shape
    y, x = edges(height, rows), edges(width, columns)
    for r in range(rows):
        for c in range(columns):
            here = np.s_[y[r] : y[r + 1], x[c] : x[c + 1]]
            if factor[r, c] == 1:
                assert np.array_equal(back[here], image[here])
            elif factor[r, c] == 0:
                assert not back[here].any()


def test_coarse_regions_of_even_size_hold_the_block_means():
    image = picture(32, 32)
    factor = np.full((4, 4), 2)
    flat = np.repeat(
        np.repeat(image.reshape(16, 2, 16, 2, 3).mean((1, 3)).round().astype(np.uint8), 2, 0), 2, 1
    )
    constant = restore(encode_regions(flat, factor, PNG))
    assert np.abs(constant.astype(int) - flat.astype(int)).mean() < 40


@pytest.mark.parametrize("format", ["WEBP", "JPEG", "PNG", "AVIF"])
def test_every_codec_round_trips_a_smooth_image(format):
    y, x = np.mgrid[:48, :64]
    image = np.stack([2 * y + 60, 2 * x + 40, y + x + 30], -1).astype(np.uint8)
    back = restore(encode_whole(image, Codec(format, 90)))
    assert back.shape == image.shape and np.abs(back.astype(int) - image.astype(int)).mean() < 4
    back = restore(encode_regions(image, np.ones((6, 8), int), Codec(format, 90)))
    assert np.abs(back.astype(int) - image.astype(int)).mean() < 6


def test_an_image_without_a_kept_region_is_black():
    assert not restore(encode_regions(picture(40, 40), np.zeros((5, 5), int), PNG)).any()


def test_a_smaller_scale_costs_fewer_bytes_and_keeps_the_size():
    image = picture(64, 64)
    sizes = [len(encode_whole(image, PNG, scale)) for scale in (1.0, 0.5, 0.25)]
    assert sizes == sorted(sizes, reverse=True)
    assert restore(encode_whole(image, PNG, 0.25)).shape == image.shape


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Codec("GIF"), "codec.format"),
        (lambda: Codec(quality=0), "codec.quality"),
        (lambda: encode_whole(picture(16, 16), PNG, 0.0), "scale"),
        (lambda: encode_regions(picture(16, 16), np.full((2, 2), 3), PNG), "factors"),
        (lambda: encode_regions(picture(16, 16), np.ones((20, 2), int), PNG), "cannot be cut"),
        (lambda: restore(b"nonsense that is long enough"), "not an image"),
    ],
)
def test_bad_requests_name_the_field(call, words):
    with pytest.raises(ValueError, match=words):
        call()
