"""From a configuration to training on the routing game, in one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from hydra import compose, initialize_config_dir

from agents.cluster import ClusterConfig
from agents.rllib import QMIX
from agents.rllib.build import build_qmix, device_of, policy_of
from agents.rllib.metrics import flat_metrics
from agents.routers.learned import LearnedRouter
from agents.trainer import Trainer
from configs import CONFIG_DIR
from configs.convert import to_dataclass
from configs.schema import TrainConfig
from envs.config import ConfigError
from envs.routing_game import RoutingGame
from tests.agents.rllib.weights import assert_equal, learned_weights

Build = Callable[[TrainConfig], QMIX]
SMALL = (
    "constellation=iridium_star",
    "day=short",
    "task.n_tasks=3",
    "algorithm.iterations=4",
    "algorithm.worlds_per_rollout=4",
    "algorithm.updates_per_rollout=2",
    "algorithm.batch_episodes=4",
    "algorithm.replay_episodes=16",
    "algorithm.warmup_episodes=8",
)


def config_of(*overrides: str) -> TrainConfig:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return to_dataclass(TrainConfig, compose("train", [*overrides, *SMALL]))


def plain_trainer(config: TrainConfig) -> Trainer:
    """The trainer without RLlib, on the same game."""
    ephemeris = config.scenario.ephemeris("training")
    game = RoutingGame(ephemeris, config.task, config.environment, config.algorithm.worlds_per_rollout)
    return Trainer(game, config.algorithm, seed=config.training.seed)


@pytest.fixture
def build() -> Iterator[Build]:
    """Build algorithms that are stopped when the test ends."""
    built: list[QMIX] = []

    def build_one(config: TrainConfig) -> QMIX:
        built.append(build_qmix(config.turns, config.algorithm, config.cluster, seed=config.training.seed))
        return built[-1]

    yield build_one
    for algorithm in built:
        algorithm.stop()


@pytest.mark.parametrize(
    "overrides", [("experiment=smoke",), ("experiment=paper",), ("experiment=paper_reward",)]
)
def test_every_experiment_learns_what_the_plain_trainer_learns(
    build: Build, overrides: tuple[str, ...]
) -> None:
    config = config_of(*overrides, "training.seed=5")
    algorithm, trainer = build(config), plain_trainer(config)
    for _ in range(3):
        algorithm.train()
        trainer.iterate()
    (learned,) = learned_weights(algorithm)
    assert_equal(learned, trainer.model.state_dict())


def test_metrics_have_the_plain_trainer_s_names_and_values(build: Build) -> None:
    config = config_of("experiment=smoke")
    algorithm, trainer = build(config), plain_trainer(config)
    for iteration in range(3):
        ours, plain = flat_metrics(algorithm.train()), trainer.iterate()
        assert ("loss" in ours) == (iteration > 0)  # 8 episodes of warm-up are two rollouts
        assert set(plain) - set(ours) == {"iterations", "updates"} | ({"learning_rate"} - set(ours))
        for name in (
            "return",
            "return_std",
            "episode_steps",
            "truncated",
            "epsilon",
            "episodes",
            "decisions",
        ):
            assert ours[name] == pytest.approx(plain[name]), name
        for name in set(ours) & {"loss", "q", "credit_loss", "joint_loss", "gradient_norm"}:
            assert ours[name] == pytest.approx(plain[name], rel=1e-5), name
        assert ours["decisions_per_s"] > 0


def test_the_policy_is_the_newest_and_plays(build: Build) -> None:
    config = config_of("experiment=smoke")
    algorithm, trainer = build(config), plain_trainer(config)
    for _ in range(3):
        algorithm.train()
        trainer.iterate()
    policy = policy_of(algorithm, config.scenario)
    for name, value in trainer.model.utility.state_dict().items():
        assert torch.equal(policy.utility.state_dict()[name], value)
    ephemeris = config.scenario.ephemeris("validation").to(device_of(algorithm))
    worlds = config.scenario.worlds(ephemeris, 3, seed=1)
    routes = LearnedRouter(policy).route(ephemeris, worlds, config.environment)
    assert routes.delivered.shape == worlds.size_mbit.shape


def test_gpus_that_are_not_there_are_refused_at_once(build: Build) -> None:
    config = config_of("experiment=smoke")
    for cluster in (
        ClusterConfig(gpus_per_learner=99),
        ClusterConfig(env_runners=2, gpus_per_env_runner=50.0),
    ):
        with pytest.raises(ConfigError, match="GPUs"):
            build(replace(config, cluster=cluster))
