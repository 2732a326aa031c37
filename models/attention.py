"""Text-image attention per region, eq. (2) of SpaceVerse, in linear time, and what makes its thresholds meaningful.

K(x^r) is the sum over image tokens i of the region and prompt tokens j of cos(v_i, e_j). The sum is bilinear in
the normalised tokens, so K(x^r) = (sum_i v_i/|v_i|) . (sum_j e_j/|e_j|): O(N_V + N_E) instead of O(N_V N_E), exactly.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from models.interface import Encoding


@lru_cache(maxsize=64)
def _overlap(tokens: int, regions: int) -> Tensor:
    """Share of each token (one axis) that lies in each region, [regions, tokens]; columns sum to 1."""
    token_edge = torch.linspace(0, 1, tokens + 1)
    region_edge = torch.linspace(0, 1, regions + 1)
    low = torch.maximum(token_edge[None, :-1], region_edge[:-1, None])
    high = torch.minimum(token_edge[None, 1:], region_edge[1:, None])
    return (high - low).clamp(min=0) * tokens


def attention_sum(encoding: Encoding, regions: tuple[int, int]) -> Tensor:
    """K of eq. (2) for a grid of regions, [rows, columns]: the raw sum, as printed.

    A token that lies across a border counts for both regions by area.
    """
    rows, columns = encoding.grid
    return _overlap(rows, regions[0]) @ encoding.attended @ _overlap(columns, regions[1]).T


def attention_mean(encoding: Encoding, regions: tuple[int, int]) -> Tensor:
    """Eq. (2) divided by N_V N_E: the mean cosine, which does not grow with tokens or words, [rows, columns]."""
    rows, columns = encoding.grid
    words = int(encoding.content.sum()) or len(encoding.content)
    tokens_per_region = rows * columns / (regions[0] * regions[1])
    return attention_sum(encoding, regions) / (words * tokens_per_region)


def spread_scores(scores: Tensor) -> Tensor:
    """Scores on [0, 1] by the image's own smallest and largest; all equal gives 1 (nothing is less relevant)."""
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if float(high - low) > 1e-9 else torch.ones_like(scores)


def rank_scores(scores: Tensor) -> Tensor:
    """Scores on (0, 1] by rank: alpha = 0.35 then discards exactly 35% of the regions. Ties keep raster order."""
    order = torch.argsort(torch.argsort(scores.flatten(), stable=True), stable=True)
    return ((order + 1).float() / scores.numel()).view_as(scores)


NORMALISERS = {"spread": spread_scores, "rank": rank_scores}


def with_halo(scores: Tensor, share: float) -> Tensor:
    """Raise each region towards its best neighbour's score: objects do not end at region borders.

    share 0 leaves the scores alone, 1 gives every region its best neighbour's score; [rows, columns].
    """
    best = F.max_pool2d(scores[None, None], 3, 1, 1)[0, 0]
    return (1 - share) * scores + share * best
