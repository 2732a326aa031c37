"""QMIX in one module: utility and mixer, their target copies, and the TD loss of a batch of episodes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.config import AlgorithmConfig, Credit
from agents.episodes import ROW_FIELDS, Batch
from agents.mixers import Mixer, build_mixer
from agents.networks import build_utility
from agents.precision import compute_dtype
from agents.protocol import EnvironmentSpec
from agents.shards import WHOLE_BATCH, Shards, mean_over_shards, spread_over_shards
from agents.targets import greedy_value, shared_credit, td_lambda_joint, td_lambda_per_agent
from envs.asking import largest, worth_computing

SCALE_MEMORY = 100  # updates over which the running scale of the returns forgets
SMALLEST_SCALE = 1e-3

M = TypeVar("M", bound=nn.Module)


class QMIXModel(nn.Module):
    """Everything a learner updates. `forward` is the utility network; `loss` is the whole TD loss.

    The loss mixes two credits, each with its weight:
        joint_weight  * Huber_1((Q_tot - G_tot) / scale)   G_tot: TD(lambda) target of the team reward,
        credit_weight * Huber_d(q_i - G_i)                 G_i: TD(lambda) target of the agent's credit.
    Both targets are double-Q. The first is QMIX (BS-MARL equations 10-12); the second is far less noisy, and
    blind to what the credit leaves out. `scale` is the running standard deviation of G_tot, kept by the
    mixer.

    shards: set by learners that share every batch; their loss and their scale are then those of the whole batch.
    """

    scale_updates: Tensor
    shards: Shards = WHOLE_BATCH

    def __init__(self, spec: EnvironmentSpec, config: AlgorithmConfig) -> None:
        super().__init__()
        self.spec, self.config = spec, config
        self.utility = build_utility(spec, config.utility)
        self.utility.compute_dtype = compute_dtype(config.precision)
        self.target_utility = _frozen_copy(self.utility)
        self.mixer: Mixer | None = None
        self.target_mixer: Mixer | None = None
        if config.uses_mixer:
            self.mixer = build_mixer(spec, config.mixer)
            self.target_mixer = _frozen_copy(self.mixer)
            self.register_buffer("scale_updates", torch.zeros(()))

    def forward(self, observation: Tensor) -> Tensor:
        """observation [N, F] -> Q [N, A], to act on: it has no gradient."""
        return self.utility.judge(observation)

    def online_parameters(self) -> Iterator[nn.Parameter]:
        """What the optimiser moves; the target networks follow by `update_targets`."""
        return (parameter for parameter in self.parameters() if parameter.requires_grad)

    @torch.no_grad()
    def update_targets(self, tau: float) -> None:
        """Move the target networks the share `tau` of the way to the online ones."""
        for online, target in ((self.utility, self.target_utility), (self.mixer, self.target_mixer)):
            if online is not None and target is not None:
                for new, old in zip(online.parameters(), target.parameters(), strict=True):
                    old.lerp_(new, tau)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The TD loss of a batch (agents/episodes.py): {"loss": to minimise, and detached scalars to plot}.

        In training mode the running scale of the returns is updated, as a batch norm would do.
        """
        rows = _flatten_decisions(batch)
        q = self.utility(rows.observation)  # [N, A]
        taken = q.gather(1, rows.action.clamp(min=0)[:, None]).squeeze(1)  # [N], read where action >= 0
        with torch.no_grad():
            value = greedy_value(q, self.target_utility(rows.observation), rows.legal)  # [N]
        played = rows.action >= 0
        metrics = {"loss": q.new_zeros(()), "q": mean_over_shards(taken.detach(), played, self.shards)}
        if self.config.credit_weight > 0:
            loss = self._credit_loss(batch, rows, taken, value)
            metrics["loss"] = metrics["loss"] + self.config.credit_weight * loss
            metrics["credit_loss"] = loss.detach()
        if self.mixer is not None and self.target_mixer is not None:
            loss, joint_metrics = self._joint_loss(batch, rows, taken, value, self.mixer, self.target_mixer)
            metrics["loss"] = metrics["loss"] + self.config.joint_weight * loss
            metrics |= joint_metrics
        return metrics

    def _credit_loss(self, batch: Batch, rows: _Decisions, taken: Tensor, value: Tensor) -> Tensor:
        """TD(lambda) of every agent on its credit: taken, value [N] -> scalar."""
        credit, length, n_agents = rows.credit, batch["length"], self.spec.n_agents
        nobody = len(length) * n_agents  # the chain of padding
        chain = torch.where(rows.real, rows.episode * n_agents + rows.agent, nobody)
        moments = 1 + largest(rows.order, at_most=batch["team_reward"].shape[1] - 1)  # it decides once a step
        if self.config.credit is Credit.team:
            places = (rows.episode, rows.step, chain, rows.order)
            credit = shared_credit(
                batch["team_reward"], length, *places, n_chains=nobody + 1, moments=moments
            )
        target, has_target = td_lambda_per_agent(
            credit,
            value,
            chain=chain,
            order=rows.order,
            played=rows.step < length[rows.episode],
            waits_at_cut=functional.pad(self._alive_at_cut(batch).flatten(), (0, 1)),
            moments=moments,
            gamma=self.config.gamma,
            td_lambda=self.config.td_lambda,
        )
        error = functional.huber_loss(taken, target, reduction="none", delta=self.config.credit_huber)
        return mean_over_shards(error, has_target & (rows.action >= 0), self.shards)

    def _joint_loss(
        self, batch: Batch, rows: _Decisions, taken: Tensor, value: Tensor, mixer: Mixer, target_mixer: Mixer
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """TD(lambda) of Q_tot on the team reward: taken, value [N] -> scalar, and what is worth plotting."""
        length, truncated = batch["length"], batch["truncated"]
        steps = torch.arange(batch["team_reward"].shape[1], device=length.device)  # [T]
        played = steps < length[:, None]  # [B, T]
        recorded = steps < (length + truncated)[:, None]  # [B, T], M moments
        moments = worth_computing(recorded.flatten())  # [M]
        has_target = played.flatten().index_select(0, moments)  # [M]
        moment_of = torch.zeros_like(recorded, dtype=torch.int64).view(-1)
        moment_of.index_copy_(0, moments, torch.arange(len(moments), device=length.device))
        moment = moment_of.view_as(recorded)[rows.episode, rows.step]
        n_slots = len(moments) * self.spec.n_agents
        slot = torch.where(
            rows.real, moment * self.spec.n_agents + rows.agent, n_slots
        )  # the last one of padding

        def by_slot(values: Tensor) -> Tensor:
            """[N] -> [M, P], zero for agents that do not decide."""
            return (
                values.new_zeros(n_slots + 1)
                .index_put((slot,), values)[:-1]
                .view(len(moments), self.spec.n_agents)
            )

        agent_state, summary = (
            batch[name].flatten(0, 1).index_select(0, moments) for name in ("agent_state", "summary")
        )  # [M, P, Fp] ..
        decides = by_slot(rows.legal.any(dim=1))
        baseline = torch.where(decides, by_slot(value), mixer.waiting_value(agent_state))
        with torch.no_grad():
            next_value = target_mixer(baseline, baseline, decides, agent_state, summary)  # [M]
            values = torch.zeros_like(batch["team_reward"]).view(-1).index_copy(0, moments, next_value)
            target = td_lambda_joint(
                batch["team_reward"],
                values.view_as(recorded),
                length,
                truncated,
                self.config.gamma,
                self.config.td_lambda,
            )
            target = target.flatten().index_select(0, moments)  # [M], of those that have one
            n_targets, variance = spread_over_shards(target, has_target, self.shards)
            if self.training:
                self._update_scale(variance.sqrt(), n_targets > 0)
        q_tot = mixer(by_slot(taken), baseline, by_slot(rows.action >= 0), agent_state, summary)
        error = q_tot - target
        scaled = error / mixer.return_scale
        huber = functional.huber_loss(scaled, torch.zeros_like(scaled), reduction="none")
        loss = mean_over_shards(huber, has_target, self.shards)
        _, error_variance = spread_over_shards(error.detach(), has_target, self.shards)
        return loss, {
            "joint_loss": loss.detach(),
            "q_tot": mean_over_shards(q_tot.detach(), has_target, self.shards),
            "target": mean_over_shards(target, has_target, self.shards),
            "return_scale": mixer.return_scale.clone(),
            "explained_variance": 1 - error_variance / variance.clamp(min=SMALLEST_SCALE**2),
        }

    def _alive_at_cut(self, batch: Batch) -> Tensor:
        """[B, P] bool: the agent was alive when its episode was truncated, as far as states tell."""
        layout, truncated = self.spec.state_layout, batch["truncated"]
        if layout is None:
            return truncated.new_zeros(len(truncated), self.spec.n_agents)
        alive = batch["agent_state"][..., layout.alive]  # [B, T, P]
        last = torch.where(truncated, batch["length"], 0)
        return (alive[torch.arange(len(last), device=last.device), last] > 0.5) & truncated[:, None]

    def _update_scale(self, deviation: Tensor, known: Tensor) -> None:
        """Move the scale of the returns toward the standard `deviation` of a batch, where it is `known` (a bool); a
        plain mean at first."""
        self.scale_updates += known
        share = torch.where(known, 1 / self.scale_updates.clamp(min=1, max=SCALE_MEMORY), 0.0)
        for mixer in (self.mixer, self.target_mixer):
            assert mixer is not None
            mixer.return_scale.lerp_(deviation.clamp(min=SMALLEST_SCALE), share)


@dataclass(frozen=True)
class _Decisions:
    """The N recorded decisions of a batch; `episode` [N] says whose of the B they are.

    real: [N] bool, False for padding, of which there is none on a CPU.
    """

    episode: Tensor
    real: Tensor
    observation: Tensor
    legal: Tensor
    action: Tensor
    step: Tensor
    agent: Tensor
    order: Tensor
    credit: Tensor


def _flatten_decisions(batch: Batch) -> _Decisions:
    valid = batch["valid"].flatten()
    index = worth_computing(valid)
    rows = {name: batch[name].flatten(0, 1).index_select(0, index) for name in ROW_FIELDS}
    return _Decisions(episode=index // batch["valid"].shape[1], real=valid.index_select(0, index), **rows)


def _frozen_copy(module: M) -> M:
    return copy.deepcopy(module).requires_grad_(False)
