"""Worlds, replay and learner live on their device: what is asked of it is known, and nothing is mixed with the CPU.

On a pretended device (tests/pretended_device.py): a GPU is not needed, and its speed not shown.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from agents.collect import collect_episodes
from agents.config import AlgorithmConfig, Credit, MixerConfig, MixerKind, Precision, UtilityConfig
from agents.episodes import Episodes
from agents.routers import make_router
from agents.trainer import Trainer, gradient_step
from benchmarks.simulator import play
from envs.asking import LateNumber
from envs.config import DeadEnds, EnvironmentConfig, LoadView, Reward, RewardConfig, TaskConfig
from envs.constellation import CONSTELLATIONS
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.observation_layout import ObservationLayout
from envs.routing_game import RoutingGame
from envs.scenario import Scenario
from tests.pretended_device import DEVICE, OnDevice, pretended_device

N_WORLDS = 12
READS_OF_A_ROLLOUT = 48
"""With its bookkeeping and metrics, however many steps and updates it has: fewer than this."""


def game(config: EnvironmentConfig, device: torch.device | str) -> RoutingGame:
    scenario = Scenario(
        CONSTELLATIONS["iridium_star"],
        EbN0Link(),
        DayConfig(n_slots=60, training_slots=2, validation_slots=1, test_slots=1),
        TaskConfig(n_tasks=4),
        config,
    )
    return RoutingGame(scenario.ephemeris("training").to(device), scenario.task, config, N_WORLDS)


def played(game: RoutingGame) -> list[Any]:
    """Everything that an episode of following the look-ahead says, step by step."""
    layout, record = game.observation_layout, []
    for _ in range(game.max_steps):
        now = game.decisions()
        if not len(now):
            break
        prior = now.observation[:, layout.n_global :].unflatten(1, (4, layout.n_per_direction))[
            ..., layout.prior
        ]
        states = game.state()
        paid = game.step(now, prior.masked_fill(~now.legal, torch.inf).argmin(1))
        rows = (now.world, now.agent, now.observation, now.legal, paid.credit)
        record.append((now.decides, rows, (*states, paid.team_reward)))
    end = (game.simulator.delivered, game.simulator.dropped, game.simulator.paths)
    return [*record, (None, (), end)]


def assert_equal(here: torch.Tensor, there: torch.Tensor) -> None:
    assert isinstance(there, OnDevice)
    torch.testing.assert_close(there.held, here, rtol=0, atol=0)


@pytest.mark.parametrize(
    "config",
    [EnvironmentConfig(loads=view) for view in LoadView]
    + [
        EnvironmentConfig(max_hops=5, max_steps=40, feasibility_mask=False),  # many packets are lost
        EnvironmentConfig(broadcast_delay_steps=2),
        EnvironmentConfig(reward=RewardConfig(kind=Reward.paper)),
        EnvironmentConfig(dead_ends=DeadEnds.whole_way, max_hops=12),
    ],
    ids=[*LoadView, "losses", "delayed", "paper", "whole_way"],
)
def test_a_step_waits_for_nothing(config: EnvironmentConfig) -> None:
    """Python learns how many are on their way while the device works on the step in between. Episodes are those of the
    CPU, value for value, once rows that do not decide are left out."""
    here = game(config, "cpu")
    here.reset(3)
    expected = played(here)
    with pretended_device() as device:
        there = game(config, DEVICE)
        there.reset(2)
        played(there)
        there.reset(3)
        device.reads.clear()
        device.given_since.clear()
        found = played(there)
        assert not device.reads
    assert len(device.given_since) == there.simulator.step_count and min(device.given_since) > 50
    assert len(expected) < len(found) <= len(expected) + 1, "one step to learn that all is over"
    rows = decided = 0
    for (_, *one), (decides, own, shared) in zip(expected[:-1], found, strict=False):
        decides = decides.held
        rows, decided = rows + len(decides), decided + int(decides.sum())
        assert not own[3].held[~decides].any() and not own[4].held[~decides].any(), "no legal move, no credit"
        for here, elsewhere in zip(one[0], own, strict=True):
            torch.testing.assert_close(elsewhere.held[decides], here, rtol=0, atol=0)
        for here, elsewhere in zip(one[1], shared, strict=True):
            assert_equal(here, elsewhere)
    for here, elsewhere in zip(expected[-1][2], found[-1][2], strict=True):
        assert_equal(here, elsewhere)
    assert decided < rows < 2 * decided
    if not config.feasibility_mask:
        assert expected[-1][2][1].any(), "packets were lost"


def test_collected_episodes_are_those_of_the_cpu() -> None:
    config = EnvironmentConfig(max_hops=9, max_steps=9)  # some are cut

    def by_prior(observation: torch.Tensor) -> torch.Tensor:
        layout = ObservationLayout.of(config.loads)
        return -observation[:, layout.n_global :].unflatten(1, (4, -1))[..., layout.prior]

    expected = collect_episodes(game(config, "cpu"), by_prior, seed=5)
    with pretended_device():
        found = collect_episodes(game(config, DEVICE), by_prior, seed=5)
    assert expected.truncated.any() and not expected.truncated.all()
    for field in Episodes.__dataclass_fields__:
        assert_equal(getattr(expected, field), getattr(found, field))


@pytest.mark.parametrize("name", ["look_ahead_3", "greedy", "random"])
def test_routers_route_as_on_the_cpu(name: str) -> None:
    config = EnvironmentConfig()
    here = game(config, "cpu")
    here.reset(4)
    worlds = here.simulator.worlds
    expected = make_router(name, "routers").route(here.ephemeris, worlds, config)
    with pretended_device() as device:
        ephemeris, there = here.ephemeris.to(DEVICE), worlds.to(DEVICE)
        device.reads.clear()
        found = make_router(name, "routers").route(ephemeris, there, config)
    assert_equal(expected.links, found.links)
    assert name == "random" or sum(device.reads.values()) < 12 < found.links.shape[2], "of the worlds only"


@pytest.mark.parametrize("kind", [MixerKind.set, MixerKind.qmix, MixerKind.link])
@pytest.mark.parametrize("credit", list(Credit))
def test_training_on_a_device_is_training_on_the_cpu(kind: MixerKind, credit: Credit) -> None:
    """Weights and metrics, up to rounding: a device computes padding, too. Its updates wait for nothing."""
    reward = Reward.paper if kind is MixerKind.link else Reward.telescoping
    environment = EnvironmentConfig(reward=RewardConfig(kind=reward))
    config = AlgorithmConfig(
        iterations=4,
        worlds_per_rollout=N_WORLDS,
        updates_per_rollout=3,
        batch_episodes=6,
        replay_episodes=3 * N_WORLDS,
        warmup_episodes=2 * N_WORLDS,  # the first rollout is only remembered
        precision=Precision.float32,
        credit=credit,
        utility=UtilityConfig(width=16),
        mixer=MixerConfig(kind=kind, width=8, hypernetwork_width=8, embedding=4),
    )
    expected = Trainer(game(environment, "cpu"), config, seed=1)
    metrics = [expected.iterate() for _ in range(4)]
    with pretended_device() as device:
        trainer = Trainer(game(environment, DEVICE), config, seed=1, device=DEVICE)
        found = [trainer.iterate() for _ in range(4)]
        device.reads.clear()
        for _ in range(2):
            batch = trainer.replay.sample(config.batch_episodes, trainer.sampling)
            gradient_step(trainer.model, trainer.optimizer, batch, config)
            trainer.model.update_targets(config.target_tau)
        assert not device.reads
        trainer.iterate()
    assert sum(device.reads.values()) < READS_OF_A_ROLLOUT
    for one, other in zip(metrics, found, strict=True):
        assert other == pytest.approx(one, rel=1e-3, abs=1e-4)


def test_the_benchmark_counts_only_decisions() -> None:
    expected = play(game(EnvironmentConfig(), "cpu"), seed=3)
    with pretended_device():
        assert play(game(EnvironmentConfig(), DEVICE), seed=3) == expected


def test_what_a_gpu_refuses_is_refused() -> None:
    """The pretended device itself: it computes, counts and refuses."""
    with pretended_device() as device:
        values = torch.arange(4, device=DEVICE)
        assert values.device == DEVICE
        with pytest.raises(RuntimeError, match="mixes tensors"):
            values.add(torch.ones(4))
        assert not device.reads
        assert int(values.sum()) == 6
        assert bool((values > 2).any())
        assert len(values[values > 1]) == 2
        values[values > 1] = 0  # one value: no need to know how many
        assert device.reads == {"item": 2, "mask": 1}
        assert values.cpu().tolist() == [0, 1, 0, 0]
    assert device.reads["to the CPU"] == 1


def test_a_late_number_is_nonsense_until_it_is_waited_for() -> None:
    with pretended_device() as device:
        number = LateNumber(torch.arange(4, device=DEVICE).sum())
        assert number._copy == -1
        assert number.read() == 6
        assert not device.reads
        with pytest.raises(RuntimeError, match="a list as an index"):
            torch.arange(4, device=DEVICE)[[1, 2]]
        torch.tensor([1.0], device=DEVICE)
        assert device.reads == {"upload": 1}
        torch.ones(2).to(DEVICE, non_blocking=True)
        assert device.reads == {"upload": 1}
    assert LateNumber(torch.tensor(7)).read() == 7
