"""Small games with the learning core's protocol, whose right answers are known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from agents.protocol import LinkFunction, ObservationLayout, StateLayout


class Decisions(NamedTuple):
    world: Tensor
    agent: Tensor
    observation: Tensor
    legal: Tensor
    decides: Tensor | None = None


class Outcome(NamedTuple):
    team_reward: Tensor
    credit: Tensor


class Hindsight(NamedTuple):
    credit: Tensor
    terminal_reward: Tensor


class CooperativeGame(ABC):
    """Two agents, two or more actions, one team reward; everybody sees the state and who they are."""

    n_agents = 2
    observation_layout = None
    state_layout = None
    link_function = None
    device = torch.device("cpu")

    def __init__(self, n_worlds: int, n_actions: int, n_states: int, max_steps: int) -> None:
        self.n_worlds, self.n_actions, self.n_states, self.max_steps = (
            n_worlds,
            n_actions,
            n_states,
            max_steps,
        )
        self.observation_size = n_states + self.n_agents
        self.agent_state_size = n_states
        self.summary_size = n_states

    def reset(self, seed: int, *, first: int = 0, of: int | None = None) -> None:
        self.situation = torch.zeros(self.n_worlds, dtype=torch.int64)  # [E] 0..n_states-1
        self.clock = 0

    def one_hot(self) -> Tensor:
        return functional.one_hot(self.situation, self.n_states).float()  # [E, S]

    def decisions(self) -> Decisions:
        n = 0 if self.clock == self.max_steps else self.n_worlds
        world = torch.arange(n).repeat_interleave(2)
        agent = torch.arange(2).repeat(n)
        observation = torch.cat([self.one_hot()[world], functional.one_hot(agent, 2).float()], dim=1)
        return Decisions(world, agent, observation, torch.ones(2 * n, self.n_actions, dtype=torch.bool))

    def state(self) -> tuple[Tensor, Tensor]:
        return self.one_hot()[:, None].expand(-1, 2, -1), self.one_hot()

    def step(self, decisions: Decisions, actions: Tensor) -> Outcome:
        reward = self.play(actions.view(-1, 2))
        self.clock += 1
        return Outcome(reward, torch.zeros(2 * self.n_worlds))

    @abstractmethod
    def play(self, actions: Tensor) -> Tensor:
        """actions [E, 2] -> team reward [E]."""

    def truncated(self) -> Tensor:
        return torch.zeros(self.n_worlds, dtype=torch.bool)

    def hindsight(self) -> None:
        return None


class MatrixGame(CooperativeGame):
    """One step; the team is paid payoff[first action, second action]."""

    def __init__(self, payoff: list[list[float]], n_worlds: int) -> None:
        self.payoff = torch.tensor(payoff)
        super().__init__(n_worlds, n_actions=len(payoff), n_states=1, max_steps=1)

    def play(self, actions: Tensor) -> Tensor:
        return self.payoff[actions[:, 0], actions[:, 1]]


class TwoStepGame(CooperativeGame):
    """Rashid et al. 2018, section 6.1: the first agent's first action chooses the matrix of the second step."""

    payoff = torch.tensor([[[7.0, 7.0], [7.0, 7.0]], [[0.0, 1.0], [1.0, 8.0]]])

    def __init__(self, n_worlds: int) -> None:
        super().__init__(n_worlds, n_actions=2, n_states=3, max_steps=2)

    def play(self, actions: Tensor) -> Tensor:
        if self.clock == 0:
            self.situation = 1 + actions[:, 0]
            return torch.zeros(self.n_worlds)
        return self.payoff[self.situation - 1, actions[:, 0], actions[:, 1]]


