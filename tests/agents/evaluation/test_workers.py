"""A comparison shared by processes gives the results of one, and does not hide what goes wrong in them."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import asdict

import pytest
import torch

from agents.cluster import WorkerLost
from agents.config import UtilityConfig
from agents.evaluation import Comparison, compare
from agents.networks import build_utility
from agents.policy import Policy
from agents.protocol import EnvironmentSpec
from agents.routers import ROUTERS
from agents.routers.learned import LearnedRouter
from envs.config import EnvironmentConfig, TaskConfig
from envs.constellation import CONSTELLATIONS
from envs.ephemeris import Ephemeris, build_ephemeris
from envs.links import LINK_MODELS
from envs.observation_layout import ObservationLayout
from envs.routing_game import RoutingGame
from envs.topology import build_topology
from envs.worlds import Worlds, sample_worlds
from tests.agents.evaluation.odd_routers import BrokenRouter, DyingRouter, EndlessRouter

CONFIG, TASK = EnvironmentConfig(), TaskConfig(n_tasks=4)

pytestmark = pytest.mark.slow  # worker processes take seconds to begin


@pytest.fixture(scope="module")
def ephemeris() -> Ephemeris:
    topology = build_topology(
        CONSTELLATIONS["iridium_star"], LINK_MODELS["eb_n0"](), torch.tensor([0.0, 900.0])
    )
    return build_ephemeris(topology, CONFIG.relay_s_per_mbit)


@pytest.fixture(scope="module")
def worlds(ephemeris: Ephemeris) -> Worlds:
    return sample_worlds(ephemeris, TASK, 11, seed=3)


def without_times(comparison: Comparison) -> list[dict]:
    return [asdict(result) | {"seconds_per_decision": None} for result in comparison.results]


def test_any_number_of_workers_gives_the_results_of_one_process(ephemeris: Ephemeris, worlds: Worlds) -> None:
    game, config = RoutingGame(ephemeris, TASK, CONFIG, 1), UtilityConfig(width=8)
    spec = EnvironmentSpec.of(game)
    layout = ObservationLayout.of(CONFIG.loads)
    policy = Policy(build_utility(spec, config).requires_grad_(False), config, spec, layout.name)
    routers = [LearnedRouter(policy), *(make() for make in ROUTERS.values())]
    alone = compare(routers, ephemeris, worlds, CONFIG)
    said: list[str] = []
    shared = compare(routers, ephemeris, worlds, CONFIG, workers=3, on_progress=said.append)
    assert without_times(shared) == without_times(alone)
    assert all(result.seconds_per_decision > 0 for result in shared.results)
    assert said[-1].startswith(f"{len(said)} of {len(said)} ")


@pytest.mark.parametrize(
    ("router", "error", "words"),
    [(BrokenRouter(), ArithmeticError, "lost its way"), (DyingRouter(), WorkerLost, "evaluation.workers")],
)
def test_what_goes_wrong_in_a_worker_surfaces_and_ends_the_others(
    ephemeris: Ephemeris, worlds: Worlds, router, error: type[Exception], words: str
) -> None:
    before = set(multiprocessing.active_children())
    with pytest.raises(error, match=words) as raised:
        compare([router, EndlessRouter()], ephemeris, worlds, CONFIG, workers=2)
    if error is ArithmeticError:
        assert "odd_routers.py" in str(raised.value.__cause__), "the worker's own traceback"
    patience = time.monotonic() + 120  # the pool's own thread collects them, when the machine lets it
    while set(multiprocessing.active_children()) - before and time.monotonic() < patience:
        time.sleep(0.05)
    assert not set(multiprocessing.active_children()) - before
