"""TD targets as pure functions: double-Q values, lambda-returns, their two uses (the team, every agent), shared credit.

Shapes: B episodes, T steps, N decisions of all of them, P agents, C chains of up to K moments.
"""

from __future__ import annotations

import torch
from torch import Tensor


def greedy_value(q_online: Tensor, q_target: Tensor, legal: Tensor) -> Tensor:
    """Double-Q value of a decision: [N, A] each -> [N].

    The online network chooses among the legal actions, the target network says what the choice is worth
    (van Hasselt et al. 2016; BS-MARL eqs. 11-12). Without a legal action nothing can follow: zero.
    """
    best = q_online.masked_fill(~legal, -torch.inf).argmax(dim=1, keepdim=True)
    return torch.where(legal.any(dim=1), q_target.gather(1, best).squeeze(1), 0.0)


def lambda_returns(
    reward: Tensor, value: Tensor, length: Tensor, bootstrap: Tensor, gamma: float, td_lambda: float
) -> Tensor:
    """G_k = r_k + gamma ((1 - lambda) V_{k+1} + lambda G_{k+1}), backward from the end of each chain.

    reward [C, K]; value [C, K + 1], of which index `length` is read only where `bootstrap`; length [C]:
    moments of the chain; bootstrap [C] bool: the chain was cut and G_length = V_length, else it ended and
    both are zero. Returns [C, K], zero from `length` on.
    """
    moments = torch.arange(value.shape[1], device=value.device)[:, None]  # [K + 1, 1]
    known = (moments < length) | ((moments == length) & bootstrap)
    value = torch.where(known, value.T, 0.0)  # [K + 1, C]
    reward = torch.where(moments[:-1] < length, reward.T, 0.0)
    beyond = moments[:-1] + 1 >= length  # V_{k+1} is the end of the chain: nothing to average with
    step_value = reward + gamma * torch.where(beyond, value[1:], (1 - td_lambda) * value[1:])
    keep = torch.where(beyond, 0.0, gamma * td_lambda)
    returns = torch.empty_like(reward)
    following = reward.new_zeros(reward.shape[1])
    for k in range(reward.shape[0] - 1, -1, -1):
        following = torch.addcmul(step_value[k], keep[k], following)
        returns[k] = following
    return torch.where(moments[:-1] < length, returns, 0.0).T


def td_lambda_joint(
    team_reward: Tensor, value: Tensor, length: Tensor, truncated: Tensor, gamma: float, td_lambda: float
) -> Tensor:
    """Targets of Q_tot: team_reward, value [B, T], length, truncated [B] -> [B, T].

    value[:, t] is the target mixer's value of step t; a truncated episode has one at step `length`.
    """
    after_last = value.new_zeros(len(value), 1)
    return lambda_returns(
        team_reward, torch.cat([value, after_last], dim=1), length, truncated, gamma, td_lambda
    )


def td_lambda_per_agent(
    credit: Tensor,
    value: Tensor,
    chain: Tensor,
    order: Tensor,
    played: Tensor,
    waits_at_cut: Tensor,
    moments: int,
    gamma: float,
    td_lambda: float,
) -> tuple[Tensor, Tensor]:
    """Targets of every agent on its own credit, along its own decisions only: steps in which it waits do not
    count.

    credit, value [N] of the decisions; chain [N]: which agent of which episode decides (0..C-1), order [N]:
    its how-manieth decision it is; played [N] bool: False for one that only serves to bootstrap; waits_at_cut
    [C] bool: the agent was alive when its episode was truncated. Such an agent without a decision at the cut
    bootstraps from its last decision, which then has no target of its own. moments: more than any `order`.
    Returns (target [N], has_target [N] bool).
    """
    n_chains = len(waits_at_cut)
    place = chain * moments + order
    count = chain.new_zeros(n_chains).index_add_(
        0, chain, played.long()
    )  # asks nothing of a GPU, as bincount would
    decides_at_cut = chain.new_zeros(n_chains).index_add_(0, chain, (~played).long()) > 0
    length = count - (waits_at_cut & ~decides_at_cut & (count > 0)).long()

    def spread(source: Tensor, columns: int) -> Tensor:
        table = source.new_zeros(n_chains, columns)
        table.view(-1)[chain * columns + order] = source
        return table

    bootstrap = decides_at_cut | (length < count)
    returns = lambda_returns(
        spread(credit, moments), spread(value, moments + 1), length, bootstrap, gamma, td_lambda
    )
    return returns.reshape(-1)[place], order < length[chain]


def shared_credit(
    team_reward: Tensor,
    length: Tensor,
    episode: Tensor,
    step: Tensor,
    chain: Tensor,
    order: Tensor,
    n_chains: int,
    moments: int,
) -> Tensor:
    """What the team earned from each decision of an agent to its next one, or to the end: the credit of agents that
    share one reward. Zero for a decision that was not played (step = length).

    team_reward [B, T], length [B]; episode, step, chain, order [N] of the decisions (td_lambda_per_agent). Returns [N].
    """
    played = torch.arange(team_reward.shape[1], device=length.device) < length[:, None]  # [B, T]
    to_come = torch.where(played, team_reward, 0.0).flip(1).cumsum(1).flip(1)[episode, step]  # [N]
    at_next = to_come.new_zeros(n_chains, moments + 1)  # a last column: no next
    at_next[chain, order] = to_come
    return to_come - at_next[chain, order + 1]
