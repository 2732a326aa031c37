"""One policy for several fleets: rollouts take turns between routing games."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from envs.routing_game import Decisions, Hindsight, RoutingGame
from envs.simulator import StepOutcome

FIXED = ("n_worlds", "n_agents", "observation_layout", "max_steps", "device", "link_function")
"""What learners ask of an environment once and for all; the games must agree in it."""


class SeveralGames:
    """Plays game number `seed % n` from `reset(seed)` on.

    Seeds of a run count its rollouts (`agents.trainer.rollout_seed`), so that the games are played in turn.
    Raises ValueError without games, or when they differ in what a learner takes for fixed.
    """

    n_actions = RoutingGame.n_actions

    def __init__(self, games: Sequence[RoutingGame]) -> None:
        if not games:
            raise ValueError("at least one game is needed")
        self.games = tuple(games)
        self.game = first = games[0]
        for name in FIXED:
            if any(getattr(game, name) != getattr(first, name) for game in games):
                raise ValueError(f"games that take turns must have the same {name}")
        self.n_worlds, self.n_agents, self.max_steps = first.n_worlds, first.n_agents, first.max_steps
        self.observation_layout, self.observation_size = first.observation_layout, first.observation_size
        self.state_layout, self.agent_state_size = first.state_layout, first.agent_state_size
        self.summary_size, self.link_function = first.summary_size, first.link_function
        self.device = first.device

    def reset(self, seed: int, *, first: int = 0, of: int | None = None) -> None:
        """As `RoutingGame.reset`, of the game whose turn it is."""
        self.game = self.games[seed % len(self.games)]
        self.game.reset(seed, first=first, of=of)

    def decisions(self) -> Decisions:
        """As `RoutingGame.decisions`."""
        return self.game.decisions()

    def state(self) -> tuple[Tensor, Tensor]:
        """As `RoutingGame.state`."""
        return self.game.state()

    def step(self, decisions: Decisions, actions: Tensor) -> StepOutcome:
        """As `RoutingGame.step`."""
        return self.game.step(decisions, actions)

    def truncated(self) -> Tensor:
        """As `RoutingGame.truncated`."""
        return self.game.truncated()

    def hindsight(self) -> Hindsight:
        """As `RoutingGame.hindsight`."""
        return self.game.hindsight()
