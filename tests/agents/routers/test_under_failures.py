"""Every router, and offloading with it, on networks that fall apart."""

from __future__ import annotations

import pytest
import torch

from agents.config import UtilityConfig
from agents.networks import build_utility
from agents.policy import Policy
from agents.protocol import EnvironmentSpec
from agents.routers import ROUTERS
from agents.routers.learned import LearnedRouter
from envs.config import DeadEnds, EnvironmentConfig, TaskConfig
from envs.constellation import Constellation
from envs.day import DayConfig
from envs.delay import charged_delays
from envs.ephemeris import UNREACHABLE_S, Ephemeris
from envs.failures import FailureConfig
from envs.links import EbN0Link
from envs.observation import Observer
from envs.routing_game import RoutingGame
from envs.scenario import Scenario
from envs.simulator import RoutingSimulator
from envs.worlds import Worlds

RATES = (0.0, 0.1, 0.3, 0.5)
TASK = TaskConfig(n_tasks=3)
NAMES = [*ROUTERS, "learned"]


def scenario(rate: float, dead_ends: DeadEnds = DeadEnds.next_hop) -> Scenario:
    return Scenario(
        Constellation("walker_6x8", "delta", 6, 8, 1000.0, 53.0, 1),
        EbN0Link(),
        DayConfig(n_slots=30, training_slots=3, validation_slots=1, test_slots=1),
        TASK,
        EnvironmentConfig(max_hops=30, dead_ends=dead_ends),
        FailureConfig(satellite_rate=rate / 2, link_rate=rate, seed=7),
    )


@pytest.fixture(scope="module")
def ephemerides() -> dict[float, Ephemeris]:
    return {rate: scenario(rate).ephemeris("training") for rate in RATES}


@pytest.fixture(scope="module")
def untrained(ephemerides: dict[float, Ephemeris]) -> Policy:
    game = RoutingGame(ephemerides[0.0], TASK, EnvironmentConfig(), 1)
    spec, config = EnvironmentSpec.of(game), UtilityConfig(width=8)
    return Policy(build_utility(spec, config), config, spec, game.observation_layout.name)


def anywhere(ephemeris: Ephemeris, n_worlds: int) -> Worlds:
    """Worlds of any satellites, the failed and the disconnected among them."""
    generator = torch.Generator().manual_seed(1)
    chosen = torch.rand(n_worlds, ephemeris.n_satellites, generator=generator).argsort(1)
    sensing, server = chosen[:, :3], chosen[:, [3, 3, 4]]
    return Worlds(
        slot=torch.arange(n_worlds) % ephemeris.n_slots,
        source=torch.cat([server, sensing], 1),
        destination=torch.cat([sensing, server], 1),
        size_mbit=20 + 100 * torch.rand(n_worlds, 6, generator=generator),
        present=torch.ones(n_worlds, 6, dtype=torch.bool),
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_router_bears_it(name: str, ephemerides: dict[float, Ephemeris], untrained: Policy):
    router = LearnedRouter(untrained) if name == "learned" else ROUTERS[name]()
    for rate in RATES:
        ephemeris, config = ephemerides[rate], scenario(rate).environment
        drawn, any_worlds = scenario(rate).worlds(ephemeris, 6, seed=2), anywhere(ephemeris, 6)
        for worlds in (drawn, any_worlds):
            routes = router.route(ephemeris, worlds, config)
            delay_s = charged_delays(ephemeris, worlds, routes.links, routes.delivered, 2.0)
            assert delay_s.isfinite().all()
            part = ephemeris.component[worlds.slot]
            connected = part.gather(1, worlds.source) == part.gather(1, worlds.destination)
            assert not (routes.delivered & ~connected).any()
            assert (delay_s[~connected] == 2 * UNREACHABLE_S).all()  # bounded, whatever the packet's size
            assert (routes.links[~connected] < 0).all()
            used = routes.links >= 0
            row = worlds.slot[:, None, None] * ephemeris.n_satellites * 4 + routes.links
            assert ephemeris.link_up.view(-1)[row[used]].all()
            if worlds is drawn:
                assert connected.all()


@pytest.mark.parametrize(
    "name", ["random", "greedy", "look_ahead_1", "look_ahead_3", "replanning", "learned"]
)
def test_who_looks_the_whole_way_loses_nothing(
    name: str, ephemerides: dict[float, Ephemeris], untrained: Policy
):
    router = LearnedRouter(untrained) if name == "learned" else ROUTERS[name]()
    for rate in RATES:
        careful = scenario(rate, DeadEnds.whole_way)
        worlds = careful.worlds(ephemerides[rate], 6, seed=3)
        assert router.route(ephemerides[rate], worlds, careful.environment).delivered.all()


@pytest.mark.parametrize("feasibility_mask", [True, False])
def test_observations_and_rewards_stay_finite(feasibility_mask: bool, ephemerides: dict[float, Ephemeris]):
    for rate in RATES:
        ephemeris = ephemerides[rate]
        config = EnvironmentConfig(max_hops=12, feasibility_mask=feasibility_mask)
        simulator = RoutingSimulator(ephemeris, config)
        observe = Observer(simulator)
        simulator.reset(anywhere(ephemeris, 12))
        generator = torch.Generator().manual_seed(0)
        while len(turn := simulator.turn()):
            observation = observe(turn)
            assert observation.isfinite().all() and observation.abs().max() < 1e3
            lot = torch.rand(len(turn), 4, generator=generator)
            outcome = simulator.step(turn, lot.masked_fill(~turn.legal, -1.0).argmax(1))
            assert outcome.team_reward.isfinite().all() and outcome.credit.isfinite().all()
            assert outcome.team_reward.min() > -1e5
