"""Reading and comparing the weights that an algorithm has learned."""

from __future__ import annotations

from typing import cast

import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.learner import Learner

from agents.rllib import QMIX

Weights = dict[str, torch.Tensor]


def learned_weights(algorithm: QMIX) -> list[Weights]:
    """A copy of each learner's weights, targets and statistics."""

    def read(learner: Learner, *_: object) -> Weights:
        assert learner.module is not None
        state = learner.module[DEFAULT_MODULE_ID].unwrapped().get_state()
        return {name.removeprefix("model."): torch.tensor(value) for name, value in state.items()}

    answers = [answer.get() for answer in algorithm.learner_group.foreach_learner(read)]
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    return cast(list[Weights], answers)


def assert_equal(a: Weights, b: Weights) -> None:
    """Value for value."""
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


def assert_close(a: Weights, b: Weights) -> None:
    """Up to rounding, which Adam's first steps on vanishing gradients enlarge."""
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(
            a[name], b[name], rtol=1e-3, atol=2e-5, msg=lambda text, n=name: f"{n}: {text}"
        )
