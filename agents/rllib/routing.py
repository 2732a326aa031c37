"""The routing game for RLlib's env runners: every runner builds its own from the scenario."""

from __future__ import annotations

from functools import lru_cache

from ray.rllib.env.env_context import EnvContext

from envs.ephemeris import Ephemeris
from envs.routing_game import RoutingGame
from envs.scenario import Scenario
from envs.several_games import SeveralGames


def make_routing_game(context: EnvContext) -> SeveralGames:
    """An `EnvironmentFactory` for `QMIXConfig.environment(make_routing_game, env_config={"scenarios": [Scenario]})`.

    Worlds are drawn from the training slots of each scenario's day; rollouts take turns between the scenarios.
    """
    games = {  # a scenario that is named twice has its turn twice
        scenario: RoutingGame(
            _training_ephemeris(scenario).to(context["device"]),
            scenario.task,
            scenario.environment,
            context["n_worlds"],
        )
        for scenario in set(context["scenarios"])
    }
    return SeveralGames([games[scenario] for scenario in context["scenarios"]])


@lru_cache(maxsize=8)
def _training_ephemeris(scenario: Scenario) -> Ephemeris:
    """RLlib makes an evaluation runner beside the training runner; in one process both read the same tables."""
    return scenario.ephemeris("training")
