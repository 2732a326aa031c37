"""Epsilon-greedy choice among legal actions, with an exploration rate of its own for every world."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.protocol import Decisions


def world_epsilons(mean: float, n_worlds: int, generator: torch.Generator) -> Tensor:
    """[E] exploration rates, uniform in [0, 2 mean], at most 1: some worlds are nearly greedy, some are not.

    A packet that plays well among packets that do not is rare when all explore alike.
    """
    draw = torch.rand(n_worlds, generator=generator, device=generator.device)
    return (2 * mean * draw).clamp(max=1.0)


def greedy(q: Tensor, legal: Tensor) -> Tensor:
    """q, legal [N, A] -> [N] the best legal action; -1 where there is none."""
    best = q.masked_fill(~legal, -torch.inf).argmax(dim=1)
    return torch.where(legal.any(dim=1), best, -1)


def epsilon_greedy(q: Tensor, legal: Tensor, epsilon: Tensor, chance: Tensor) -> Tensor:
    """q, legal [N, A], epsilon [N] -> [N]: with probability epsilon a uniform legal action, else the best.

    chance: [N, A + 1] uniform in [0, 1). An agent without a legal action gets -1.
    """
    explore, preference = chance[:, 0] < epsilon, chance[:, 1:]
    return greedy(torch.where(explore[:, None], preference, q), legal)


class Exploration:
    """The exploration of E worlds, numbers `first` to `first + E - 1` of the `of` worlds of a rollout.

    Chance is drawn for all worlds and all agents of the rollout, whoever plays them and whoever decides, so that a
    world explores alike wherever it is played.

    mean: exploration rate, over the worlds. generator: on the device of the worlds.
    """

    def __init__(
        self, mean: float, *, n_worlds: int, first: int, of: int, n_agents: int, generator: torch.Generator
    ) -> None:
        self.generator = generator
        self._shape = (of, n_agents)
        self._mine = slice(first, first + n_worlds)
        self.epsilon = world_epsilons(mean, of, generator)[self._mine]  # [E]

    def choose(self, q: Tensor, now: Decisions) -> Tensor:
        """q [N, A] of the decisions of one step -> actions [N]."""
        chance = torch.rand(
            *self._shape, q.shape[1] + 1, generator=self.generator, device=self.generator.device
        )
        mine = chance[self._mine][now.world, now.agent]
        return epsilon_greedy(q, now.legal, self.epsilon[now.world], mine)
