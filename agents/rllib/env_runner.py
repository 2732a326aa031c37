"""An EnvRunner that plays whole batches of episodes in a `BatchedEnvironment` with the plain collector."""

from __future__ import annotations

import traceback
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import ray
import torch
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_AGENT_ID, DEFAULT_MODULE_ID
from ray.rllib.env import INPUT_ENV_SPACES
from ray.rllib.env.env_context import EnvContext
from ray.rllib.env.env_runner import EnvRunner
from ray.rllib.utils.checkpoints import Checkpointable
from ray.rllib.utils.framework import get_device
from ray.rllib.utils.metrics import (
    EPISODE_LEN_MEAN,
    EPISODE_RETURN_MEAN,
    NUM_AGENT_STEPS_SAMPLED,
    NUM_AGENT_STEPS_SAMPLED_LIFETIME,
    NUM_ENV_STEPS_SAMPLED,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
    NUM_EPISODES,
    NUM_EPISODES_LIFETIME,
    SAMPLE_TIMER,
    WEIGHTS_SEQ_NO,
)

from agents.episodes import Episodes
from agents.protocol import BatchedEnvironment, EnvironmentSpec
from agents.rllib.module import DecisionSpace, QMIXTorchModule
from agents.trainer import play_rollout, summarise

if TYPE_CHECKING:
    from agents.rllib.config import QMIXConfig

ROLLOUT = "rollout"
"""Key of the number of the next rollout (0, 1, ...) in an env runner's state."""

FIRST_EVALUATION_ROLLOUT = 900_000
"""Evaluation plays the worlds of the rollouts from here on, the same at every evaluation; training stays below."""

RLLIB_NAMES = {"return": EPISODE_RETURN_MEAN, "episode_steps": EPISODE_LEN_MEAN}
"""RLlib's names of what the plain trainer says of a rollout, where it has one."""


@dataclass(frozen=True)
class Rollout:
    """Episodes played side by side, with what RLlib asks of anything that `sample` returns."""

    episodes: Episodes

    def env_steps(self) -> int:
        """Steps of all worlds together."""
        return int(self.episodes.length.sum())

    def agent_steps(self) -> int:
        """Decisions that were played."""
        return self.episodes.n_decisions()

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as arrays, which Ray's object store does not have to copy."""
        arrays = {f.name: getattr(self.episodes, f.name).cpu().numpy() for f in fields(Episodes)}
        return _rollout_from_arrays, (arrays,)


def _rollout_from_arrays(arrays: dict[str, np.ndarray]) -> Rollout:
    """Inverse of `Rollout.__reduce__`; copies, because arrays in the object store are read-only."""
    return Rollout(Episodes(**{name: torch.from_numpy(array.copy()) for name, array in arrays.items()}))


@dataclass(frozen=True)
class PlayedPart:
    """What a remote env runner answers: its part of a rollout, and its metrics."""

    part: int
    rollout: Rollout
    metrics: Any


@dataclass(frozen=True)
class RolloutFailure:
    """What a remote env runner answers instead when the environment raised an error."""

    worker_index: int
    traceback: str


def play_remotely(
    runner: Any, part: int, state: ray.ObjectRef | dict[str, Any]
) -> PlayedPart | RolloutFailure:
    """Runs on a remote `BatchedEnvRunner`: take over `state` and play part number `part` of the rollout it names.

    The weights travel with the request. `EnvRunnerGroup.sync_weights` would send them on their own, and drops them
    without a word while an earlier `set_state` is under way; a runner that was restarted would play its first
    rollout with random weights. An error is returned, not raised: RLlib would take the runner for broken.
    """
    try:
        runner.set_state(state)
        (rollout,) = runner.sample(part=part)
        return PlayedPart(part, rollout, runner.get_metrics())
    except Exception:
        return RolloutFailure(runner.worker_index, traceback.format_exc())


