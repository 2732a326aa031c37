"""Learners that share a batch compute the gradient, the scale and the statistics of the one that has it all."""

from __future__ import annotations

import copy
import threading
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from agents.config import AlgorithmConfig, MixerConfig, MixerKind, Precision, UtilityConfig, UtilityKind
from agents.episodes import Batch
from agents.protocol import EnvironmentSpec
from agents.qmix import QMIXModel
from agents.shards import WHOLE_BATCH, mean_over_shards, spread_over_shards
from agents.trainer import play_rollout, seeded_model
from tests.agents.games import WalkGame

CONFIG = AlgorithmConfig(
    precision=Precision.float32,
    utility=UtilityConfig(kind=UtilityKind.direction_shared, width=8),
    mixer=MixerConfig(width=8, hypernetwork_width=8, embedding=4),
)


class ThreadGroup:
    """Learners in threads, for which `total` waits until all have asked."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.given: list[Tensor | None] = [None] * count
        self.barrier = threading.Barrier(count)
        self.rank = threading.local()

    def total(self, values: Tensor) -> Tensor:
        self.given[self.rank.value] = values.detach()
        self.barrier.wait(timeout=30)
        total = torch.stack([value for value in self.given if value is not None]).sum(dim=0)
        self.barrier.wait(timeout=30)
        return total


def gradient_of(model: QMIXModel, batch: Batch) -> list[Tensor]:
    loss = model.loss(batch)["loss"]
    model.zero_grad()
    loss.backward()
    return [torch.zeros_like(p) if p.grad is None else p.grad for p in model.online_parameters()]


def gradients_of_shards(model: QMIXModel, batch: Batch, count: int) -> list[tuple[QMIXModel, list[Tensor]]]:
    """The model and gradient of each of `count` learners with their even shards of `batch`."""
    group, size = ThreadGroup(count), len(batch["length"]) // count
    learners = [copy.deepcopy(model) for _ in range(count)]
    gradients: list[list[Tensor]] = [[] for _ in learners]

    def learn(rank: int) -> None:
        group.rank.value = rank
        learners[rank].shards = group
        shard = {name: value[rank * size : (rank + 1) * size] for name, value in batch.items()}
        gradients[rank] = gradient_of(learners[rank], shard)

    threads = [threading.Thread(target=learn, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return list(zip(learners, gradients, strict=True))


@pytest.mark.parametrize("kind", list(MixerKind))
@pytest.mark.parametrize("count", [2, 4])
def test_learners_with_shards_make_the_update_of_one_with_the_batch(kind: MixerKind, count: int) -> None:
    game = WalkGame(8, stumble=0.3)
    config = replace(CONFIG, mixer=replace(CONFIG.mixer, kind=kind))
    model = seeded_model(EnvironmentSpec.of(game), config, seed=1)
    batch = play_rollout(game, lambda o: torch.rand(len(o), 2), seed=0, rollout=3, epsilon=0.5).to_batch()
    decisions = batch["valid"].sum(dim=1)
    assert decisions.min() < decisions.max(), "episodes of one length would be no test"
    batch = {name: value[decisions.argsort()] for name, value in batch.items()}  # shards of unequal size

    whole = copy.deepcopy(model)
    expected = gradient_of(whole, batch)
    learners = gradients_of_shards(model, batch, count)
    for number, gradient in enumerate(expected):
        averaged = torch.stack([own[number] for _, own in learners]).mean(dim=0)
        torch.testing.assert_close(averaged, gradient, rtol=1e-4, atol=1e-6)
    for learner, _ in learners:
        for statistic, mine in zip(whole.buffers(), learner.buffers(), strict=True):
            torch.testing.assert_close(mine, statistic)


def test_of_one_learner_the_shard_is_the_batch() -> None:
    values, where = torch.randn(50), torch.rand(50) < 0.5
    torch.testing.assert_close(mean_over_shards(values, where, WHOLE_BATCH), values[where].mean())
    n, variance = spread_over_shards(values, where, WHOLE_BATCH)
    assert n == where.sum()
    torch.testing.assert_close(variance, values[where].var(correction=0))


def test_nothing_has_the_mean_and_the_variance_zero() -> None:
    nothing = torch.zeros(0)
    assert mean_over_shards(nothing, nothing.bool(), WHOLE_BATCH) == 0
    assert [float(x) for x in spread_over_shards(nothing, nothing.bool(), WHOLE_BATCH)] == [0, 0]
