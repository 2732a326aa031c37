"""Utility networks Q_i(o_i, a): one network that every agent uses on its own observation.

Shapes: N observations (agents of any world and step together), F features, A actions, W hidden width,
G global features and D features per direction of a structured observation (agents/protocol.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, cast

import torch
from torch import Tensor, nn

from agents.config import UtilityConfig, UtilityKind
from agents.protocol import EnvironmentSpec, ObservationLayout

_ROWS_IN_CACHE = 512
"""A CPU judges this many observations at a time: what is between two layers stays in its cache, twice as fast."""


class Utility(nn.Module, ABC):
    """observation [N, F] -> Q [N, A], in the units of the reward; illegal actions have a value nobody reads.

    With `residual_on_prior`, Q = -(known cost of the direction, seconds) + a learned correction that starts
    at zero: the untrained agent already follows the known costs.
    """

    def __init__(self, spec: EnvironmentSpec, config: UtilityConfig) -> None:
        super().__init__()
        self.layout = spec.observation_layout
        self.compute_dtype = torch.float32  # of matrix products; a learner may lower it
        self.residual_on_prior = config.residual_on_prior
        if self.residual_on_prior:
            self.layout = _require_layout(spec, "algorithm.utility.residual_on_prior=true", "set it to false")

    @abstractmethod
    def correction(self, observation: Tensor) -> Tensor:
        """What the network says before the prior is added: [N, F] -> [N, A]."""

    def forward(self, observation: Tensor) -> Tensor:
        lowered = self.compute_dtype is not torch.float32
        with torch.autocast(observation.device.type, self.compute_dtype, enabled=lowered):
            values = self.correction(observation).float()
        if not self.residual_on_prior:
            return values
        assert self.layout is not None
        _, directions = self.layout.split(observation)
        return values - directions[..., self.layout.prior] * self.layout.prior_scale_s

    @torch.no_grad()
    def judge(self, observation: Tensor) -> Tensor:
        """The values of `forward`, for those who only act on them."""
        if observation.device.type != "cpu" or len(observation) <= _ROWS_IN_CACHE:
            return self(observation)
        return torch.cat([self(rows) for rows in observation.split(_ROWS_IN_CACHE)])


class FlatUtility(Utility):
    """A two-layer perceptron on the flat observation: for any environment, but bound to its topology."""

    def __init__(self, spec: EnvironmentSpec, config: UtilityConfig) -> None:
        super().__init__(spec, config)
        width = config.width
        self.body = nn.Sequential(
            nn.Linear(spec.observation_size, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.head = nn.Linear(width, spec.n_actions)
        if self.residual_on_prior:
            zero_(self.head)

    def correction(self, observation: Tensor) -> Tensor:
        return self.head(self.body(observation))


class DirectionSharedUtility(Utility):
    """One encoder for all directions; each is judged beside the mean and the maximum of the legal ones.

    Renaming the directions renames the values and changes nothing else, and no weight belongs to a direction:
    that is why the network transfers between constellations (after Deep Sets, Zaheer et al. 2017).
    """

    def __init__(self, spec: EnvironmentSpec, config: UtilityConfig) -> None:
        super().__init__(spec, config)
        self.layout = _require_layout(spec, "algorithm.utility.kind=direction_shared", "choose flat")
        width = config.width
        self.encode_global = nn.Linear(self.layout.n_global, width)
        self.encode_direction = nn.Linear(self.layout.n_per_direction, width, bias=False)
        self.hidden = nn.Linear(width, width)
        self.judge_direction = nn.Linear(width, width, bias=False)
        self.judge_context = nn.Linear(2 * width, width)
        self.head = nn.Linear(width, 1)
        if self.residual_on_prior:
            zero_(self.head)

    def correction(self, observation: Tensor) -> Tensor:
        assert self.layout is not None
        common, directions = self.layout.split(observation)  # [N, G], [N, A, D]
        legal = directions[..., self.layout.legal, None]  # [N, A, 1]
        # Contiguous rows are one matrix product, and sums that nobody needs again are changed in place.
        encoded = self.encode_global(common)[:, None] + self.encode_direction(directions.contiguous())
        encoded = self.hidden(encoded.relu_())  # [N, A, W]
        encoded = (encoded * legal.to(encoded.dtype)).relu_()  # zero where illegal, zero or more elsewhere
        mean = encoded.sum(1) / legal.sum(1).clamp(min=1)  # [N, W]
        context = self.judge_context(torch.cat([mean, largest_direction(encoded)], dim=1))
        return self.head((self.judge_direction(encoded) + context[:, None]).relu_()).squeeze(-1)  # [N, A]


class _LargestDirection(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        largest = values.amax(1)
        ctx.save_for_backward(values, largest)
        return largest

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        values, largest = ctx.saved_tensors
        is_largest = torch.eq(values, largest[:, None], out=torch.empty_like(values))
        return is_largest.mul_((gradient / is_largest.sum(1))[:, None])


def largest_direction(values: Tensor) -> Tensor:
    """[N, A, W] -> [N, W], the largest of the directions: `amax(1)` with the same gradient, shared by ties.

    That of `amax` itself counts the ties in whole numbers, which alone was a fifth of this network's gradient.
    """
    return cast(Tensor, _LargestDirection.apply(values))


UTILITIES: dict[UtilityKind, type[Utility]] = {
    UtilityKind.flat: FlatUtility,
    UtilityKind.direction_shared: DirectionSharedUtility,
}


def build_utility(spec: EnvironmentSpec, config: UtilityConfig) -> Utility:
    """The utility network that `config.kind` names, sized for `spec`."""
    return UTILITIES[config.kind](spec, config)


def zero_(layer: nn.Linear) -> None:
    """Make a last layer say nothing yet."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


def _require_layout(spec: EnvironmentSpec, option: str, remedy: str) -> ObservationLayout:
    if spec.observation_layout is None:
        raise ValueError(f"{option} needs an environment with an observation_layout; {remedy}")
    return spec.observation_layout
