"""An env runner, built without Ray."""

from __future__ import annotations

import pickle
from dataclasses import fields

import pytest
import torch
from ray.rllib.core import COMPONENT_RL_MODULE
from ray.rllib.utils.metrics import EPISODE_RETURN_MEAN, NUM_ENV_STEPS_SAMPLED, NUM_EPISODES

from agents.episodes import Episodes
from agents.replay import Replay
from agents.rllib.env_runner import ROLLOUT, BatchedEnvRunner, Rollout, RolloutFailure, play_remotely
from agents.trainer import Trainer
from tests.agents.rllib.signals import SMALL, SignalGame, make_broken, make_deaf


def same(a: Episodes, b: Episodes) -> bool:
    return all(torch.equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Episodes))


def test_rollout_is_the_plain_trainer_s(config):
    runner = BatchedEnvRunner(config=config)
    trainer = Trainer(SignalGame(16), SMALL, seed=3)
    for number in range(3):
        (rollout,) = runner.sample()
        assert same(rollout.episodes, trainer.play(SMALL.epsilon(number / SMALL.iterations)))
        trainer.counters["iterations"] += 1


def test_rollout_depends_on_its_number_and_not_on_what_was_played_before(config):
    runner = BatchedEnvRunner(config=config)
    played = [runner.sample()[0].episodes for _ in range(4)]
    other = BatchedEnvRunner(config=config)
    other.set_state({ROLLOUT: 3})
    assert same(other.sample()[0].episodes, played[3])
    assert not same(played[2], played[3])


@pytest.mark.parametrize("n_runners", [2, 4])
def test_the_parts_of_several_runners_are_the_rollout_of_one(config, n_runners):
    whole = BatchedEnvRunner(config=config)
    whole.set_state({ROLLOUT: 2})
    (together,) = whole.sample()
    config.env_runners(num_env_runners=n_runners)
    parts = []
    for index in range(1, n_runners + 1):
        runner = BatchedEnvRunner(config=config, worker_index=index)
        runner.set_state({ROLLOUT: 2})
        parts += runner.sample()
    assert [len(part.episodes) for part in parts] == [16 // n_runners] * n_runners
    assert same_episodes(Replay(16), [together], Replay(16), parts)


def same_episodes(a: Replay, of_a: list[Rollout], b: Replay, of_b: list[Rollout]) -> bool:
    """Whether two replays hold the same after they were given these rollouts."""
    for replay, rollouts in ((a, of_a), (b, of_b)):
        for rollout in rollouts:
            replay.add(rollout.episodes)
    first, second = (replay.sample(64, torch.Generator().manual_seed(0)) for replay in (a, b))
    return all(torch.equal(first[name], second[name]) for name in first)


def test_any_runner_plays_any_part(config):
    config.env_runners(num_env_runners=2)
    first, second = (BatchedEnvRunner(config=config, worker_index=i) for i in (1, 2))
    (own,) = second.sample()
    (borrowed,) = first.sample(part=1)
    assert same(own.episodes, borrowed.episodes)
    assert not same(own.episodes, BatchedEnvRunner(config=config, worker_index=1).sample()[0].episodes)


def test_local_runner_beside_remote_ones_needs_no_environment(config):
    spaces = BatchedEnvRunner(config=config).get_spaces()
    config.env_runners(num_env_runners=2)
    runner = BatchedEnvRunner(config=config, worker_index=0, spaces=spaces)
    assert runner.env is None
    assert runner.get_spaces() is spaces
    with pytest.raises(ValueError, match="sample from the remote"):
        runner.sample()


def test_asks_for_as_much_as_was_wanted(config):
    runner = BatchedEnvRunner(config=config)
    assert len(runner.sample()) == 1
    assert sum(len(r.episodes) for r in runner.sample(num_episodes=40)) == 48
    assert sum(r.env_steps() for r in runner.sample(num_timesteps=150)) >= 150


def test_exploration_can_be_switched_off_and_can_be_all(config):
    runner = BatchedEnvRunner(config=config)

    def share_of_greedy_actions(**kwargs) -> float:
        episodes = runner.sample(**kwargs)[0].episodes
        q = runner.module.model(episodes.observation).masked_fill(~episodes.legal, -torch.inf)
        played = episodes.action >= 0
        return (episodes.action == q.argmax(dim=1))[played].float().mean().item()

    assert share_of_greedy_actions(explore=False) == 1
    assert share_of_greedy_actions(random_actions=True) < share_of_greedy_actions() < 1


def test_evaluation_plays_the_same_worlds_every_time_and_no_training_worlds(config):
    config.evaluation(evaluation_interval=1, evaluation_duration=16)
    runner = BatchedEnvRunner(config=config.get_evaluation_config_object())
    first, second = (runner.sample(num_episodes=16)[0].episodes for _ in range(2))
    assert same(first, second)
    training = BatchedEnvRunner(config=config)
    assert not any(same(training.sample(explore=False)[0].episodes, first) for _ in range(6))


def test_metrics_are_never_empty(config):
    runner = BatchedEnvRunner(config=config)
    assert runner.get_metrics()[NUM_ENV_STEPS_SAMPLED].peek() == 0
    steps = sum(r.env_steps() for r in runner.sample())
    metrics = runner.get_metrics()
    assert metrics[NUM_ENV_STEPS_SAMPLED].peek() == steps
    assert metrics[NUM_EPISODES].peek() == 16
    assert EPISODE_RETURN_MEAN in metrics
    assert runner.get_metrics()[NUM_ENV_STEPS_SAMPLED].peek() == 0


def test_rollout_counts_and_travels(config):
    (rollout,) = BatchedEnvRunner(config=config).sample()
    episodes = rollout.episodes
    assert rollout.env_steps() == episodes.length.sum()
    assert rollout.agent_steps() == (episodes.action >= 0).sum()
    buffers: list[pickle.PickleBuffer] = []
    packed = pickle.dumps(rollout, protocol=5, buffer_callback=buffers.append)
    read_only = [
        memoryview(bytes(buffer.raw())) for buffer in buffers
    ]  # as Ray's object store hands them out
    again: Rollout = pickle.loads(packed, buffers=read_only)
    assert same(again.episodes, episodes)
    again.episodes.observation.zero_()  # writable


def test_state_has_the_weights_unless_they_are_left_out(config):
    runner = BatchedEnvRunner(config=config)
    runner.sample()
    assert runner.get_state().keys() >= {ROLLOUT, COMPONENT_RL_MODULE}
    assert runner.get_state(not_components=COMPONENT_RL_MODULE) == {ROLLOUT: 1}
    other = BatchedEnvRunner(config=config.copy().debugging(seed=9))
    other.set_state(runner.get_state())
    for name, value in runner.module.state_dict().items():
        assert torch.equal(other.module.state_dict()[name], value)


def test_error_of_the_environment_is_raised_here_and_answered_from_afar(config):
    runner = BatchedEnvRunner(config=config.environment(make_broken))
    with pytest.raises(ArithmeticError, match="antenna"):
        runner.sample()
    with pytest.raises(ArithmeticError, match="antenna"):
        runner.apply(lambda r: r.sample())
    answer = play_remotely(runner, 0, {})
    assert isinstance(answer, RolloutFailure)
    assert "ArithmeticError: the antenna fell off" in answer.traceback
    assert "signals.py" in answer.traceback


def test_factory_that_ignores_the_number_of_worlds_is_an_error(config):
    with pytest.raises(ValueError, match="n_worlds=16 and made 7"):
        BatchedEnvRunner(config=config.environment(make_deaf))
