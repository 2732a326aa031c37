"""A run that goes on from a checkpoint equals the run that was never stopped, whatever processes it has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agents.config import MixerConfig, MixerKind
from agents.rllib import QMIX
from agents.rllib.metrics import flat_metrics
from agents.rllib.resume import load_training_state, training_state
from agents.run.checkpoint import read_checkpoint, write_checkpoint
from agents.trainer import Trainer
from envs.config import ConfigError
from tests.agents.rllib.signals import SMALL, SignalGame
from tests.agents.rllib.weights import assert_equal, learned_weights


def through_a_checkpoint(algorithm: QMIX, folder: Path, *, with_replay: bool = True) -> dict[str, Any]:
    """The algorithm's state, written and read."""
    folder.mkdir()
    write_checkpoint(folder, training_state(algorithm, with_replay=with_replay))
    return read_checkpoint(folder).state


def assert_same_state(a: Any, b: Any, path: str = "") -> None:
    """Value for value, kind for kind."""
    assert type(a) is type(b), path
    if isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for key in a:
            assert_same_state(a[key], b[key], f"{path}/{key}")
    elif isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and torch.equal(a, b), path
    else:
        assert a == b, path


def iterate(algorithm: QMIX, number: int) -> list[dict[str, float]]:
    """Metrics of that many iterations, without those that tell the time."""
    rows = [flat_metrics(algorithm.train()) for _ in range(number)]
    return [{name: value for name, value in row.items() if name != "decisions_per_s"} for row in rows]


@pytest.mark.parametrize("kind", [MixerKind.set, MixerKind.qmix, MixerKind.vdn, MixerKind.none])
def test_resumed_run_equals_the_run_never_stopped(config, build, tmp_path, kind):
    """Metrics, and at the end everything: weights, targets, moments, replay, random streams and counters."""
    config.training(mixer=MixerConfig(kind=kind, width=8, hypernetwork_width=8, embedding=4))
    straight, stopped, resumed = (build(config.copy()) for _ in range(3))
    expected = iterate(straight, 7)
    assert iterate(stopped, 3) == expected[:3]
    load_training_state(resumed, through_a_checkpoint(stopped, tmp_path / "3"))
    assert iterate(resumed, 4) == expected[3:]
    assert_same_state(training_state(resumed, with_replay=True), training_state(straight, with_replay=True))
    assert resumed.iteration == straight.iteration == 7


@pytest.mark.parametrize("iterations", [0, 1, 2, 5])
def test_a_run_can_be_stopped_after_any_iteration(config, build, tmp_path, iterations):
    """Also before the first, and while there is too little to learn from."""
    stopped, resumed = build(config.copy()), build(config.copy())
    expected = iterate(stopped, iterations)
    load_training_state(resumed, through_a_checkpoint(stopped, tmp_path / "state"))
    assert iterate(resumed, 6 - iterations) == iterate(stopped, 6 - iterations)
    assert len(expected) == iterations
    assert_same_state(training_state(resumed, with_replay=True), training_state(stopped, with_replay=True))


def test_an_older_state_is_restored_in_place(config, build, tmp_path):
    algorithm = build(config)
    iterate(algorithm, 3)
    state = through_a_checkpoint(algorithm, tmp_path / "3")
    later = iterate(algorithm, 3)
    load_training_state(algorithm, state)
    assert iterate(algorithm, 3) == later
    load_training_state(algorithm, state)  # the state itself has not been trained on
    assert iterate(algorithm, 3) == later


def test_the_plain_trainer_goes_on_from_it_too(config, build, tmp_path):
    """The state is the core's and needs no Ray."""
    algorithm, trainer = build(config), Trainer(SignalGame(16), SMALL, seed=3)
    iterate(algorithm, 3)
    trainer.load_state_dict(through_a_checkpoint(algorithm, tmp_path / "3"))
    iterate(algorithm, 3)
    for _ in range(3):
        plain = trainer.iterate()
    assert_equal(learned_weights(algorithm)[0], dict(trainer.model.state_dict()))
    assert plain["episodes"] == 6 * 16
    state = training_state(algorithm, with_replay=False)
    assert {name: state["counters"][name] for name in trainer.counters} == trainer.counters
    assert set(trainer.state_dict()) == set(state)


