"""What a loss must know of the rest of a batch when several learners compute it, each on a shard."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, distributed


class Shards(Protocol):
    """The learners that share a batch: `count` of them, whose gradients are averaged."""

    @property
    def count(self) -> int: ...

    def total(self, values: Tensor) -> Tensor:
        """Sum of `values` over all shards; every learner must ask for the same sums in the same order."""
        ...


class WholeBatch:
    """One learner has it all."""

    count = 1

    def total(self, values: Tensor) -> Tensor:
        return values


class ProcessGroup:
    """One learner per process of torch's default group (gloo or NCCL)."""

    @property
    def count(self) -> int:
        return distributed.get_world_size()

    def total(self, values: Tensor) -> Tensor:
        values = values.detach().clone()
        distributed.all_reduce(values)
        return values


WHOLE_BATCH = WholeBatch()


def mean_over_shards(values: Tensor, where: Tensor, shards: Shards) -> Tensor:
    """Mean of `values` where `where`, over all shards: averaged over the learners it is the mean over the batch.

    A mean over each shard instead would weigh the decisions of short shards more. 0 when `where` is nowhere.
    """
    n = shards.total(where.sum()).clamp(min=1)
    return torch.where(where, values, 0.0).sum() * shards.count / n


def spread_over_shards(values: Tensor, where: Tensor, shards: Shards) -> tuple[Tensor, Tensor]:
    """Number and variance of `values` [N] where `where`, over all shards: the same on every learner; variance 0 of
    nothing."""
    n = shards.total(where.sum())
    mean = shards.total(torch.where(where, values, 0.0).sum()) / n.clamp(min=1)
    squares = torch.where(where, (values - mean).square(), 0.0)
    return n, shards.total(squares.sum()) / n.clamp(min=1)
