"""How much of which hardware a training run may use."""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    address: str | None = None
    env_runners: int = 0
    learners: int = 0
    gpus_per_learner: int = 0
    gpus_per_env_runner: float = 0.0
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("env_runners", "learners", "gpus_per_learner", "gpus_per_env_runner"):
            require(getattr(self, name) >= 0, f"cluster.{name}", getattr(self, name), "zero or more")
        require(self.threads >= 1, "cluster.threads", self.threads, "at least 1")
