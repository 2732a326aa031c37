"""Play episodes in many worlds at once and keep what learning needs of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from agents.episodes import Episodes
from agents.exploration import Exploration, greedy
from agents.protocol import BatchedEnvironment, Decisions, HindsightCredit

QFunction = Callable[[Tensor], Tensor]
"""observation [N, F] -> Q [N, A]; a utility network is one."""


@torch.no_grad()
def collect_episodes(
    environment: BatchedEnvironment[Any],
    q_function: QFunction,
    *,
    seed: int,
    first: int = 0,
    of: int | None = None,
    epsilon: float = 0.0,
    generator: torch.Generator | None = None,
) -> Episodes:
    """One episode in each of the environment's E worlds, drawn with `seed` and played to its end.

    first, of: the worlds are numbers first .. first + E - 1 of the `of` worlds (default E) that `seed` draws; whoever
        plays the others, each world is played alike.
    epsilon: mean exploration rate over the worlds (agents/exploration.py), drawn with `generator`, which
    lives on the environment's device; at 0 the greedy actions are played and no generator is needed.
    """
    environment.reset(seed, first=first, of=of)
    exploration = None
    if epsilon > 0:
        if generator is None:
            raise ValueError(f"epsilon={epsilon} needs a generator: exploration must be reproducible")
        exploration = Exploration(
            epsilon,
            n_worlds=environment.n_worlds,
            first=first,
            of=of or environment.n_worlds,
            n_agents=environment.n_agents,
            generator=generator,
        )
    recorder = _Recorder(environment)
    for _ in range(environment.max_steps):
        now = environment.decisions()
        if len(now.world) == 0:
            break
        q = q_function(now.observation)
        action = exploration.choose(q, now) if exploration else greedy(q, now.legal)
        recorder.before(now, action)
        outcome = environment.step(now, action)
        recorder.after(outcome.team_reward, outcome.credit)
    return recorder.episodes()


class _Recorder:
    """Keeps the tensors of every step and puts them in order once, at the end."""

    def __init__(self, environment: BatchedEnvironment[Any]) -> None:
        self.environment = environment
        n_chains = environment.n_worlds * environment.n_agents
        self.n_decided = torch.zeros(n_chains, dtype=torch.int64, device=environment.device)
        self.rows: dict[str, list[Tensor]] = {}
        self.steps: dict[str, list[Tensor]] = {}

    def before(self, now: Decisions, action: Tensor) -> None:
        """What is known when the agents decide."""
        chain = now.world * self.environment.n_agents + now.agent
        order = self.n_decided[chain]
        self.n_decided[chain] = order + (1 if now.decides is None else now.decides)
        if now.decides is not None:
            self._keep(self.rows, decides=now.decides)
        agent_state, summary = self.environment.state()
        self._keep(
            self.rows,
            observation=now.observation,
            legal=now.legal,
            action=action,
            world=now.world,
            agent=now.agent,
            order=order,
        )
        self._keep(self.steps, agent_state=agent_state, summary=summary)

    def after(self, team_reward: Tensor, credit: Tensor) -> None:
        """What playing the decisions brought."""
        self._keep(self.steps, team_reward=team_reward)
        self._keep(self.rows, credit=credit)

    def episodes(self) -> Episodes:
        """Everything recorded, once no world has a step to play."""
        environment, n_played = self.environment, len(self.steps.get("team_reward", ()))
        truncated = environment.truncated().clone()  # [E]
        if bool(truncated.any()):
            self._record_cut()
        if not self.rows:
            raise ValueError(f"in none of the {environment.n_worlds} worlds was there a decision to make")
        counts = torch.tensor([len(world) for world in self.rows["world"]])
        rows = {name: torch.cat(values) for name, values in self.rows.items()}
        rows["step"] = torch.arange(len(counts)).repeat_interleave(counts).to(environment.device)  # [R]
        hindsight: HindsightCredit | None = environment.hindsight()
        if hindsight is not None:
            rows["credit"][: sum(counts[:n_played])] = hindsight.credit
        if "decides" in rows:
            index = rows.pop("decides").nonzero().squeeze(1)
            rows = {name: values.index_select(0, index) for name, values in rows.items()}

        length = torch.zeros(environment.n_worlds, dtype=torch.int64, device=environment.device)
        length = length.scatter_reduce(0, rows["world"], rows["step"] + 1, "amax") - truncated.long()
        recorded = int((length + truncated).max())  # after it, nobody knew yet that all was over
        steps = {name: torch.stack(values, dim=1) for name, values in self.steps.items()}
        reward = _with_late_rewards(steps["team_reward"], length)
        if hindsight is not None:
            reward.scatter_add_(1, (length - 1).clamp(min=0)[:, None], hindsight.terminal_reward[:, None])
        steps = {name: values[:, :recorded] for name, values in (steps | {"team_reward": reward}).items()}

        rank = torch.argsort(
            (rows["world"] * len(counts) + rows["step"]) * environment.n_agents + rows["agent"]
        )
        rows = {name: values[rank] for name, values in rows.items()}
        return Episodes(**rows, **steps, length=length, truncated=truncated)

    def _record_cut(self) -> None:
        """The decisions that the time limit left unplayed; their value stands for what would follow."""
        now = self.environment.decisions()
        self.before(now, torch.full_like(now.agent, -1))
        nothing = torch.zeros_like(self.steps["team_reward"][-1])
        self.after(nothing, nothing.new_zeros(len(now.world)))

    @staticmethod
    def _keep(record: dict[str, list[Tensor]], **values: Tensor) -> None:
        for name, value in values.items():
            record.setdefault(name, []).append(value)


def _with_late_rewards(team_reward: Tensor, length: Tensor) -> Tensor:
    """team_reward [E, T], where what a world was paid after its last decision counts for that decision."""
    late = torch.arange(team_reward.shape[1], device=team_reward.device) >= length[:, None]
    owed = torch.where(late, team_reward, 0.0).sum(dim=1, keepdim=True)
    return team_reward.masked_fill(late, 0.0).scatter_add(1, (length - 1).clamp(min=0)[:, None], owed)
