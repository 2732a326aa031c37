"""Going on with a run that was stopped: which checkpoint, whether it fits, and the folder as it was then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.run.checkpoint import Checkpoint, CheckpointDamaged, read_checkpoint, write_checkpoint
from agents.run.claim import claim
from agents.run.code_version import code_version
from agents.run.folder import RunFolder
from envs.config import ConfigError, require

Say = Callable[[str], object]
"""Shows one line to the user."""

_TRAINING, _SETTINGS, _LAYOUTS = "training", "settings", "layouts"


def save_run(
    run: RunFolder,
    training: Mapping[str, Any],
    settings: Mapping[str, Any],
    layouts: Mapping[str, str],
    *,
    keep: int,
) -> None:
    """Keep a checkpoint of `run`, with its metrics and its best policy as they are now.

    training: the trainer's state. settings: the run's whole configuration. layouts: names of what its networks read.
    keep: how many checkpoints stay.
    """
    state = {_TRAINING: training, _SETTINGS: settings, _LAYOUTS: layouts}
    files = (run.metrics_file, run.policy_file)
    iteration = training["counters"]["iterations"]
    run.checkpoint(iteration, lambda folder: write_checkpoint(folder, state, files=files), keep=keep)


@dataclass(frozen=True)
class StoppedRun:
    """A run and the checkpoint from which it goes on. Nothing in its folder changes before `reopen`."""

    folder: RunFolder
    checkpoint: Checkpoint

    @classmethod
    def open(cls, path: Path, say: Say) -> StoppedRun:
        """The run at `path` and its newest whole checkpoint, read. Says which checkpoints are damaged, and whether
        the code has changed since.

        Raises ConfigError where there is none that is whole, where its format is not that of this version, and where
        another process is training the run.
        """
        folder = RunFolder.open(path)
        claim(folder.path)
        return cls(folder, newest_checkpoint(folder, say))

    @property
    def training(self) -> dict[str, Any]:
        """The trainer's state."""
        return self.checkpoint.state[_TRAINING]

    def require_fit(
        self,
        settings: Mapping[str, Any],
        layouts: Mapping[str, str],
        may_change: Sequence[str],
        iterations: int,
    ) -> None:
        """Raise ConfigError unless the run can go on with `settings` (all but `may_change` as they were), with the
        `layouts` of this version, up to `iterations`."""
        saved = self.checkpoint.state
        for name, before, now in _differences(saved[_LAYOUTS], layouts):
            raise ConfigError(
                f"the run's {name} layout is {before}, this version has {now}: resume with {self.checkpoint.code}, "
                "or start a new run"
            )
        for name, before, now in _differences(saved[_SETTINGS], settings):
            if not f"{name}.".startswith(tuple(f"{one}." for one in may_change)):
                raise ConfigError(
                    f"{name} was {before!r} when the checkpoint was written and is {now!r} in config.yaml: "
                    "set it back, or start a new run"
                )
        done = self.training["counters"]["iterations"]
        require(iterations >= done, "algorithm.iterations", iterations, f"at least the {done} that are done")

    def reopen(self, settings: Mapping[str, Any]) -> RunFolder:
        """The run's folder, as it was when the checkpoint was written, with the configuration `settings`."""
        self.folder.go_back_to(self.checkpoint.folder, self.checkpoint.files)
        self.folder.write_config(settings)
        return self.folder


def newest_checkpoint(run: RunFolder, say: Say) -> Checkpoint:
    """The newest checkpoint of `run` that is whole, read; see `StoppedRun.open`."""
    folders = run.checkpoints()
    for folder in reversed(folders):
        try:
            checkpoint = read_checkpoint(folder)
        except CheckpointDamaged as error:
            say(
                f"checkpoint {folder.name} is damaged ({error.file.name}: {error.reason}), trying the one before"
            )
            continue
        if checkpoint.code != code_version():
            say(
                f"checkpoint {folder.name} was written by {checkpoint.code}, this is {code_version()}: the run goes "
                "on, but may differ from one that was never stopped"
            )
        return checkpoint
    what = f"none of its {len(folders)} checkpoints is whole" if folders else "it has no checkpoint"
    raise ConfigError(f"resume={run.shown!r} cannot go on: {what}; start a new run")


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(full name, value before, value now) of what differs between two nested settings that both have it."""
    old, new = dict(_flat(before)), dict(_flat(now))
    return ((name, old[name], new[name]) for name in old if name in new and old[name] != new[name])


def _flat(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value
