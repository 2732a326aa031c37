"""Mixing networks: from the agents' utilities in a step to the team's value Q_tot, monotone in each of them.

Monotonicity, dQ_tot/dq_i >= 0, makes the joint greedy action the tuple of the agents' own greedy actions
(Rashid et al. 2018, eq. 5; BS-MARL eq. 9). Some agents of a step wait: they are alive but decide nothing.
They enter with a given baseline of their value, through which no gradient flows.

Shapes: M moments (episodes and steps together), P agents, Fp features per agent, Fs summary features.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.config import MixerConfig, MixerKind
from agents.networks import zero_
from agents.protocol import EnvironmentSpec
from envs.asking import worth_computing
from envs.extension import load_extension

SOFTPLUS_OF_ONE = 0.541324854612918  # softplus(this) = 1


class Mixer(nn.Module, ABC):
    """(q, baseline [M, P], acting [M, P] bool, agent_state [M, P, Fp], summary [M, Fs]) -> Q_tot [M].

    q counts where `acting`; baseline is each agent's value as far as it is known without its action
    (detached). return_scale: running standard deviation of the returns, so that networks see and say numbers
    of order one.
    """

    return_scale: Tensor

    def __init__(self, spec: EnvironmentSpec, config: MixerConfig) -> None:
        super().__init__()
        self.layout = spec.state_layout
        self.values_are_seconds = spec.link_function is None  # the paper's reward is a number between 0 and 2
        self.register_buffer("return_scale", torch.ones(()))

    @abstractmethod
    def forward(
        self, q: Tensor, baseline: Tensor, acting: Tensor, agent_state: Tensor, summary: Tensor
    ) -> Tensor:
        """Q_tot [M]."""

    def waiting_value(self, agent_state: Tensor) -> Tensor:
        """The baseline of agents that wait, as far as their state tells: [M, P, Fp] -> [M, P].

        Where values are seconds, minus the uncongested rest of their way. Their next decision would say more,
        but it lies in the future: it depends on what others do now, and would take from them the credit for
        it.
        """
        if self.layout is None or not self.values_are_seconds:
            return agent_state.new_zeros(agent_state.shape[:-1])
        return -agent_state[..., self.layout.remaining_s]

    def alive(self, acting: Tensor, agent_state: Tensor) -> Tensor:
        """[M, P] bool: acting or waiting. Without a state layout nobody is known to wait."""
        if self.layout is None:
            return acting
        return acting | (agent_state[..., self.layout.alive] > 0.5)

    def values(self, q: Tensor, baseline: Tensor, acting: Tensor, agent_state: Tensor) -> Tensor:
        """[M, P] utility of the acting, baseline of the waiting, zero for those who are out of the game."""
        return torch.where(acting, q, baseline.detach()) * self.alive(acting, agent_state)


class VDNMixer(Mixer):
    """Q_tot = the sum of the values (Sunehag et al. 2018)."""

    def forward(
        self, q: Tensor, baseline: Tensor, acting: Tensor, agent_state: Tensor, summary: Tensor
    ) -> Tensor:
        return self.values(q, baseline, acting, agent_state).sum(dim=1)


class QMIXMixer(Mixer):
    """The monotone network of QMIX: its weights are the absolute outputs of hypernetworks of the whole state.

    Q_tot = |W2(s)|^T elu(|W1(s)| q + b1(s)) + b2(s), for a fixed number of agents in fixed slots (Rashid et
    al. 2018, section 4; two-layer hypernetworks as PyMARL). Values enter and leave in units of
    `return_scale`, so that the network works on numbers of order one, not on tens of seconds.
    """

    def __init__(self, spec: EnvironmentSpec, config: MixerConfig) -> None:
        super().__init__(spec, config)
        state_size = spec.n_agents * spec.agent_state_size + spec.summary_size
        self.n_agents, self.embedding = spec.n_agents, config.embedding

        def hypernetwork(outputs: int, hidden: int) -> nn.Module:
            return nn.Sequential(nn.Linear(state_size, hidden), nn.ReLU(), nn.Linear(hidden, outputs))

        self.first_weight = hypernetwork(spec.n_agents * config.embedding, config.hypernetwork_width)
        self.first_bias = nn.Linear(state_size, config.embedding)
        self.second_weight = hypernetwork(config.embedding, config.hypernetwork_width)
        self.second_bias = hypernetwork(1, config.embedding)

    def forward(
        self, q: Tensor, baseline: Tensor, acting: Tensor, agent_state: Tensor, summary: Tensor
    ) -> Tensor:
        state = squash(torch.cat([agent_state.flatten(1), summary], dim=1))  # [M, P * Fp + Fs]
        values = self.values(q, baseline, acting, agent_state) / self.return_scale
        weight = self.first_weight(state).abs().view(-1, self.n_agents, self.embedding)  # [M, P, embedding]
        hidden = functional.elu(torch.einsum("mp,mpe->me", values, weight) + self.first_bias(state))
        total = (hidden * self.second_weight(state).abs()).sum(dim=1) + self.second_bias(state).squeeze(1)
        return total * self.return_scale


class AgentSetEncoder(nn.Module):
    """What a set of agents says of each of them, a weight > 0 and a correction, and of the moment, a bias.

    Every agent is encoded alike and sees the others through their mean, so the order of the agents, the
    number of slots and who sits in them do not matter. Starts at weight 1, correction 0, bias 0.
    """

    features: Tensor  # indices of the state features that the network reads: all but the task number

    def __init__(self, spec: EnvironmentSpec, config: MixerConfig) -> None:
        super().__init__()
        layout = spec.state_layout
        features = [i for i in range(spec.agent_state_size) if layout is None or i != layout.task]
        self.register_buffer("features", torch.tensor(features, dtype=torch.int64), persistent=False)
        width, context = config.width, config.width + spec.summary_size + 1
        self.encode = nn.Sequential(
            nn.Linear(len(features) + 2, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.judge_agent = nn.Linear(width, width)
        self.judge_context = nn.Linear(context, width, bias=False)
        self.agent_head = nn.Linear(width, 2)
        self.bias = nn.Sequential(nn.Linear(context, width), nn.ReLU(), nn.Linear(width, 1))
        zero_(self.agent_head)
        zero_(self.bias[-1])  # pyright: ignore[reportArgumentType]

    def forward(
        self, baseline: Tensor, acting: Tensor, alive: Tensor, agent_state: Tensor, summary: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns weight [M, P] (1 where not alive), correction [M, P] (0 where not alive) and bias [M]."""
        n_moments, n_agents = alive.shape
        index = worth_computing(alive.flatten())  # [L] of the M * P agents, those that are alive among them
        here = alive.flatten().index_select(0, index)
        moment = index // n_agents

        def of_agents(values: Tensor) -> Tensor:
            return values.flatten(0, 1).index_select(0, index)

        extra = torch.stack([of_agents(baseline).detach(), of_agents(acting).float()], dim=1)
        encoded = self.encode(
            squash(torch.cat([of_agents(agent_state)[:, self.features], extra], dim=1))
        )  # [L, W]
        count = alive.sum(dim=1, keepdim=True)  # [M, 1]
        # What is said of agents that are not alive goes to a place that nobody reads: the last one.
        total = encoded.new_zeros(n_moments + 1, encoded.shape[1])
        mean = total.index_add(0, torch.where(here, moment, n_moments), encoded)[:-1] / count.clamp(min=1)
        context = torch.cat([mean, squash(summary), count.float().log1p()], dim=1)  # [M, context]
        judged = torch.relu(self.judge_agent(encoded) + self.judge_context(context)[moment])
        weight_raw, correction = self.agent_head(judged).unbind(dim=1)  # [L]
        place = (torch.where(here, index, alive.numel()),)
        weight = baseline.new_ones(alive.numel() + 1).index_put(
            place, functional.softplus(weight_raw + SOFTPLUS_OF_ONE)
        )
        corrections = baseline.new_zeros(alive.numel() + 1).index_put(place, correction)
        return (
            weight[:-1].view_as(alive),
            corrections[:-1].view_as(alive),
            self.bias(context).squeeze(1) * (count[:, 0] > 0),
        )


