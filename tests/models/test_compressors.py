"""Eq. (2) against its double sum, eq. (3) against its cases, and every compressor's bytes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from models.attention import attention_mean, attention_sum, rank_scores, spread_scores, with_halo
from models.codec import restore
from models.compressors import (
    COMPRESSORS,
    AttentionMask,
    IdealMask,
    RandomMask,
    Request,
    SpaceVerseCompressor,
    coded_factors,
    scale_factors,
)
from models.interface import Encoding


def encoding(grid=(12, 12), words=3, seed=0) -> Encoding:
    torch.manual_seed(seed)
    content = torch.tensor([False] + [True] * (words - 1))
    return Encoding(torch.randn(grid[0] * grid[1], 16), torch.randn(words, 16), content, grid)


@pytest.mark.parametrize("regions", [(12, 12), (6, 4), (3, 3)])
def test_linear_time_attention_is_the_double_sum(regions):
    given = encoding()
    cosine = F.normalize(given.image, dim=-1) @ F.normalize(given.prompt[given.content], dim=-1).T
    per_token = cosine.sum(1).view(12, 12)
    high, wide = 12 // regions[0], 12 // regions[1]
    naive = per_token.view(regions[0], high, regions[1], wide).sum((1, 3))
    torch.testing.assert_close(attention_sum(given, regions), naive, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        attention_mean(given, regions), naive / (2 * high * wide), atol=1e-5, rtol=1e-4
    )


def test_regions_that_cut_tokens_share_them_by_area():
    given = encoding()
    uneven = attention_sum(given, (10, 10))
    assert float(uneven.sum()) == pytest.approx(float(attention_sum(given, (12, 12)).sum()), abs=1e-3)


@pytest.mark.parametrize("words", [1, 4])
def test_attention_survives_in_the_plane(words):
    """What compressors read of an encoding is kept in two dimensions a token."""
    given = encoding(words=words)
    flat = given.in_the_plane()
    assert flat.image.shape == (144, 2)
    for regions in ((12, 12), (5, 7)):
        torch.testing.assert_close(
            attention_mean(flat, regions), attention_mean(given, regions), atol=1e-6, rtol=0
        )


def test_normalised_scores():
    scores = torch.randn(5, 5)
    ranks = rank_scores(scores)
    assert sorted(ranks.flatten().tolist()) == pytest.approx([(i + 1) / 25 for i in range(25)])
    assert torch.equal(ranks.flatten().argsort(), scores.flatten().argsort())
    assert float(spread_scores(scores).min()) == 0 and float(spread_scores(scores).max()) == 1
    assert torch.equal(spread_scores(torch.ones(2, 2)), torch.ones(2, 2))
    assert (with_halo(scores, 0.5) >= scores - 1e-6).all()
    assert torch.equal(with_halo(scores, 0.0), scores)


def test_eq3_case_by_case():
    scores = np.array([0.0, 0.34, 0.35, 0.45, 0.549, 0.55, 1.0])
    factor = scale_factors(scores, 0.35, 0.55)
    assert factor[:2].tolist() == [0, 0]  # discarded
    assert factor[2] == 4.0  # the printed factor is infinite here: clamped
    assert factor[3] == pytest.approx(0.2 / 0.1)
    assert factor[4] == pytest.approx(0.2 / 0.199)
    assert factor[5:].tolist() == [1, 1]
    assert coded_factors(factor).tolist() == [0, 0, 4, 2, 1, 1, 1]
    assert (np.diff(factor[2:]) <= 0).all()  # more important regions are never coarser
    with pytest.raises(ValueError, match="alpha"):
        scale_factors(scores, 0.6, 0.5)


def test_every_compressor_gives_bytes_that_restore():
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    relevant = np.zeros((96, 96), bool)
    relevant[20:40, 50:60] = True
    request = Request(image, encoding(), relevant, seed=1)
    for name, kind in COMPRESSORS.items():
        back = restore(kind().compress(request))
        assert back.shape == image.shape, name
    exact = restore(COMPRESSORS["none"]().compress(request))
    assert np.array_equal(exact, image)


def test_masks_keep_the_share_they_were_asked_for():
    image = np.full((96, 96, 3), 200, np.uint8)
    for kind in (RandomMask, AttentionMask):
        for keep in (0.1, 0.5, 1.0):
            back = restore(kind(keep=keep).compress(Request(image, encoding(), seed=3)))
            tiles = back.reshape(12, 8, 12, 8, 3).mean((1, 3, 4)) > 100
            assert tiles.sum() == pytest.approx(keep * 144, abs=1)


def test_the_ideal_mask_keeps_exactly_what_matters():
    image = np.full((96, 96, 3), 200, np.uint8)
    relevant = np.zeros((96, 96), bool)
    relevant[3:10, 90:96] = True
    back = restore(IdealMask().compress(Request(image, None, relevant)))
    tiles = back.reshape(12, 8, 12, 8, 3).mean((1, 3, 4)) > 100
    assert np.argwhere(tiles).tolist() == [[0, 11], [1, 11]]


def test_the_most_attended_region_is_kept_and_bytes_fall_with_alpha():
    torch.manual_seed(1)
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    given = encoding()
    sizes = [
        len(SpaceVerseCompressor(alpha=a, beta=min(1.0, a + 0.1), halo=0.0).compress(Request(image, given)))
        for a in (0.1, 0.5, 0.8)
    ]
    assert sizes == sorted(sizes, reverse=True)
    with pytest.raises(ValueError, match="encoding"):
        SpaceVerseCompressor().compress(Request(image))
    with pytest.raises(ValueError, match="normaliser"):
        SpaceVerseCompressor(normaliser="magic")
