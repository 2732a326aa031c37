from dataclasses import replace

import pytest
import torch

from agents.config import UtilityConfig
from agents.networks import build_utility
from agents.policy import Policy, PolicyError
from agents.protocol import EnvironmentSpec
from agents.routers.learned import LearnedRouter
from agents.routers.look_ahead import LookAheadRouter
from envs.config import EnvironmentConfig, LoadView, TaskConfig
from envs.observation_layout import ObservationLayout
from envs.routing_game import RoutingGame
from envs.worlds import sample_worlds

VIEWS = {1: LoadView.own, 2: LoadView.neighbours, 3: LoadView.two_hop}


def untrained(ephemeris, loads: LoadView) -> Policy:
    game = RoutingGame(ephemeris, TaskConfig(n_tasks=2), EnvironmentConfig(loads=loads), 1)
    spec, config = EnvironmentSpec.of(game), UtilityConfig(width=8)
    return Policy(build_utility(spec, config), config, spec, ObservationLayout.of(loads).name)


@pytest.mark.parametrize("depth", VIEWS)
def test_an_untrained_residual_policy_is_the_look_ahead_router(depth, ephemeris, config):
    """Q starts as minus the known cost; the worlds' own load view does not matter, the policy brings its own."""
    worlds = sample_worlds(ephemeris, TaskConfig(n_tasks=6), 20, seed=9)
    learned = LearnedRouter(untrained(ephemeris, VIEWS[depth]))
    routes = learned.route(ephemeris, worlds, replace(config, loads=LoadView.own))
    expected = LookAheadRouter(depth).route(ephemeris, worlds, config)
    same = (routes.links == expected.links).all(2).float().mean()
    assert same > 0.99, "rounding may decide a tie otherwise, no more"


def test_a_policy_for_other_observations_is_refused(ephemeris):
    policy = untrained(ephemeris, LoadView.own)
    for strange in (
        replace(policy, observation="leomix-routing-v0/own"),
        replace(policy, observation=ObservationLayout.of(LoadView.two_hop).name),
    ):
        with pytest.raises(PolicyError, match="observations"):
            LearnedRouter(strange)


def test_runs_on_another_load_and_constellation(ephemeris, star, config):
    learned = LearnedRouter(untrained(ephemeris, LoadView.neighbours))
    worlds = sample_worlds(star, TaskConfig(n_tasks=11), 5, seed=4)
    assert learned.route(star, worlds, config).delivered.float().mean() > 0.8


def test_routing_in_parts_changes_nothing(ephemeris, config, monkeypatch):
    """A CPU observes and judges some satellites at a time; how many must not show."""
    worlds = sample_worlds(ephemeris, TaskConfig(n_tasks=6), 4, seed=9)
    learned = LearnedRouter(untrained(ephemeris, LoadView.announced))
    whole = learned.route(ephemeris, worlds, config)
    monkeypatch.setattr("envs.observation._ROWS_IN_CACHE", 3)
    assert torch.equal(learned.route(ephemeris, worlds, config).links, whole.links)