class SetMixer(Mixer):
    """Any number of agents in any order: Q_tot = sum_i [V_i + w_i (q_i - V_i)] + mean_i c_i + bias.

    w_i > 0 depends on the state and the agent; V_i is the detached baseline. Starts as VDN, which keeps the
    first targets sane. Only advantages are weighted: wrong weights cost credit, not value.
    """

    def __init__(self, spec: EnvironmentSpec, config: MixerConfig) -> None:
        super().__init__(spec, config)
        self.agents = AgentSetEncoder(spec, config)

    def forward(
        self, q: Tensor, baseline: Tensor, acting: Tensor, agent_state: Tensor, summary: Tensor
    ) -> Tensor:
        alive = self.alive(acting, agent_state)
        scale = self.return_scale
        weight, correction, bias = self.agents(baseline / scale, acting, alive, agent_state, summary)
        values = baseline.detach() + weight * self.advantage(q, baseline, acting)
        mean_correction = correction.sum(dim=1) / alive.sum(dim=1).clamp(min=1)
        return (values * alive).sum(dim=1) + scale * (mean_correction + bias)

    @staticmethod
    def advantage(q: Tensor, baseline: Tensor, acting: Tensor) -> Tensor:
        """[M, P] q - baseline where acting, else zero."""
        return torch.where(acting, q - baseline.detach(), 0.0)


