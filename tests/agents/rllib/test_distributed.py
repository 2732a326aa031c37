"""Remote env runners and learners, evaluation beside training, Ray Tune: everything that needs a Ray cluster."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace

import pytest
import torch
from ray import tune
from ray.exceptions import RayError
from ray.rllib.core import DEFAULT_MODULE_ID

from agents.cluster import WorkerLost
from agents.config import MixerKind
from agents.rllib import QMIX
from tests.agents.rllib.signals import SMALL, make_broken, make_deaf, make_dying_once
from tests.agents.rllib.weights import Weights, assert_close, assert_equal, learned_weights

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("cluster")]


def trained(config, build, iterations: int = 4) -> Weights:
    algorithm = build(config)
    for _ in range(iterations):
        algorithm.train()
    weights = learned_weights(algorithm)[0]
    algorithm.stop()
    return weights


def test_one_remote_runner_plays_and_learns_what_the_local_one_does(config, build):
    local, remote = build(config.copy()), build(config.copy().env_runners(num_env_runners=1))
    for _ in range(4):
        mine, other = local.train(), remote.train()
        for name in ("epsilon", "episode_return_mean", "num_episodes"):
            assert mine["env_runners"][name] == other["env_runners"][name]
    assert_equal(learned_weights(local)[0], learned_weights(remote)[0])


def test_two_runners_learn_what_one_process_does_follow_the_weights_and_resume_exactly(
    config, build, tmp_path
):
    expected = trained(config.copy(), build, iterations=3)
    config.env_runners(num_env_runners=2)
    algorithm = build(config.copy())
    for _ in range(3):
        result = algorithm.train()
    assert_close(learned_weights(algorithm)[0], expected)
    assert result["env_runners"]["num_episodes"] == 16
    assert result["env_runners"]["epsilon"] == SMALL.epsilon(2 / SMALL.iterations)
    path = algorithm.save_to_path(tmp_path)
    newest = learned_weights(algorithm)[0]
    algorithm.train()
    for held in algorithm.env_runner_group.foreach_env_runner(
        lambda runner: runner.module.get_state(), local_env_runner=False
    ):
        for name, value in held.items():
            assert torch.equal(torch.tensor(value), newest[name.removeprefix("model.")])
    resumed = build(config.copy())
    resumed.restore_from_path(path)
    resumed.train()
    assert_equal(learned_weights(resumed)[0], learned_weights(algorithm)[0])


@pytest.mark.parametrize("restart", [False, True])
def test_error_in_a_remote_environment_surfaces_at_once_with_its_traceback(config, build, restart):
    config.fault_tolerance(restart_failed_env_runners=restart)
    algorithm = build(config.environment(make_broken).env_runners(num_env_runners=1))
    with pytest.raises(RuntimeError, match=r"(?s)env runner 1 failed .*signals\.py.*the antenna fell off"):
        algorithm.train()


def test_error_while_a_remote_environment_is_made_surfaces_too(config, build):
    config.environment(make_deaf).env_runners(num_env_runners=1)
    with pytest.raises(Exception, match="n_worlds=16 and made 7"):
        build(config)


def test_error_in_a_remote_evaluation_environment_surfaces_too(config, build):
    config.evaluation(
        evaluation_num_env_runners=1, evaluation_interval=1, evaluation_config={"env": make_broken}
    )
    with pytest.raises((ArithmeticError, RayError), match="the antenna fell off"):
        build(config).train()


def test_a_lost_runner_changes_nothing_but_the_time(config, build, tmp_path):
    config.debugging(seed=0)
    expected = trained(config.copy(), build)
    config.environment(make_dying_once, env_config={"mark": str(tmp_path / "died")})
    config.env_runners(num_env_runners=2).fault_tolerance(restart_failed_env_runners=True)
    algorithm = build(config)
    for _ in range(4):
        assert algorithm.train()["env_runners"]["num_episodes"] == 16
    assert (tmp_path / "died").exists()
    assert_close(learned_weights(algorithm)[0], expected)
    group, deadline = algorithm.env_runner_group, time.monotonic() + 120
    while time.monotonic() < deadline and group.num_healthy_remote_env_runners() < 2:
        algorithm.train()
    assert group.num_healthy_remote_env_runners() == 2  # Ray has started another


def test_a_lost_runner_ends_the_run_where_it_is_not_to_be_replaced(config, build, tmp_path):
    config.environment(make_dying_once, env_config={"mark": str(tmp_path / "died")}).debugging(seed=0)
    algorithm = build(config.env_runners(num_env_runners=2))
    with pytest.raises(
        WorkerLost, match=r"env runner died .* iteration 3.*cluster\.restart_failed_env_runners"
    ):
        for _ in range(4):
            algorithm.train()


def test_evaluation_beside_training_gives_the_local_evaluation_s_returns(config, build):
    config.evaluation(evaluation_interval=1, evaluation_duration=16)
    local = build(config.copy())
    config.evaluation(evaluation_num_env_runners=1, evaluation_parallel_to_training=True)
    beside = build(config)
    before = local.evaluate()["env_runners"]["episode_return_mean"]
    assert beside.train()["evaluation"]["env_runners"]["episode_return_mean"] == before
    assert beside.evaluate()["env_runners"]["num_episodes"] == 16


def test_two_learners_make_the_updates_of_one_and_resume(config, build, tmp_path):
    config.training(qmix=replace(SMALL, mixer=replace(SMALL.mixer, kind=MixerKind.set)))
    algorithm = build(config.copy().learners(num_learners=2))
    for _ in range(4):
        result = algorithm.train()
    first, second = learned_weights(algorithm)
    assert_equal(first, second)  # the running statistics among them
    assert_close(first, trained(config.copy(), build))
    assert result["learners"][DEFAULT_MODULE_ID]["learning_rate"] == SMALL.learning_rate_at(
        3 / SMALL.iterations
    )
    path = algorithm.save_to_path(tmp_path)
    algorithm.train()
    later = learned_weights(algorithm)[0]
    algorithm.restore_from_path(path)
    assert_equal(learned_weights(algorithm)[1], first)
    algorithm.train()
    assert_equal(learned_weights(algorithm)[1], later)


def test_a_lost_learner_ends_the_run_with_a_word(config, build):
    algorithm = build(config.learners(num_learners=2))
    for _ in range(2):
        algorithm.train()
    victim = (
        algorithm.learner_group.foreach_learner(lambda learner, **_: os.getpid()).result_or_errors[1].get()
    )
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(WorkerLost, match="a learner died in iteration 3"):
        algorithm.train()


def test_tune_searches_the_fields_of_the_core_and_restores(config, tmp_path):
    config.training(learning_rate=tune.grid_search([1e-3, 1e-2]))
    run = tune.RunConfig(
        name="search",
        storage_path=str(tmp_path),
        stop={"training_iteration": 3},
        checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=True),
        verbose=0,
    )
    results = tune.Tuner(QMIX, param_space=config, run_config=run).fit()
    assert not results.errors
    rates = [(r.metrics or {})["learners"][DEFAULT_MODULE_ID]["learning_rate"] for r in results]
    assert sorted(rates) == [1e-3, 1e-2]
    for result in results:
        assert result.checkpoint is not None
        algorithm = QMIX.from_checkpoint(result.checkpoint.path)
        assert algorithm.iteration == 3
        algorithm.stop()
    again = tune.Tuner.restore(str(tmp_path / "search"), trainable=QMIX, resume_errored=True)
    assert len(again.get_results()) == 2
