"""Collected episodes are what was played: every decision once, in order, with what it brought."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from agents.collect import collect_episodes
from agents.episodes import Episodes
from tests.agents.games import Decisions, MatrixGame, Outcome, TwoStepGame, WalkGame


def first_action(observation: Tensor) -> Tensor:
    return torch.tensor([1.0, 0.0]).expand(len(observation), 2)


def walk(seed: int = 0, epsilon: float = 0.5, **options: int) -> Episodes:
    random = torch.Generator().manual_seed(9)
    return collect_episodes(
        WalkGame(32, **options), first_action, seed=seed, epsilon=epsilon, generator=random
    )


def test_rows_are_sorted_and_numbered_within_each_agent() -> None:
    episodes = walk(max_steps=5)
    key = (episodes.world * 100 + episodes.step) * 100 + episodes.agent
    assert (key.diff() > 0).all()
    chains: dict[tuple[int, int], list[int]] = {}
    for world, agent, order in zip(
        episodes.world.tolist(), episodes.agent.tolist(), episodes.order.tolist(), strict=True
    ):
        chains.setdefault((world, agent), []).append(order)
    assert all(orders == list(range(len(orders))) for orders in chains.values())


def test_only_legal_actions_are_played() -> None:
    episodes = walk(epsilon=1.0)
    played = episodes.action >= 0
    assert episodes.legal.gather(1, episodes.action.clamp(min=0)[:, None]).squeeze(1)[played].all()
    assert (episodes.action == 1).any(), "exploration leaves the greedy action"


def test_an_episode_ends_with_its_last_decision() -> None:
    episodes = walk(max_steps=50)
    assert not episodes.truncated.any()
    for e in range(len(episodes)):
        assert episodes.length[e] == episodes.step[episodes.world == e].max() + 1
    assert (episodes.action >= 0).all() and episodes.n_decisions() == len(episodes.action)


def test_a_truncated_episode_keeps_its_unplayed_decisions_to_bootstrap_from() -> None:
    episodes = walk(max_steps=4)
    assert episodes.truncated.any() and not episodes.truncated.all()
    assert (episodes.length[episodes.truncated] == 4).all()
    unplayed = episodes.action < 0
    assert torch.equal(unplayed, episodes.step >= episodes.length[episodes.world])
    assert torch.equal(episodes.world[unplayed].unique(), episodes.truncated.nonzero().squeeze(1))
    alive = episodes.agent_state[episodes.truncated][:, 4, :, WalkGame.state_layout.alive]
    assert (alive.any(dim=1)).all(), "the state at the cut is recorded too"


def test_credit_is_rewritten_in_hindsight_for_the_decision_that_earned_it() -> None:
    """In the walk, a step's team reward is the sum of its agents' credits; the terminal reward comes on top."""
    for max_steps in (50, 4):
        episodes = walk(max_steps=max_steps)
        assert not episodes.credit.isnan().any()
        by_step = torch.zeros_like(episodes.team_reward)
        by_step.index_put_((episodes.world, episodes.step), episodes.credit, accumulate=True)
        by_step[torch.arange(32), episodes.length - 1] += 0.25
        torch.testing.assert_close(by_step, episodes.team_reward)


def test_equal_seeds_equal_episodes() -> None:
    first, second, other = walk(seed=1), walk(seed=1), walk(seed=2)
    for name in Episodes.__dataclass_fields__:
        assert torch.equal(getattr(first, name), getattr(second, name)), name
    assert not torch.equal(first.agent_state[:, 0], other.agent_state[:, 0])


def test_rewards_after_a_worlds_last_decision_belong_to_it() -> None:
    class Afterglow(TwoStepGame):
        """World 0 has nothing to decide in the second step, but is paid in it."""

        def decisions(self) -> Decisions:
            rows = super().decisions()
            keep = (rows.world > 0) | (self.clock == 0)
            return Decisions(*(field[keep] for field in rows[:4]))

        def step(self, decisions: Decisions, actions: Tensor) -> Outcome:
            self.clock += 1
            return Outcome(torch.full((self.n_worlds,), float(self.clock)), torch.zeros(len(actions)))

    episodes = collect_episodes(Afterglow(3), first_action, seed=0)
    assert episodes.length.tolist() == [1, 2, 2]
    assert episodes.team_reward.tolist() == [[3.0, 0.0], [1.0, 2.0], [1.0, 2.0]]
    assert episodes.returns().tolist() == [3.0, 3.0, 3.0]


def test_greedy_play_needs_no_generator_and_exploration_does() -> None:
    game = MatrixGame([[1.0, 2.0], [3.0, 4.0]], n_worlds=5)
    assert collect_episodes(game, lambda o: -first_action(o), seed=0).returns().tolist() == [4.0] * 5
    with pytest.raises(ValueError, match="generator"):
        collect_episodes(game, first_action, seed=0, epsilon=0.1)


def test_an_agent_without_a_legal_action_is_recorded_as_doing_nothing() -> None:
    class Stuck(MatrixGame):
        def decisions(self) -> Decisions:
            rows = super().decisions()
            rows.legal[rows.agent == 1] = False
            return rows

        def play(self, actions: Tensor) -> Tensor:
            assert (actions[:, 1] == -1).all()
            return torch.ones(self.n_worlds)

    episodes = collect_episodes(Stuck([[0.0, 0.0], [0.0, 0.0]], n_worlds=2), first_action, seed=0)
    assert episodes.action.tolist() == [0, -1, 0, -1]


def test_worlds_without_any_decision_are_an_error() -> None:
    class Over(MatrixGame):
        def decisions(self) -> Decisions:
            return Decisions(*(field[:0] for field in super().decisions()[:4]))

    with pytest.raises(ValueError, match="in none of the 2 worlds"):
        collect_episodes(Over([[0.0]], n_worlds=2), first_action, seed=0)
