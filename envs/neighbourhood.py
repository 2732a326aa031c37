"""Which satellites are within three hops of each: where a look-ahead looks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Neighbourhood:
    """Satellites around each of V, whatever the slot; those two hops away once each, though many ways lead there.

    second: [V, U] long, the satellites two hops away (the one itself among them); where there are fewer than U, the
        first of them fills the row. In a grid U is 9, of 16 ways.
    way: [V, 16] long, where in `second` one gets in directions d and d' (column 4 d + d').
    third: [V, 4 U] long, the neighbours of `second`.
    """

    second: Tensor
    way: Tensor
    third: Tensor

    @classmethod
    def of(cls, neighbours: Tensor) -> Neighbourhood:
        """From `neighbours` [V, 4] long."""
        n = len(neighbours)
        reached = neighbours[neighbours].view(n, 16)
        same = reached[:, :, None] == reached[:, None, :]  # [V, 16, 16]
        earliest = same.int().argmax(2)  # [V, 16] the first way to the same satellite
        new = earliest == torch.arange(16, device=neighbours.device)
        number = new.cumsum(1) - 1  # [V, 16]
        way = number.gather(1, earliest)
        n_second = int(new.sum(1).max())
        second = reached[:, :1].repeat(1, n_second).scatter_(1, way, reached)
        return cls(second, way, neighbours[second].view(n, 4 * n_second))
