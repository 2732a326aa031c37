"""Where a policy comes from, for the manifest of its export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.run.checkpoint import written_by
from agents.run.folder import RunFolder
from agents.run.metrics_file import ITERATION, read_metrics
from envs.config import ConfigError

LOGS = ("metrics.csv", "training_log.csv")
"""What a run's folder calls its metrics, and what a policy that comes with LEOMix calls them."""
CHOSEN_BY = "validation_ratio"


@dataclass(frozen=True)
class Provenance:
    """config: the whole configuration of the training, plain values. The rest is None where the run does not tell.

    iterations: how many the training made. validation: the row of the metrics of the iteration whose policy was kept.
    code: version of the code that wrote the last checkpoint.
    """

    config: dict[str, Any]
    iterations: int | None = None
    validation: dict[str, float] | None = None
    code: str | None = None

    @classmethod
    def of(cls, run: Path, config: dict[str, Any]) -> Provenance:
        """The provenance of the policy in the folder `run`."""
        log = next((run / name for name in LOGS if (run / name).is_file()), None)
        if log is None:
            return cls(config, code=_code_of(run))
        rows = read_metrics(log)
        validated = [row for row in rows if CHOSEN_BY in row]
        kept = min(validated, key=lambda row: row[CHOSEN_BY], default=None)
        validation = kept and {
            name: value for name, value in kept.items() if name.startswith("validation_") or name == ITERATION
        }
        iterations = int(max(row[ITERATION] for row in rows)) if rows else None
        return cls(config, iterations, validation, _code_of(run))

    def description(self) -> dict[str, Any]:
        """As the manifest states it."""
        training = self.config.get("training") or {}
        return {
            "name": self.config.get("name"),
            "seed": training.get("seed"),
            "iterations": self.iterations,
            "validation": self.validation,
            "code": self.code,
            "config": self.config,
        }


def _code_of(run: Path) -> str | None:
    checkpoints = RunFolder(run).checkpoints()
    try:
        return written_by(checkpoints[-1]) if checkpoints else None
    except ConfigError:  # whatever became of the checkpoint, the policy is there
        return None