class LinkMixer(SetMixer):
    """The paper's terminal reward as its own mixer: monotone, and right as soon as the agents' delays are.

    Q_tot = w_s (1 - share dropped) + w_d mean over tasks of [no packet dropped] exp(kappa (-accumulated +
    sum over its packets of (V_i + w_i (q_i - V_i) + c_i)) / T0) + 0.1 bias, with w_s, w_d, kappa of the
    reward, q, V, c in seconds and T0 the task's uncongested delay. Delivered packets stay in through their
    accumulated delay.
    """

    LOWEST, HIGHEST = (
        -6.0,
        1.0,
    )  # limits of the exponent: beyond them the estimate is wrong, and exp would say it loudly
    BIAS_SCALE = 0.1

    def __init__(self, spec: EnvironmentSpec, config: MixerConfig) -> None:
        if spec.state_layout is None or spec.link_function is None:
            raise ValueError(
                "algorithm.mixer.kind=link needs an environment with a state_layout that pays the paper's "
                "reward (link_function); choose environment.reward.kind=paper or another mixer"
            )
        super().__init__(spec, config)
        self.link = spec.link_function
        self.values_are_seconds = True

    def forward(
        self, q: Tensor, baseline: Tensor, acting: Tensor, agent_state: Tensor, summary: Tensor
    ) -> Tensor:
        layout, link = self.layout, self.link
        assert layout is not None
        alive = self.alive(acting, agent_state)
        field = agent_state.unbind(dim=-1)  # Fp tensors [M, P]
        weight, correction, bias = self.agents(baseline, acting, alive, agent_state, summary)
        to_come = (
            baseline.detach() + weight * self.advantage(q, baseline, acting) + correction
        ) * alive  # [M, P]
        dropped = field[layout.dropped]
        used = (alive | (field[layout.delivered] > 0.5) | (dropped > 0.5)).float()

        task = field[layout.task].long()
        tasks = torch.zeros_like(q)  # [M, tasks], as many columns as packets: some stay empty

        def per_task(values: Tensor) -> Tensor:
            return tasks.scatter_add(1, task, values)

        packets = per_task(used)
        uncongested = per_task(field[layout.task_uncongested_s] * used) / packets.clamp(min=1)
        outlook = per_task(to_come - field[layout.accumulated_s] * used) / uncongested.clamp(min=1e-3)
        reward = (link.kappa * outlook).clamp(self.LOWEST, self.HIGHEST).exp() * (per_task(dropped) == 0)
        n_tasks = (packets > 0).sum(dim=1).clamp(min=1)
        success = 1 - (dropped * used).sum(dim=1) / used.sum(dim=1).clamp(min=1)
        delay = (reward * (packets > 0)).sum(dim=1) / n_tasks
        return link.success_weight * success + link.delay_weight * delay + self.BIAS_SCALE * bias


MIXERS: dict[str, type[Mixer]] = {
    MixerKind.vdn: VDNMixer,
    MixerKind.qmix: QMIXMixer,
    MixerKind.set: SetMixer,
    MixerKind.link: LinkMixer,
}


def build_mixer(spec: EnvironmentSpec, config: MixerConfig) -> Mixer:
    """The mixer that `config.kind` names, sized for `spec` (`none` has no network: see QMIXModel).

    Raises ConfigError where it names a class that cannot be had.
    """
    known = MIXERS.get(config.kind)
    return (known or load_extension(config.kind, "algorithm.mixer.kind", Mixer))(spec, config)


def squash(values: Tensor) -> Tensor:
    """sign(x) log(1 + |x|): flags stay near themselves and seconds or counts come down to order one."""
    return values.sign() * values.abs().log1p()
