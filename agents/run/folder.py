"""The folder a run lives in: `runs/<date>-<name>/` with configuration, metrics, checkpoints, policy and results.

config.yaml          the whole configuration, resolved
metrics.csv          one row per iteration
checkpoints/000050/  all that is needed to go on after iteration 50; the newest few are kept
policy.safetensors   the best policy so far
evaluation.json ...  how it compares with other routers
figures/             training curves
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from envs.config import ConfigError

CONFIG_FILE = "config.yaml"
LATEST = "latest"
_UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run, and the few operations that must be all or nothing."""

    path: Path

    @classmethod
    def create(cls, root: Path, name: str, config: Mapping[str, Any]) -> RunFolder:
        """Make `root/<date>-<name>` with its config.yaml and point `root/latest` at it."""
        root.mkdir(parents=True, exist_ok=True)
        stem = f"{datetime.now():%Y-%m-%d_%H-%M-%S}-{name}"
        path = _make_new(root.resolve(), stem)
        folder = cls(path)
        folder.write_config(config)
        point_to(root / LATEST, path.name)
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """The run at `path`, which may be `runs/latest`; raises ConfigError when there is none."""
        folder = cls(path.resolve())
        if not folder.config_file.is_file():
            raise ConfigError(f"{path} is not the folder of a run: it has no {CONFIG_FILE}")
        return folder

    @property
    def shown(self) -> str:
        """The path as a person in the current folder would type it."""
        return os.path.relpath(self.path)

    @property
    def config_file(self) -> Path:
        return self.path / CONFIG_FILE

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write config.yaml, all or nothing."""
        unfinished = self.config_file.with_suffix(_UNFINISHED)
        unfinished.write_text(yaml.safe_dump(dict(config), sort_keys=False))
        unfinished.replace(self.config_file)

    def checkpoint(self, iteration: int, write: Callable[[Path], object], *, keep: int) -> Path:
        """Keep the state after `iteration`: `write` fills a new folder, which then appears under its name at once.

        Only the newest `keep` checkpoints stay; a write that fails leaves the old ones as they were.
        """
        target = self.checkpoints / f"{iteration:06d}"
        unfinished = target.with_name(target.name + _UNFINISHED)
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        write(unfinished)
        shutil.rmtree(target, ignore_errors=True)  # the same iteration, written by an earlier try
        unfinished.rename(target)
        for old in self._finished_checkpoints()[:-keep]:
            shutil.rmtree(old)
        return target

    def latest_checkpoint(self) -> Path:
        """The newest finished checkpoint; raises ConfigError when the run has none."""
        finished = self._finished_checkpoints()
        if not finished:
            raise ConfigError(
                f"resume={str(self.path)!r} cannot go on: it has no checkpoint; start a new run"
            )
        return finished[-1]

    def _finished_checkpoints(self) -> list[Path]:
        return sorted(path for path in self.checkpoints.glob("*") if path.name.isdigit())


def _make_new(root: Path, stem: str) -> Path:
    number = 1
    while True:
        path = root / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir()
            return path
        except FileExistsError:  # another run began in the same second
            number += 1


def point_to(link: Path, target: str) -> None:
    """Make `link` a symbolic link to `target` beside it, without a moment at which there is none."""
    unfinished = link.with_name(f"{link.name}{_UNFINISHED}{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(target, target_is_directory=True)
    unfinished.replace(link)
