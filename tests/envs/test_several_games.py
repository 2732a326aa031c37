"""Games that take turns are the games themselves, each in its turn."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from envs.config import EnvironmentConfig, LoadView, TaskConfig
from envs.constellation import CONSTELLATIONS
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.routing_game import RoutingGame
from envs.scenario import Scenario
from envs.several_games import SeveralGames

DAY = DayConfig(n_slots=60, training_slots=2, validation_slots=1, test_slots=1)
SCENARIO = Scenario(
    CONSTELLATIONS["iridium_star"], EbN0Link(), DAY, TaskConfig(n_tasks=2), EnvironmentConfig()
)


def game(scenario: Scenario, n_worlds: int = 3) -> RoutingGame:
    return RoutingGame(scenario.ephemeris("training"), scenario.task, scenario.environment, n_worlds)


def test_rollouts_take_turns_between_the_games() -> None:
    names = ("iridium_star", "star_8x12")
    scenarios = [replace(SCENARIO, constellation=CONSTELLATIONS[name]) for name in names]
    several = SeveralGames([game(scenario) for scenario in scenarios])
    alone = [game(scenario) for scenario in scenarios]
    for seed in (8, 9, 10):
        expected = alone[seed % 2]
        for one in (several, expected):
            one.reset(seed)
        while len(several.decisions()):
            now, then = several.decisions(), expected.decisions()
            assert torch.equal(now.observation, then.observation)
            for ours, theirs in zip(several.state(), expected.state(), strict=True):
                assert torch.equal(ours, theirs)
            action = now.legal.long().argmax(1)
            paid, owed = several.step(now, action), expected.step(then, action)
            assert torch.equal(paid.team_reward, owed.team_reward)
        assert torch.equal(several.truncated(), expected.truncated())
        assert torch.equal(several.hindsight().credit, expected.hindsight().credit)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"task": TaskConfig(n_tasks=3)}, "n_agents"),
        ({"environment": EnvironmentConfig(loads=LoadView.own)}, "observation_layout"),
        ({"environment": EnvironmentConfig(max_steps=50)}, "max_steps"),
    ],
)
def test_games_that_a_learner_cannot_take_for_one_are_refused(change: dict, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        SeveralGames([game(SCENARIO), game(replace(SCENARIO, **change))])
    with pytest.raises(ValueError, match="at least one"):
        SeveralGames([])


def test_the_worlds_of_a_seed_can_be_shared_out() -> None:
    whole, part = game(SCENARIO, 6), game(SCENARIO, 2)
    whole.reset(4)
    worlds = whole.simulator.worlds
    for first in (0, 2, 4):
        part.reset(4, first=first, of=6)
        for name in ("slot", "source", "destination", "size_mbit", "present"):
            expected = getattr(worlds, name)[first : first + 2]
            assert torch.equal(getattr(part.simulator.worlds, name), expected), name
    SeveralGames([part]).reset(4, first=4, of=6)
    assert torch.equal(part.simulator.worlds.source, worlds.source[4:])
    with pytest.raises(ValueError, match="worlds 5 to 6 are not among 6"):
        part.reset(4, first=5, of=6)