def test_without_replay_weights_are_kept_and_a_new_replay_is_filled_first(config, build, tmp_path):
    stopped, resumed = build(config.copy()), build(config.copy())
    iterate(stopped, 3)
    load_training_state(resumed, through_a_checkpoint(stopped, tmp_path / "3", with_replay=False))
    before = learned_weights(stopped)[0]
    assert len(resumed.replay) == 0
    assert_equal(learned_weights(resumed)[0], before)
    (row,) = iterate(resumed, 1)  # collects
    assert "loss" not in row
    assert row["episodes"] == 4 * 16
    assert_equal(learned_weights(resumed)[0], before)
    (row,) = iterate(resumed, 1)  # learns
    assert "loss" in row


def test_with_other_iterations_the_schedules_are_those_of_the_new_length(config, build, tmp_path):
    """And all else goes on: the next rollout is played with the same weights in the same worlds."""
    stopped = build(config.copy())
    iterate(stopped, 3)
    longer = build(config.copy().training(iterations=12))
    load_training_state(longer, through_a_checkpoint(stopped, tmp_path / "3"))
    (mine,), (theirs,) = iterate(longer, 1), iterate(stopped, 1)
    assert (mine["epsilon"], theirs["epsilon"]) == (SMALL.epsilon(3 / 12), SMALL.epsilon(3 / 6))
    assert mine["learning_rate"] == SMALL.learning_rate_at(3 / 12)
    assert mine["episodes"] == theirs["episodes"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"mixer": MixerConfig(kind=MixerKind.vdn)},
            r"of other networks: mixer\.agents.* there and missing here \(\d+ differ\)",
        ),
        (
            {"utility": replace(SMALL.utility, width=17)},
            r"target_utility\.body\.0\.bias is \(16,\) there and \(17,\) here",
        ),
    ],
)
def test_a_state_of_other_networks_is_refused_in_one_line(config, build, change, message):
    state = training_state(build(config.copy()), with_replay=True)
    other = build(config.copy().training(**change))
    before = learned_weights(other)[0]
    with pytest.raises(ConfigError, match=message) as error:
        load_training_state(other, state)
    assert "\n" not in str(error.value)
    assert_equal(learned_weights(other)[0], before)


def test_a_state_of_another_seed_is_refused(config, build):
    state = training_state(build(config.copy()), with_replay=True)
    with pytest.raises(ConfigError, match=r"training\.seed=4 is not possible: .* the seed 3"):
        load_training_state(build(config.copy().debugging(seed=4)), state)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_with_a_process_of_their_own_runner_and_learner_go_on_exactly(config, build, tmp_path):
    stopped = build(config.copy())
    iterate(stopped, 3)
    resumed = build(config.copy().env_runners(num_env_runners=1).learners(num_learners=1))
    load_training_state(resumed, through_a_checkpoint(stopped, tmp_path / "3"))
    assert iterate(resumed, 2) == iterate(stopped, 2)
    assert_same_state(training_state(resumed, with_replay=True), training_state(stopped, with_replay=True))


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_with_more_processes_a_run_goes_on_from_the_same_state_and_is_exact_from_there(
    config, build, tmp_path
):
    """Two runners play other worlds and two learners round otherwise, but do so again when they are resumed."""
    stopped = build(config.copy())
    iterate(stopped, 3)
    resumed = build(config.copy().env_runners(num_env_runners=2).learners(num_learners=2))
    load_training_state(resumed, through_a_checkpoint(stopped, tmp_path / "3"))
    for weights in learned_weights(resumed):
        assert_equal(weights, learned_weights(stopped)[0])
    assert_same_state(training_state(resumed, with_replay=True), training_state(stopped, with_replay=True))

    (row,) = iterate(resumed, 1)
    assert row["episodes"] == 4 * 16
    state = through_a_checkpoint(resumed, tmp_path / "4")
    later = iterate(resumed, 2)
    weights = learned_weights(resumed)
    load_training_state(resumed, state)
    assert iterate(resumed, 2) == later
    assert_equal(learned_weights(resumed)[1], weights[0])