class WalkGame:
    """Packets of two to a task walk to the end of a line; crowds are slow. Has everything that routing has.

    Action 0 walks one place, action 1 (illegal next to the end) leaps two at 1.5 times the cost. A step costs
    every walker as many seconds as agents walk in it. A world's agents take part by chance (some wait), may
    stumble and be dropped on a leap, and the clock may cut the episode. Slots 2n.. of `n_agents` are not
    used.
    """

    n_actions = 2
    observation_layout = ObservationLayout(
        n_global=2, n_directions=2, n_per_direction=3, prior=1, prior_scale_s=2.0, legal=0
    )
    state_layout = StateLayout(
        alive=0, delivered=1, dropped=2, accumulated_s=3, remaining_s=4, task_uncongested_s=5, task=6
    )
    link_function = LinkFunction(success_weight=1.0, delay_weight=1.0, kappa=0.5)
    observation_size = 8
    agent_state_size = 7
    summary_size = 2
    fall_cost = 20.0
    device = torch.device("cpu")

    def __init__(
        self, n_worlds: int, n_agents: int = 6, used: int = 6, max_steps: int = 20, stumble: float = 0.1
    ) -> None:
        self.n_worlds, self.n_agents, self.used, self.max_steps = n_worlds, n_agents, used, max_steps
        self.stumble = stumble

    def reset(self, seed: int, *, first: int = 0, of: int | None = None) -> None:
        assert of in (None, self.n_worlds), (
            "its worlds cannot be shared: chance runs on while they are played"
        )
        self.random = torch.Generator().manual_seed(seed)
        shape = (self.n_worlds, self.n_agents)
        self.in_use = (torch.arange(self.n_agents) < self.used).expand(shape)
        self.start = torch.randint(1, 6, shape, generator=self.random) * self.in_use
        self.distance = self.start.clone()
        self.dropped = torch.zeros(shape, dtype=torch.bool)
        self.accumulated = torch.zeros(shape)
        self.clock = 0
        self.played: list[Tensor] = []
        self._draw_turn()

    @property
    def alive(self) -> Tensor:
        return (self.distance > 0) & ~self.dropped

    def _draw_turn(self) -> None:
        """Who acts: each living agent by chance, and the first one always."""
        alive = self.alive
        first = alive & (alive.cumsum(dim=1) == 1)
        self.turn = alive & (first | (torch.rand(alive.shape, generator=self.random) < 0.6))

    def decisions(self) -> Decisions:
        world, agent = self.turn.nonzero(as_tuple=True)
        distance = self.distance[world, agent].float()
        legal = torch.stack([torch.ones_like(distance), (distance > 1).float()], dim=1)
        prior = torch.stack([distance, distance - 0.5], dim=1) / 2.0
        jump = torch.tensor([1.0, 2.0]).expand_as(prior)
        common = torch.stack([distance / 5, torch.full_like(distance, self.clock / 10)], dim=1)
        blocks = torch.stack([legal, prior, jump], dim=2).flatten(1)
        return Decisions(world, agent, torch.cat([common, blocks], dim=1), legal.bool())

    def state(self) -> tuple[Tensor, Tensor]:
        n_tasks = max(1, self.used // 2)
        task = (torch.arange(self.n_agents) % n_tasks).expand_as(self.distance)
        partner = torch.zeros(self.n_worlds, self.n_agents).scatter_add(1, task, self.start.float())
        fields = [
            self.alive,
            self.in_use & (self.distance <= 0) & ~self.dropped,
            self.dropped,
            self.accumulated,
            self.distance.clamp(min=0),
            partner.gather(1, task),
            task,
        ]
        agents = torch.stack([field.float() for field in fields], dim=2) * self.in_use[..., None]
        summary = torch.stack(
            [self.alive.float().mean(1), torch.full((self.n_worlds,), self.clock / 10)], dim=1
        )
        return agents, summary

    def step(self, decisions: Decisions, actions: Tensor) -> Outcome:
        world, agent = decisions.world, decisions.agent
        assert bool(decisions.legal.gather(1, actions[:, None]).all()), "an illegal action was played"
        walkers = self.turn.sum(dim=1)[world].float()
        cost = walkers * torch.where(actions == 1, 1.5, 1.0)
        falls = (actions == 1) & (torch.rand(len(world), generator=self.random) < self.stumble)
        self.distance[world, agent] -= 1 + actions
        self.dropped[world, agent] |= falls
        self.accumulated[world, agent] += cost
        reward = torch.zeros(self.n_worlds).index_add(0, world, -cost - self.fall_cost * falls)
        self.played.append(cost + self.fall_cost * falls)
        self.clock += 1
        self._draw_turn()
        return Outcome(reward, torch.full_like(cost, torch.nan))

    def truncated(self) -> Tensor:
        return self.alive.any(dim=1) & (self.clock >= self.max_steps)

    def hindsight(self) -> Hindsight:
        return Hindsight(credit=-torch.cat(self.played), terminal_reward=torch.full((self.n_worlds,), 0.25))
