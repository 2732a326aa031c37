"""How much of which hardware a training run may use."""

from __future__ import annotations

from dataclasses import dataclass

from agents.config import AlgorithmConfig
from envs.config import require


class WorkerLost(RuntimeError):
    """A process of the run died, or no machine for it could be had; the message says which one and what to do."""


@dataclass(frozen=True)
class ClusterConfig:
    """Processes and accelerators of one run, in Ray's terms.

    address: of a running Ray cluster (`auto` finds the one of this machine); null: everything in this process group.
    env_runners: processes that play episodes beside the main one; 0: the main process plays them.
    learners: processes that compute updates; 0: the main process does.
    gpus_per_learner: GPUs of each learner (of the main process if there are none); 0: CPU.
    gpus_per_env_runner: GPUs (or share of one) of each env runner.
    threads: CPU threads of torch in each process.
    restart_failed_env_runners: whether a lost env runner is started again while the others play on; else the run ends.
    wait_s: how long to wait for the cluster at `address` to have the CPUs and GPUs that these processes need.
    """

    address: str | None = None
    env_runners: int = 0
    learners: int = 0
    gpus_per_learner: int = 0
    gpus_per_env_runner: float = 0.0
    threads: int = 1
    restart_failed_env_runners: bool = False
    wait_s: float = 300.0

    def __post_init__(self) -> None:
        for name in ("env_runners", "learners", "gpus_per_learner", "gpus_per_env_runner", "wait_s"):
            require(getattr(self, name) >= 0, f"cluster.{name}", getattr(self, name), "zero or more")
        require(self.threads >= 1, "cluster.threads", self.threads, "at least 1")

    def require_even_shares(self, algorithm: AlgorithmConfig) -> None:
        """Raise ConfigError where the processes cannot share the worlds and the batches of `algorithm` evenly."""
        shares = {
            "env_runners": ("worlds_per_rollout", algorithm.worlds_per_rollout),
            "learners": ("batch_episodes", algorithm.batch_episodes),
        }
        for name, (whole, amount) in shares.items():
            processes = getattr(self, name)
            allowed = f"a divisor of algorithm.{whole}={amount}, which they share"
            require(amount % max(processes, 1) == 0, f"cluster.{name}", processes, allowed)

    def bundles(self) -> list[dict[str, float]]:
        """CPUs and GPUs of each process beside the main one, as Ray counts them."""
        runner = {"CPU": float(self.threads), "GPU": self.gpus_per_env_runner}
        learner = {"CPU": 0.0 if self.gpus_per_learner else 1.0, "GPU": float(self.gpus_per_learner)}
        every = [runner] * self.env_runners + [learner] * self.learners
        return [{name: amount for name, amount in bundle.items() if amount > 0} for bundle in every]

    def total(self, resource: str) -> float:
        """CPUs (`CPU`) or GPUs (`GPU`) of all these processes together."""
        return sum(bundle.get(resource, 0.0) for bundle in self.bundles())
