"""Worlds, replay and learner live on their device: what is asked of it is known, and nothing is mixed with the CPU.

On a pretended device (tests/pretended_device.py): a GPU is not needed, and its speed not shown.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch

from agents.config import AlgorithmConfig, MixerConfig, MixerKind, Precision, UtilityConfig
from agents.trainer import Trainer
from envs.config import EnvironmentConfig, LoadView, Reward, RewardConfig, TaskConfig
from envs.constellation import CONSTELLATIONS
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.routing_game import RoutingGame
from envs.scenario import Scenario
from tests.pretended_device import DEVICE, OnDevice, pretended_device

N_WORLDS = 12
READS_OF_AN_UPDATE = {
    "item": 3,  # longest episode of the batch, in decisions and in steps; most decisions of an agent
    "nonzero": 5,  # decisions, moments, moments with targets; agents alive, in the mixer and its target
}
READS_OF_A_ROLLOUT = 40
"""And of its bookkeeping and metrics, however many steps it has: fewer than this."""


def game(config: EnvironmentConfig, device: torch.device | str) -> RoutingGame:
    scenario = Scenario(
        CONSTELLATIONS["iridium_star"],
        EbN0Link(),
        DayConfig(n_slots=60, training_slots=2, validation_slots=1, test_slots=1),
        TaskConfig(n_tasks=4),
        config,
    )
    return RoutingGame(scenario.ephemeris("training").to(device), scenario.task, config, N_WORLDS)


def played(game: RoutingGame, seed: int) -> list[Any]:
    """Everything that an episode of following the look-ahead says, step by step."""
    layout, record = game.observation_layout, []
    game.reset(seed)
    for _ in range(game.max_steps):
        now = game.decisions()
        if not len(now):
            break
        prior = now.observation[:, layout.n_global :].unflatten(1, (4, layout.n_per_direction))[
            ..., layout.prior
        ]
        states = game.state()
        paid = game.step(now, prior.masked_fill(~now.legal, torch.inf).argmin(1))
        record += [now.world, now.agent, now.observation, now.legal, *states, paid.team_reward, paid.credit]
    return [*record, game.simulator.delivered, game.simulator.dropped, game.hindsight().credit]


def assert_equal(here: torch.Tensor, there: torch.Tensor) -> None:
    assert isinstance(there, OnDevice)
    torch.testing.assert_close(there.held, here, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("config", "reads_of_a_step"),
    [(EnvironmentConfig(loads=view), 1) for view in LoadView]
    + [
        (EnvironmentConfig(max_hops=5, max_steps=40, feasibility_mask=False), 1),  # many packets are lost
        (EnvironmentConfig(broadcast_delay_steps=2), 1),
        (EnvironmentConfig(reward=RewardConfig(kind=Reward.paper)), 2),  # and which worlds have ended
    ],
    ids=[*LoadView, "losses", "delayed", "paper"],
)
def test_a_step_asks_how_many_decide_and_nothing_else(
    config: EnvironmentConfig, reads_of_a_step: int
) -> None:
    """That question is also whether all is over. Episodes are those of the CPU, value for value."""
    expected = played(game(config, "cpu"), seed=3)
    with pretended_device() as device:
        there = game(config, DEVICE)
        there.reset(2)
        device.reads.clear()
        there.decisions()
        assert device.reads == {"nonzero": 1}
        there.reset(3)
        device.reads.clear()
        uploads = device.uploads
        found = played(there, seed=3)
        steps = there.simulator.step_count
    in_reset = 4  # who is there, and what the last episode has touched
    assert 5 < steps < sum(device.reads.values()) <= reads_of_a_step * (steps + 1) + in_reset
    assert device.uploads - uploads < 12, "of the worlds, not of every step"
    assert len(found) == len(expected)
    for one, other in zip(expected, found, strict=True):
        assert_equal(one, other)
    if not config.feasibility_mask:
        assert expected[-2].any(), "packets were lost"


@pytest.mark.parametrize("kind", [MixerKind.set, MixerKind.qmix, MixerKind.link])
def test_training_on_a_device_is_training_on_the_cpu(kind: MixerKind) -> None:
    """Weights and metrics, value for value; what an update asks does not depend on how much it learns from."""
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
        utility=UtilityConfig(width=16),
        mixer=MixerConfig(kind=kind, width=8, hypernetwork_width=8, embedding=4),
    )
    expected = Trainer(game(environment, "cpu"), config, seed=1)
    metrics = [expected.iterate() for _ in range(4)]
    with pretended_device() as device:
        routing = game(environment, DEVICE)
        trainer = Trainer(routing, config, seed=1, device=DEVICE)
        found = [trainer.iterate()]
        device.reads.clear()
        found.append(trainer.iterate())
        learning, steps = Counter(device.reads), routing.simulator.step_count
        found += [trainer.iterate() for _ in range(2)]
        for name, value in trainer.model.state_dict().items():
            assert_equal(expected.model.state_dict()[name], value)
    assert found == metrics
    per_step = 2 if reward is Reward.paper else 1
    of_updates = {name: 3 * times for name, times in READS_OF_AN_UPDATE.items()}
    rest = sum(learning.values()) - sum(of_updates.values()) - per_step * steps
    assert 0 < rest <= READS_OF_A_ROLLOUT


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
