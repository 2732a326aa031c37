"""Exploration stays legal, follows its rate and is reproducible."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.exploration import Exploration, epsilon_greedy, greedy, world_epsilons
from tests.agents.games import Decisions


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def chance(n: int, n_actions: int) -> Tensor:
    return torch.rand(n, n_actions + 1, generator=generator())


def test_illegal_actions_are_never_chosen() -> None:
    random = generator()
    legal = torch.rand(5000, 4, generator=random) < 0.4
    legal[:, 2] |= ~legal.any(dim=1)
    q = torch.where(legal, -1e9, 1e9)  # the illegal ones look best
    for epsilon in (0.0, 0.5, 1.0):
        action = epsilon_greedy(q, legal, torch.full((5000,), epsilon), torch.rand(5000, 5, generator=random))
        assert legal.gather(1, action[:, None]).all()


def test_an_agent_without_a_legal_action_does_nothing() -> None:
    legal = torch.tensor([[False, False], [False, True]])
    assert greedy(torch.zeros(2, 2), legal).tolist() == [-1, 1]
    assert epsilon_greedy(torch.zeros(2, 2), legal, torch.ones(2), chance(2, 2)).tolist() == [-1, 1]
    assert greedy(torch.zeros(0, 2), legal[:0]).shape == (0,)


def test_epsilon_is_the_share_of_uniform_legal_actions() -> None:
    n = 40000
    q = torch.tensor([[0.0, 5.0, 1.0, 9.0]]).expand(n, 4)
    legal = torch.tensor([[True, True, True, False]]).expand(n, 4)
    action = epsilon_greedy(q, legal, torch.full((n,), 0.3), chance(n, 4))
    share = torch.bincount(action, minlength=4) / n
    torch.testing.assert_close(share, torch.tensor([0.1, 0.8, 0.1, 0.0]), atol=0.01, rtol=0)


def test_every_agent_explores_at_its_own_rate() -> None:
    n = 20000
    q, legal = torch.tensor([[1.0, 0.0]]).expand(n, 2), torch.ones(n, 2, dtype=torch.bool)
    epsilon = torch.where(torch.arange(n) < n // 2, 0.0, 1.0)
    action = epsilon_greedy(q, legal, epsilon, chance(n, 2))
    assert (action[: n // 2] == 0).all()
    assert abs(action[n // 2 :].float().mean() - 0.5) < 0.02


def test_worlds_explore_at_rates_around_the_mean() -> None:
    rates = world_epsilons(0.1, 20000, generator())
    assert rates.min() >= 0 and rates.max() <= 0.2
    assert abs(rates.mean() - 0.1) < 0.002
    assert world_epsilons(1.0, 100, generator()).max() <= 1.0


def test_a_world_explores_alike_whoever_plays_it() -> None:
    worlds, agents, actions = 6, 3, 4
    q, legal = torch.rand(worlds, agents, actions), torch.rand(worlds, agents, actions) < 0.7
    acts = torch.rand(2, worlds, agents, generator=generator(5)) < 0.6

    def explored(first: int, n_worlds: int, seed: int = 1) -> Tensor:
        exploration = Exploration(
            0.4, n_worlds=n_worlds, first=first, of=worlds, n_agents=agents, generator=generator(seed)
        )
        mine, chosen = slice(first, first + n_worlds), []
        for step in acts:
            world, agent = step[mine].nonzero(as_tuple=True)
            now = Decisions(world, agent, torch.empty(0), legal[mine][world, agent])
            chosen.append(exploration.choose(q[mine][world, agent], now))
        return torch.cat(chosen)

    whole = explored(0, worlds)
    by_step = whole.split([int(step.sum()) for step in acts])
    first, second = explored(0, 4), explored(4, 2)
    n_first, n_second = ([int(step[part].sum()) for step in acts] for part in (slice(4), slice(4, 6)))
    halves = zip(first.split(n_first), second.split(n_second), strict=True)
    for together, (a, b) in zip(by_step, halves, strict=True):
        assert torch.equal(together, torch.cat([a, b]))
    assert torch.equal(whole, explored(0, worlds)) and not torch.equal(whole, explored(0, worlds, seed=2))
