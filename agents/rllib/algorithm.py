"""QMIX as an RLlib Algorithm: the plain trainer's loop with RLlib's env runners, learners and checkpoints."""

from __future__ import annotations

import time
from collections.abc import Collection
from functools import partial
from typing import Any

import ray
import torch
from ray.exceptions import RayActorError, RayError
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import COMPONENT_LEARNER, COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.core.learner.learner import Learner
from ray.rllib.core.learner.learner_group import LearnerGroup
from ray.rllib.env.env_runner_group import EnvRunnerGroup
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    ENV_RUNNER_SAMPLING_TIMER,
    LEARNER_RESULTS,
    LEARNER_UPDATE_TIMER,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
    REPLAY_BUFFER_ADD_DATA_TIMER,
    REPLAY_BUFFER_SAMPLE_TIMER,
    SYNCH_WORKER_WEIGHTS_TIMER,
    TIMERS,
)

from agents.cluster import WorkerLost
from agents.replay import Replay
from agents.rllib.config import EnvironmentFactory, QMIXConfig
from agents.rllib.env_runner import (
    ROLLOUT,
    BatchedEnvRunner,
    PlayedPart,
    Rollout,
    RolloutFailure,
    play_remotely,
)
from agents.rllib.learner import PROGRESS
from agents.rllib.single_process import without_cluster

REPLAY, SAMPLING = "replay", "sampling"

MOST_LOSSES = 10
"""Deaths of env runners within one iteration that are made good: beyond, they die of what they do."""


