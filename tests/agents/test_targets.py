"""TD targets against loops that read like their definitions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from agents.targets import greedy_value, lambda_returns, shared_credit, td_lambda_joint, td_lambda_per_agent


def slow_lambda_return(
    rewards: list[float], values: list[float], cut: float | None, gamma: float, lam: float
) -> list[float]:
    """G of one chain; values[k] is the value at moment k, `cut` that after the last one if the chain was cut."""
    end = len(rewards)
    returns = [0.0] * end
    for k in reversed(range(end)):
        if k == end - 1:
            returns[k] = rewards[k] + gamma * (0.0 if cut is None else cut)
        else:
            returns[k] = rewards[k] + gamma * ((1 - lam) * values[k + 1] + lam * returns[k + 1])
    return returns


def random_chains(n: int, longest: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    reward = torch.randn(n, longest, generator=random)
    value = torch.randn(n, longest + 1, generator=random)
    length = torch.randint(0, longest + 1, (n,), generator=random)
    cut = torch.rand(n, generator=random) < 0.5
    return reward, value, length, cut


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.8), (0.9, 0.0), (0.9, 1.0), (0.0, 0.5), (0.97, 0.6)])
def test_lambda_returns_are_their_definition(gamma: float, lam: float) -> None:
    reward, value, length, cut = random_chains(50, 7, seed=0)
    returns = lambda_returns(reward, value, length, cut, gamma, lam)
    for c in range(50):
        n = int(length[c])
        after = float(value[c, n]) if cut[c] else None
        expected = slow_lambda_return(reward[c, :n].tolist(), value[c].tolist(), after, gamma, lam)
        torch.testing.assert_close(returns[c, :n], torch.tensor(expected))
        assert (returns[c, n:] == 0).all()


def test_lambda_zero_is_one_step_and_lambda_one_is_monte_carlo() -> None:
    reward, value, _, _ = random_chains(5, 6, seed=1)
    length, ended = torch.full((5,), 6), torch.zeros(5, dtype=torch.bool)
    one_step = lambda_returns(reward, value, length, ended, 0.9, 0.0)
    torch.testing.assert_close(one_step[:, :-1], reward[:, :-1] + 0.9 * value[:, 1:-1])
    torch.testing.assert_close(one_step[:, -1], reward[:, -1])
    monte_carlo = lambda_returns(reward, value, length, ended, 1.0, 1.0)
    torch.testing.assert_close(monte_carlo, reward.flip(1).cumsum(1).flip(1))


def test_nothing_beyond_the_end_of_a_chain_is_read() -> None:
    reward, value, length, cut = random_chains(50, 7, seed=2)
    expected = lambda_returns(reward, value, length, cut, 0.95, 0.7)
    moments = torch.arange(8)
    unread = (moments > length[:, None]) | ((moments == length[:, None]) & ~cut[:, None])
    value = value.masked_fill(unread, torch.nan)
    reward = reward.masked_fill(moments[:-1] >= length[:, None], torch.inf)
    torch.testing.assert_close(lambda_returns(reward, value, length, cut, 0.95, 0.7), expected)


def test_joint_targets_bootstrap_when_truncated_and_not_when_terminated() -> None:
    reward, value = torch.tensor([[1.0, 2.0, 0.0]] * 2), torch.tensor([[10.0, 20.0, 30.0]] * 2)
    target = td_lambda_joint(reward, value, torch.tensor([2, 2]), torch.tensor([True, False]), 0.5, 0.0)
    torch.testing.assert_close(target, torch.tensor([[11.0, 17.0, 0.0], [11.0, 2.0, 0.0]]))


def test_an_episode_that_fills_all_steps_needs_no_value_after_them() -> None:
    target = td_lambda_joint(
        torch.ones(1, 3), torch.full((1, 3), 7.0), torch.tensor([3]), torch.tensor([False]), 1.0, 1.0
    )
    torch.testing.assert_close(target, torch.tensor([[3.0, 2.0, 1.0]]))


def test_the_online_network_chooses_and_the_target_network_values() -> None:
    q_online = torch.tensor([[1.0, 3.0, 9.0], [5.0, 4.0, 0.0]])
    q_target = torch.tensor([[10.0, 20.0, 30.0], [40.0, 50.0, 60.0]])
    legal = torch.tensor([[True, True, False], [True, True, True]])
    assert greedy_value(q_online, q_target, legal).tolist() == [20.0, 40.0]


def test_illegal_actions_are_never_bootstrapped_even_when_all_legal_ones_are_terrible() -> None:
    q_online = torch.tensor([[-1e12, 0.0]])
    legal = torch.tensor([[True, False]])
    assert greedy_value(q_online, torch.tensor([[-3.0, 1e9]]), legal).item() == -3.0


def test_without_a_legal_action_nothing_can_follow() -> None:
    value = greedy_value(torch.ones(1, 3), torch.full((1, 3), torch.nan), torch.zeros(1, 3, dtype=torch.bool))
    assert value.item() == 0.0


def test_agent_targets_follow_each_agents_own_decisions() -> None:
    """Rows of several chains, interleaved as in time, against one slow chain each."""
    random = torch.Generator().manual_seed(3)
    n_chains, gamma, lam = 12, 0.95, 0.8
    counts = torch.randint(0, 6, (n_chains,), generator=random)
    decides_at_cut = torch.rand(n_chains, generator=random) < 0.4
    waits_at_cut = torch.rand(n_chains, generator=random) < 0.4
    rows = [(c, k, k < counts[c]) for c in range(n_chains) for k in range(counts[c] + int(decides_at_cut[c]))]
    rows = [rows[i] for i in torch.randperm(len(rows), generator=random)]
    chain, order, played = (torch.tensor(column) for column in zip(*rows, strict=True))
    credit, value = torch.randn(2, len(rows), generator=random).unbind(0)
    target, has_target = td_lambda_per_agent(
        credit, value, chain, order, played, waits_at_cut, int(order.max()) + 1, gamma, lam
    )
    later = td_lambda_per_agent(credit, value, chain, order, played, waits_at_cut, 20, gamma, lam)
    assert torch.equal(target, later[0]) and torch.equal(has_target, later[1]), "more moments than there are"
    for c in range(n_chains):
        at = (chain == c).nonzero().squeeze(1)
        at = at[order[at].argsort()]
        n = int(counts[c])
        after = float(value[at[n]]) if decides_at_cut[c] else None
        if waits_at_cut[c] and not decides_at_cut[c] and n:
            n -= 1  # the last decision's outcome is unknown: it serves to bootstrap
            after = float(value[at[n]])
        expected = slow_lambda_return(credit[at[:n]].tolist(), value[at].tolist(), after, gamma, lam)
        torch.testing.assert_close(target[at[:n]], torch.tensor(expected))
        assert has_target[at].tolist() == [True] * n + [False] * (len(at) - n)


def test_no_decisions_no_targets() -> None:
    empty, index = torch.zeros(0), torch.zeros(0, dtype=torch.int64)
    target, has_target = td_lambda_per_agent(
        empty, empty, index, index, index.bool(), torch.zeros(3, dtype=torch.bool), 0, 1.0, 0.8
    )
    assert len(target) == len(has_target) == 0


def test_a_shared_reward_is_earned_from_a_decision_to_the_next() -> None:
    """Two episodes of two agents against a loop; rewards after the end are padding."""
    random = torch.Generator().manual_seed(4)
    team_reward, length = torch.randn(2, 9, generator=random), torch.tensor([9, 5])
    decided_at = {
        (0, 0): [0, 3, 4],
        (0, 1): [2, 8],
        (1, 0): [1, 4, 5],
        (1, 1): [0],
    }  # step 5 of episode 1: the cut
    rows = [
        (e, step, 2 * e + agent, k)
        for (e, agent), steps in decided_at.items()
        for k, step in enumerate(steps)
    ]
    places = torch.tensor([rows[i] for i in torch.randperm(len(rows), generator=random)]).unbind(1)
    credit = shared_credit(team_reward, length, *places, n_chains=4, moments=3)
    assert torch.equal(credit, shared_credit(team_reward, length, *places, n_chains=4, moments=7))
    for (e, agent), steps in decided_at.items():
        for k, step in enumerate(steps):
            until = steps[k + 1] if k + 1 < len(steps) else 9
            expected = team_reward[e, step : min(until, int(length[e]))].sum()
            row = (places[2] == 2 * e + agent) & (places[3] == k)
            torch.testing.assert_close(credit[row].squeeze(), expected)


def test_an_agent_that_always_decides_earns_the_rewards_themselves() -> None:
    reward, steps, first = torch.randn(1, 6), torch.arange(6), torch.zeros(6, dtype=torch.int64)
    credit = shared_credit(reward, torch.tensor([6]), first, steps, first, steps, n_chains=1, moments=6)
    torch.testing.assert_close(credit, reward[0])