class BatchedEnvRunner(EnvRunner, Checkpointable):
    """Plays the worlds of `QMIXConfig.worlds_per_env_runner` to their end, step by step together.

    A rollout follows from the weights, the run's seed and the number of the rollout. Several runners play a part of
    its worlds each; a runner keeps no random state, so that any of them can play any part, and a restored or
    restarted one continues where the last one stopped.

    device: where environment, network and episodes are.
    env: the `BatchedEnvironment`; None on the local runner of an algorithm that has remote ones.
    module: the inference-only `QMIXTorchModule`.
    """

    config: QMIXConfig
    env: BatchedEnvironment[Any] | None
    module: QMIXTorchModule

    def __init__(self, *, config: QMIXConfig, **kwargs: Any) -> None:
        super().__init__(config=config, **kwargs)
        self.qmix = config.qmix
        self.worker_index = kwargs.get("worker_index") or 0
        self.rollout = 0
        self._weights_seq_no = 0
        self._spaces = kwargs.get("spaces")
        self.device = self._choose_device()
        self.make_env()
        self.make_module()

    def _choose_device(self) -> torch.device:
        """A local runner shares the device of a local learner, so that episodes never leave it."""
        if self.worker_index > 0:
            gpus = self.config.num_gpus_per_env_runner
        else:
            gpus = self.config.num_gpus_per_learner if self.config.num_learners == 0 else 0
        return torch.device(get_device(self.config, 1 if gpus else 0))

    def make_env(self) -> None:
        """Call the environment's factory; the local runner of an algorithm with remote ones needs none."""
        self.env = None
        if self.worker_index == 0 and self.config.num_env_runners > 0:
            return
        n_worlds = self.config.worlds_per_env_runner
        context = EnvContext(
            {**self.config.env_config, "n_worlds": n_worlds, "device": self.device},
            worker_index=self.worker_index,
            num_workers=self.num_workers,
        )
        environment = self.config.environment_factory(context)
        if environment.n_worlds != n_worlds:
            raise ValueError(
                f"the environment's factory was asked for n_worlds={n_worlds} and made {environment.n_worlds}: "
                "it must follow context['n_worlds']"
            )
        self.env = environment

    def make_module(self) -> None:
        """Build the utility network; its weights arrive through `set_state`."""
        spec = self.config.get_rl_module_spec(spaces=self.get_spaces(), inference_only=True)
        module = spec.build()
        assert isinstance(module, QMIXTorchModule)
        self.module = module.to(self.device)

    def get_spaces(self) -> dict[str, Any]:
        """The spaces of one agent's decision, from which RLlib builds the learners' modules."""
        if self.env is None:
            if self._spaces is None:
                raise ValueError("a local env runner without an environment needs the remote runners' spaces")
            return self._spaces
        space = DecisionSpace(EnvironmentSpec.of(self.env))
        return dict.fromkeys((INPUT_ENV_SPACES, DEFAULT_MODULE_ID), (space, space.action_space))

    def sample(
        self,
        *,
        num_timesteps: int | None = None,
        num_episodes: int | None = None,
        explore: bool | None = None,
        random_actions: bool = False,
        force_reset: bool = False,
        part: int | None = None,
        **kwargs: Any,
    ) -> list[Rollout]:
        """Play whole rollouts: one, or as many as `num_timesteps` world steps or `num_episodes` episodes need.

        explore: None follows the configuration. part: which part of the rollouts' worlds; None: the one of this
            runner's index. Every rollout starts anew, so `force_reset` changes nothing.
        """
        if self.env is None:
            raise ValueError("this local env runner has no environment: sample from the remote env runners")
        explore = bool(self.config.explore) if explore is None else explore
        part = max(0, self.worker_index - 1) if part is None else part
        first = FIRST_EVALUATION_ROLLOUT if self.config.in_evaluation else self.rollout
        rollouts: list[Rollout] = []
        episodes = timesteps = 0
        with self.metrics.log_time(SAMPLE_TIMER):
            while not rollouts or episodes < (num_episodes or 0) or timesteps < (num_timesteps or 0):
                number = first + len(rollouts)
                rollouts.append(self._play(number, part, explore=explore, random_actions=random_actions))
                episodes += len(rollouts[-1].episodes)
                timesteps += rollouts[-1].env_steps()
        if not self.config.in_evaluation:
            self.rollout += len(rollouts)
        for rollout in rollouts:
            self._log(rollout)
        return rollouts

    def _play(self, number: int, part: int, *, explore: bool, random_actions: bool) -> Rollout:
        assert self.env is not None
        epsilon = self.qmix.epsilon(self.config.progress(self.rollout)) if explore else 0.0
        episodes = play_rollout(
            self.env,
            self.module.model,
            seed=self.config.run_seed,
            rollout=number,
            epsilon=1.0 if random_actions else epsilon,
            part=part,
            parts=max(1, self.config.num_env_runners),
        )
        if explore:
            self.metrics.log_value("epsilon", epsilon, window=1)
        return Rollout(episodes)

    def _log(self, rollout: Rollout) -> None:
        """Count what was played and say how it went, under RLlib's names where it has one."""
        log, episodes = self.metrics.log_value, rollout.episodes
        env_steps, agent_steps = rollout.env_steps(), rollout.agent_steps()
        self.num_env_steps_sampled_lifetime += env_steps
        log(NUM_ENV_STEPS_SAMPLED, env_steps, reduce="sum")
        log(NUM_ENV_STEPS_SAMPLED_LIFETIME, env_steps, reduce="lifetime_sum", with_throughput=True)
        log((NUM_AGENT_STEPS_SAMPLED, DEFAULT_AGENT_ID), agent_steps, reduce="sum")
        log((NUM_AGENT_STEPS_SAMPLED_LIFETIME, DEFAULT_AGENT_ID), agent_steps, reduce="lifetime_sum")
        log(NUM_EPISODES, len(episodes), reduce="sum")
        log(NUM_EPISODES_LIFETIME, len(episodes), reduce="lifetime_sum")
        for name, value in summarise(episodes).items():
            log(RLLIB_NAMES.get(name, name), value, reduce="mean")
        log(WEIGHTS_SEQ_NO, self._weights_seq_no, window=1)

    def get_metrics(self) -> Any:
        """What was logged since the last call. Never without the number of steps: RLlib's
        `synchronous_parallel_sample` asks again for ever when it is missing."""
        self.metrics.log_value(NUM_ENV_STEPS_SAMPLED, 0, reduce="sum")
        return self.metrics.reduce()

    def get_state(
        self,
        components: str | Collection[str] | None = None,
        *,
        not_components: str | Collection[str] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """The number of the next rollout and, unless it is left out, the module's weights."""
        state: dict[str, Any] = {ROLLOUT: self.rollout}
        if self._check_component(COMPONENT_RL_MODULE, components, not_components):
            state |= {
                COMPONENT_RL_MODULE: self.module.get_state(**kwargs),
                WEIGHTS_SEQ_NO: self._weights_seq_no,
            }
        return state

    def set_state(self, state: ray.ObjectRef | dict[str, Any]) -> None:
        """Take over weights and the number of the next rollout, where given; other keys are for RLlib's runners.

        Weights are loaded whatever their sequence number: after an older checkpoint was restored it runs backward.
        """
        if isinstance(state, ray.ObjectRef):
            state = ray.get(state)
        assert isinstance(state, dict)
        if COMPONENT_RL_MODULE in state:
            weights = state[COMPONENT_RL_MODULE]
            if isinstance(weights, ray.ObjectRef):
                weights = ray.get(weights)
            self.module.set_state(weights.get(DEFAULT_MODULE_ID, weights))
            self._weights_seq_no = state.get(WEIGHTS_SEQ_NO, 0)
        self.rollout = state.get(ROLLOUT, self.rollout)

    def apply(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """Call `func` on this runner. RLlib's version ends the process when `func` raises, after a minute's sleep
        and with the traceback in a log file only; raised, the error reaches whoever asked."""
        return func(self, *args, **kwargs)

    def assert_healthy(self) -> None:
        """RLlib calls this after construction."""
        assert self.module is not None

    def stop(self) -> None:
        """Nothing to release."""

    def get_ctor_args_and_kwargs(self) -> tuple[tuple[()], dict[str, Any]]:
        """How `Checkpointable` builds a runner again."""
        return (), {"config": self.config, "worker_index": self.worker_index}

    def get_checkpointable_components(self) -> list[tuple[str, Any]]:
        """The module, saved under its own name."""
        return [(COMPONENT_RL_MODULE, self.module)]
