"""A tiny batched game for the RLlib tests: an agent that obeys its signal is paid, the others wait.

Module-level names, because remote env runners import them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from ray.rllib.env.env_context import EnvContext
from torch import Tensor
from torch.nn import functional

from agents.config import AlgorithmConfig, MixerConfig, Precision, UtilityConfig, UtilityKind

SMALL = AlgorithmConfig(
    precision=Precision.float32,
    joint_weight=1.0,
    utility=UtilityConfig(kind=UtilityKind.flat, width=16, residual_on_prior=False),
    mixer=MixerConfig(width=8, hypernetwork_width=8, embedding=4),
    iterations=6,
    worlds_per_rollout=16,
    updates_per_rollout=3,
    batch_episodes=8,
    replay_episodes=64,
    warmup_episodes=32,  # the first iteration only collects
)
"""How the signals are learned."""


@dataclass(frozen=True)
class Turn:
    world: Tensor
    agent: Tensor
    observation: Tensor
    legal: Tensor
    decides: Tensor | None = None

    def __len__(self) -> int:
        return len(self.world)


@dataclass(frozen=True)
class Paid:
    team_reward: Tensor
    credit: Tensor


class SignalGame:
    """E worlds of P agents. In each step some agents see which of the legal actions is right, and noise.

    A world ends after one to `max_steps` steps; one in five lasts longer and is truncated.
    """

    n_agents, n_actions, max_steps = 3, 4, 5
    observation_size, agent_state_size, summary_size = n_actions + 2, 3, 2
    observation_layout = state_layout = link_function = None

    def __init__(self, n_worlds: int, device: torch.device | str = "cpu") -> None:
        self.n_worlds, self.device = n_worlds, torch.device(device)

    def reset(self, seed: int, *, first: int = 0, of: int | None = None) -> None:
        g = torch.Generator().manual_seed(seed)
        of, mine = of or self.n_worlds, slice(first, first + self.n_worlds)
        worlds, steps = (of, self.n_agents), self.max_steps + 1
        right = torch.randint(self.n_actions, (steps, *worlds), generator=g)
        legal = torch.rand((steps, *worlds, self.n_actions), generator=g) < 0.6
        noise = torch.randn((steps, *worlds, 2), generator=g)
        acts = torch.rand((steps, *worlds), generator=g) < 0.7
        acts[..., 0] = True
        length = torch.randint(1, self.max_steps + 1, (of,), generator=g)
        long = torch.rand(of, generator=g) < 0.2
        self.right, self.legal, self.noise, self.acts = (
            x[:, mine].to(self.device)
            for x in (right, legal.scatter(-1, right[..., None], True), noise, acts)
        )
        self.length, self.long = length[mine].to(self.device), long[mine].to(self.device)
        self.clock = 0

    def _running(self) -> Tensor:
        return self.long | (self.clock < self.length)

    def decisions(self) -> Turn:
        world, agent = (self.acts[self.clock] & self._running()[:, None]).nonzero(as_tuple=True)
        signal = functional.one_hot(self.right[self.clock], self.n_actions).float()
        observation = torch.cat([signal, self.noise[self.clock]], dim=-1)
        return Turn(world, agent, observation[world, agent], self.legal[self.clock][world, agent])

    def state(self) -> tuple[Tensor, Tensor]:
        clock = torch.full((self.n_worlds, self.n_agents, 1), float(self.clock), device=self.device)
        return torch.cat([self.noise[self.clock], clock], dim=-1), self.noise[self.clock].mean(dim=1)

    def step(self, decisions: Turn, actions: Tensor) -> Paid:
        right = self.right[self.clock][decisions.world, decisions.agent]
        credit = (actions == right).float()
        team = torch.zeros(self.n_worlds, device=self.device).index_add(0, decisions.world, credit)
        self.clock += 1
        return Paid(team, credit)

    def truncated(self) -> Tensor:
        return self.long & (self.clock >= self.max_steps)

    def hindsight(self) -> None:
        return None


class BrokenGame(SignalGame):
    """Raises in the third step."""

    def step(self, decisions: Turn, actions: Tensor) -> Paid:
        if self.clock == 2:
            raise ArithmeticError("the antenna fell off")
        return super().step(decisions, actions)


def make_signals(context: EnvContext) -> SignalGame:
    return SignalGame(context["n_worlds"], context["device"])


def make_broken(context: EnvContext) -> SignalGame:
    return BrokenGame(context["n_worlds"], context["device"])


def make_deaf(context: EnvContext) -> SignalGame:
    """Ignores how many worlds it is asked for."""
    return SignalGame(7)


def make_dying_once(context: EnvContext) -> SignalGame:
    """Kills the process of runner 1 in its second rollout, but not again after that."""
    import os

    class Dying(SignalGame):
        def reset(self, seed: int, *, first: int = 0, of: int | None = None) -> None:
            mark = Path(context["mark"])
            if context.worker_index == 1 and seed % 1_000_000 >= 2 and not mark.exists():
                mark.touch()
                os._exit(1)
            super().reset(seed, first=first, of=of)

    return Dying(context["n_worlds"], context["device"])
