"""Configuration of QMIX under RLlib: RLlib's own options, with the plain core's `AlgorithmConfig` inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from inspect import signature
from typing import Any, cast

from ray.rllib.algorithms.algorithm_config import AlgorithmConfig as RLlibConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.env.env_context import EnvContext
from ray.tune.registry import ENV_CREATOR, _global_registry
from ray.util.debug import log_once

from agents.config import AlgorithmConfig
from agents.protocol import BatchedEnvironment
from agents.rllib.env_runner import BatchedEnvRunner
from agents.rllib.learner import QMIXTorchLearner
from agents.rllib.module import QMIXTorchModule

EnvironmentFactory = Callable[[EnvContext], BatchedEnvironment[Any]]
"""Makes the environment of one env runner. The context is a dictionary: `env_config`, and "n_worlds" (int) and
"device" (torch.device), which the environment must follow; its attribute `worker_index` tells the runners apart."""


class QMIXConfig(RLlibConfig):
    """`QMIXConfig().environment(make_game, env_config={...}).training(qmix=AlgorithmConfig(...)).build_algo()`.

    What the algorithm does is set in `agents.config.AlgorithmConfig`, where the plain trainer reads it too; RLlib's
    options say where it runs: `.env_runners()`, `.learners()`, `.evaluation()`, `.fault_tolerance()`. RLlib's options
    of the same meaning (lr, train_batch_size, num_envs_per_env_runner, ...) are not read and raise an error.
    """

    num_env_runners: int
    evaluation_num_env_runners: int
    evaluation_duration: int | str
    num_learners: int

    def __init__(self, algo_class: type | None = None) -> None:
        from agents.rllib.algorithm import QMIX  # the two know each other

        self.qmix_base = AlgorithmConfig()
        self.qmix_overrides: dict[str, Any] = {}
        self.run_seed = 0
        self.replay_in_checkpoints = True
        super().__init__(algo_class=algo_class or QMIX)

        self.env_runner_cls = BatchedEnvRunner
        self.num_env_runners = 0
        self.evaluation_config = {"explore": False}
        # A runner that is lost ends the run. True where machines come and go: those that are left then play its part
        # until Ray has started another; errors of the environment are raised all the same.
        self.restart_failed_env_runners = False
        # Whether a lost runner is back is asked once an iteration, and not waited for while others can play.
        self.env_runner_health_probe_timeout_s = 0.5
        # How long to wait for one where all are lost.
        self.env_runner_restore_timeout_s = 300.0
        # Weights travel with each request, and there are no connectors: nothing to synchronise after an iteration.
        self._dont_auto_sync_env_runner_states = True
        self.merge_env_runner_states = False
        self.broadcast_env_runner_states = False
        # RLlib drops a message to a runner that has not answered so many others: leave room for new weights.
        self.max_requests_in_flight_per_env_runner = 8
        # A rollout that takes long is waited for: given up, it would be missing from the run without a word.
        self.sample_timeout_s = None
        # Batches come from the replay ready to use, so there is nothing to connect.
        self.add_default_connectors_to_learner_pipeline = False

    @property
    def qmix(self) -> AlgorithmConfig:
        """The algorithm's own configuration."""
        return replace(self.qmix_base, **self.qmix_overrides)

    def training(
        self,
        *,
        qmix: AlgorithmConfig | None = None,
        replay_in_checkpoints: bool | None = None,
        **options: Any,
    ) -> QMIXConfig:
        """Set the algorithm.

        qmix: the whole configuration. options: single fields of it by name (`learning_rate=...`), which may be Ray
        Tune's search spaces, or RLlib's `learner_class`. replay_in_checkpoints: without the replay (hundreds of
        megabytes) a restored run fills a new one first, and so differs from the run never stopped.

        Raises TypeError for a name that is neither ours nor RLlib's.
        """
        ours = {f.name for f in fields(AlgorithmConfig)}
        unknown = sorted(set(options) - ours - set(signature(RLlibConfig.training).parameters))
        if unknown:
            raise TypeError(
                f"training() has no option {', '.join(unknown)}; it has {', '.join(sorted(ours))}"
            )
        if qmix is not None:
            self.qmix_base, self.qmix_overrides = qmix, {}
        if replay_in_checkpoints is not None:
            self.replay_in_checkpoints = replay_in_checkpoints
        self.qmix_overrides = self.qmix_overrides | {name: options.pop(name) for name in ours & set(options)}
        super().training(**options)
        return self

    def debugging(self, *, seed: int | None = None, **kwargs: Any) -> QMIXConfig:
        """As RLlib's, but `seed` becomes `run_seed`: every random stream of the run is drawn from it alone.

        RLlib's own `seed` stays None: with it, every component seeds the process's global generators and switches
        all of torch to deterministic algorithms.
        """
        super().debugging(**kwargs)
        if seed is not None:
            self.run_seed = seed
        return self

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """RLlib builds this on env runners (inference only) and learners."""
        return RLModuleSpec(
            module_class=QMIXTorchModule, model_config={"qmix": self.qmix, "seed": self.run_seed}
        )

    def get_default_learner_class(self) -> type[QMIXTorchLearner]:
        """RLlib builds one per learner process."""
        return QMIXTorchLearner

    @property
    def environment_factory(self) -> EnvironmentFactory:
        """The callable behind `env`: itself, or what was registered under its name.

        Raises ValueError for a name that nobody registered, which RLlib would notice only where it makes a
        Gymnasium environment, that is, never.
        """
        if callable(self.env):
            return cast(EnvironmentFactory, self.env)
        if isinstance(self.env, str) and _global_registry.contains(ENV_CREATOR, self.env):
            return cast(EnvironmentFactory, _global_registry.get(ENV_CREATOR, self.env))
        raise ValueError(
            f"env={self.env!r} is not possible: give environment() a function that makes a BatchedEnvironment from an "
            "EnvContext, or the name under which one was registered with ray.tune.register_env"
        )

    @property
    def worlds_per_env_runner(self) -> int:
        """Episodes that one env runner plays side by side.

        In training the runners share `worlds_per_rollout`, so that their number changes the speed and not the
        algorithm. In evaluation they share the episodes asked for, in as few rollouts of at most that size as needed.
        """
        runners = max(1, self.num_env_runners)
        worlds = max(1, self.qmix.worlds_per_rollout // runners)
        wanted = self.evaluation_duration
        if not self.in_evaluation or self.evaluation_duration_unit != "episodes" or isinstance(wanted, str):
            return worlds
        episodes = -(-wanted // runners)  # rounded up, as is the number of rollouts
        rollouts = -(-episodes // worlds)
        return -(-episodes // rollouts)

    @property
    def is_local(self) -> bool:
        """Everything happens in one process: no remote env runner, learner or evaluation runner."""
        return self.num_env_runners == self.num_learners == self.evaluation_num_env_runners == 0

    def progress(self, rollout: int) -> float:
        """Share of the training that is done before rollout number `rollout`; it drives all schedules."""
        return min(1.0, rollout / self.qmix.iterations)

    def validate(self) -> None:
        """RLlib's checks and ours; errors name the option, its value and the remedy."""
        assert isinstance(self.algo_class, type)
        log_once(f"{self.algo_class.__name__}_on_new_api_stack")  # spares users the advice to switch it off
        super().validate()
        qmix, _ = self.qmix, self.environment_factory  # both raise where they are impossible
        if self.is_multi_agent:
            self._value_error(
                f"multi_agent(policies={self.policies}) is not possible: all agents share one policy"
            )
        for name, remedy in NOT_READ.items():
            value, default = getattr(self, name), DEFAULTS[name]
            if value != default:
                self._value_error(f"{name}={value!r} is not read by QMIX: {remedy}")
        if self.num_learners > 1 and qmix.batch_episodes % self.num_learners:
            self._value_error(
                f"training(batch_episodes={qmix.batch_episodes}) must be a multiple of learners(num_learners="
                f"{self.num_learners}): uneven shards leave learners waiting for each other for ever"
            )
        if not self.in_evaluation and qmix.worlds_per_rollout % max(1, self.num_env_runners):
            self._value_error(
                f"training(worlds_per_rollout={qmix.worlds_per_rollout}) must be a multiple of "
                f"env_runners(num_env_runners={self.num_env_runners}), which share the worlds"
            )


NOT_READ = {
    "create_local_env_runner": "leave it True, the policy is read from the local env runner",
    "seed": "set it with debugging(seed=...)",
    "lr": "set it with training(learning_rate=...)",
    "gamma": "set it with training(gamma=...)",
    "grad_clip": "set it with training(gradient_clip=...)",
    "model": "set it with training(utility=..., mixer=...)",
    "train_batch_size": "set it with training(batch_episodes=...)",
    "_train_batch_size_per_learner": "set it with training(batch_episodes=...), which learners share",
    "num_envs_per_env_runner": "set it with training(worlds_per_rollout=...), which env runners share",
}
"""RLlib's options that mean something to other algorithms, and what to use here."""

DEFAULTS = {name: getattr(RLlibConfig(), name) for name in NOT_READ}
"""What these are where nobody has set them."""