class QMIX(Algorithm):
    """One `training_step` is one `agents.trainer.Trainer.iterate`: a rollout, then gradient steps on the replay.

    With local env runner and learner and the same seed, both learn the same weights. `save_to_path` writes RLlib's
    checkpoints, that is, pickles: restore only those you made. `train.py` keeps its own (agents/rllib/resume.py),
    and what may be passed on is `agents.policy.Policy`.

    rollout: number of rollouts that were played and learned from; drives all schedules and seeds.
    replay: episodes of the last rollouts, in this process (on the device of a local learner).
    sampling: draws the batches.
    """

    config: QMIXConfig
    env_runner: BatchedEnvRunner
    env_runner_group: EnvRunnerGroup
    learner_group: LearnerGroup

    @classmethod
    def get_default_config(cls) -> QMIXConfig:
        """What `QMIX(config={...})` and Ray Tune start from."""
        return QMIXConfig()

    @staticmethod
    def _get_env_id_and_creator(env_specifier: Any, config: Any) -> tuple[Any, EnvironmentFactory]:
        """RLlib accepts Gymnasium ids and classes here; ours are factories."""
        return env_specifier, config.environment_factory

    @classmethod
    def _should_create_evaluation_env_runners(cls, eval_config: Any) -> bool:
        """Always: without its own, `evaluate` would play on the training runner, exploring, in training's worlds."""
        return True

    def _setup_logdir(self) -> None:
        """Only under Tune: Ray would else leave an empty ~/ray_results/<date> behind for every algorithm built."""
        self._logdir = None
        if self._storage is not None:
            super()._setup_logdir()

    def setup(self, config: Any) -> None:
        """After RLlib has built runners and learners: the replay."""
        with without_cluster(self.config.is_local):
            super().setup(config)
        self.rollout = 0
        self.sampling = torch.Generator().manual_seed(self.config.run_seed)
        self.replay = Replay(self.config.qmix.replay_episodes, self.env_runner.device)

    def training_step(self) -> None:
        """Play a rollout with the newest weights, remember it, and learn once there is enough to learn from."""
        qmix = self.config.qmix
        with self.metrics.log_time((TIMERS, ENV_RUNNER_SAMPLING_TIMER)):
            rollouts = self._play()
        with self.metrics.log_time((TIMERS, REPLAY_BUFFER_ADD_DATA_TIMER)):
            for rollout in rollouts:
                self.replay.add(rollout.episodes)
        if len(self.replay) >= qmix.warmup_episodes:
            self._learn()
            with self.metrics.log_time((TIMERS, SYNCH_WORKER_WEIGHTS_TIMER)):
                self.hand_out_weights()
        self.rollout += 1

    def _play(self) -> list[Rollout]:
        """The next rollout, on the remote env runners if there are any, else on the local one."""
        if self.env_runner_group.num_remote_env_runners() == 0:
            self.env_runner.set_state({ROLLOUT: self.rollout})
            rollouts = self.env_runner.sample()
            self.metrics.aggregate([self.env_runner.get_metrics()], key=ENV_RUNNER_RESULTS)
            return rollouts
        parts = self._play_in_parts()
        self.metrics.aggregate([part.metrics for part in parts], key=ENV_RUNNER_RESULTS)
        return [part.rollout for part in parts]

    def _play_in_parts(self) -> list[PlayedPart]:
        """The parts of the next rollout in their order, from the remote env runners.

        What a runner leaves behind when it dies, the others play: the rollout does not change, it only takes longer.
        """
        group, n_parts = self.env_runner_group, self.env_runner_group.num_remote_env_runners()
        state = ray.put({**self._weights(), ROLLOUT: self.rollout})
        played: dict[int, PlayedPart] = {}
        lost = 0
        while len(played) < n_parts:
            if lost > MOST_LOSSES:
                raise WorkerLost(
                    f"env runners died {lost} times while they played iteration {self.rollout + 1}, perhaps for lack "
                    "of memory: see the logs of Ray on their machines"
                )
            missing = [part for part in range(n_parts) if part not in played]
            runners = self._healthy_runners()[: len(missing)]
            try:
                answers = group.foreach_env_runner(
                    [partial(play_remotely, part=part, state=state) for part in missing[: len(runners)]],
                    local_env_runner=False,
                    remote_worker_ids=runners,
                    timeout_seconds=self.config.sample_timeout_s,
                )
            except RayError as error:
                raise WorkerLost(
                    f"an env runner died while it played iteration {self.rollout + 1}; with "
                    "cluster.restart_failed_env_runners=true the others go on and Ray starts another"
                ) from error
            lost += len(runners) - len(answers)
            for answer in answers:
                if isinstance(answer, RolloutFailure):
                    raise RuntimeError(
                        f"env runner {answer.worker_index} failed while it played rollout {self.rollout}:\n"
                        f"{answer.traceback}"
                    )
                played[answer.part] = answer
        return [played[part] for part in range(n_parts)]

    def _healthy_runners(self) -> list[int]:
        """The numbers of the env runners that are there; waits for one where all have died."""
        group = self.env_runner_group
        deadline = time.monotonic() + self.config.env_runner_restore_timeout_s
        while not (healthy := group.healthy_env_runner_ids()):
            if time.monotonic() > deadline:
                raise WorkerLost(
                    f"all {group.num_remote_env_runners()} env runners have died, and none came back within "
                    f"{self.config.env_runner_restore_timeout_s:g} s: see the logs of Ray on their machines"
                )
            group.probe_unhealthy_env_runners()
        return healthy

    def restore_env_runners(self, env_runner_group: EnvRunnerGroup) -> list[int]:
        """The runners that Ray has started again since; they get their state with their next request."""
        return env_runner_group.probe_unhealthy_env_runners()

    def _learn(self) -> None:
        """The gradient steps of one iteration."""
        qmix = self.config.qmix
        timesteps = {
            PROGRESS: self.config.progress(self.rollout),
            NUM_ENV_STEPS_SAMPLED_LIFETIME: self.metrics.peek(
                (ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME)
            ),
        }
        for update in range(qmix.updates_per_rollout):
            with self.metrics.log_time((TIMERS, REPLAY_BUFFER_SAMPLE_TIMER)):
                drawn = self.replay.draw(qmix.batch_episodes, self.sampling)
                batch = self.replay.batch(drawn)
            with self.metrics.log_time((TIMERS, LEARNER_UPDATE_TIMER)):
                last = update == qmix.updates_per_rollout - 1
                try:
                    results = self.learner_group.update(
                        batch=MultiAgentBatch(
                            {DEFAULT_MODULE_ID: SampleBatch(batch)},
                            env_steps=int(self.replay.length[drawn].sum()),
                        ),
                        timesteps=timesteps,
                        _no_metrics_reduce=not last,  # once per iteration is enough
                    )
                except RayError as error:
                    raise self._learner_failure(error) from error
        self.metrics.aggregate(results, key=LEARNER_RESULTS)

    def _learner_failure(self, error: RayError) -> Exception:
        """`error` itself, unless a learner is gone: the others then complain of a lost connection, if at all."""
        answers = self.learner_group.foreach_learner(
            _nothing, healthy_only=False, timeout_seconds=self.config.env_runner_health_probe_timeout_s * 10
        )
        if not any(isinstance(answer.get(), RayActorError) for answer in answers):
            return error
        return WorkerLost(
            f"a learner died in iteration {self.rollout + 1}, and with it the weights since the last checkpoint"
        )

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Play the evaluation worlds, the same ones every time, greedily."""
        with without_cluster(self.config.is_local):
            return super().evaluate(*args, **kwargs)

    def hand_out_weights(self) -> None:
        """Give the local env runner the learners' weights; remote ones get them with every request."""
        self.env_runner.set_state(self._weights())

    def _weights(self) -> dict[str, Any]:
        """What env runners need of the learner's state."""
        try:
            return self.learner_group.get_state(
                components=f"{COMPONENT_LEARNER}/{COMPONENT_RL_MODULE}", inference_only=True
            )[COMPONENT_LEARNER]
        except RayError as error:
            raise self._learner_failure(error) from error

    def get_state(
        self,
        components: str | Collection[str] | None = None,
        *,
        not_components: str | Collection[str] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """RLlib's state (weights, targets, optimiser, metrics) and what the rest of the run depends on besides."""
        state = super().get_state(components, not_components=not_components, **kwargs)
        state |= {ROLLOUT: self.rollout, SAMPLING: self.sampling.get_state().numpy()}
        if self.config.replay_in_checkpoints and self._check_component(REPLAY, components, not_components):
            state[REPLAY] = self.replay.state_dict()
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue where `get_state` was taken."""
        with without_cluster(self.config.is_local):
            super().set_state(state)
        self.rollout = state[ROLLOUT]
        self.sampling.set_state(torch.from_numpy(state[SAMPLING]))
        if REPLAY in state:
            self.replay.load_state_dict(state[REPLAY])
        else:
            self.replay.clear()

    def restore_from_path(self, path: Any, *args: Any, **kwargs: Any) -> None:
        """Continue where `save_to_path` was called."""
        with without_cluster(self.config.is_local):
            super().restore_from_path(path, *args, **kwargs)


def _nothing(learner: Learner, argument: Any = None) -> None:
    """Answered by every learner that lives."""
