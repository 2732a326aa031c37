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

from agents.policy import POLICY_FILE
from agents.run.claim import claim
from agents.run.durable import UNFINISHED, flush, flush_folder, write_durably
from envs.config import ConfigError

CONFIG_FILE = "config.yaml"
LATEST = "latest"
_DISCARDED = ".discarded"
_DAMAGED = ".damaged"


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run, and the few operations that must be all or nothing."""

    path: Path

    @classmethod
    def create(cls, root: Path, name: str, config: Mapping[str, Any]) -> RunFolder:
        """Make `root/<date>-<name>` with its config.yaml, for this process alone, and point `root/latest` at it."""
        root.mkdir(parents=True, exist_ok=True)
        stem = f"{datetime.now():%Y-%m-%d_%H-%M-%S}-{name}"
        path = _make_new(root.resolve(), stem)
        folder = cls(path)
        claim(path)
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
        """The path as a person in the current folder would type it: relative, unless it is somewhere else altogether.

        A job of a Ray cluster runs in a folder of its own: what leads from there to the run leads nowhere from here.
        """
        relative = os.path.relpath(self.path)
        return str(self.path) if relative.startswith("..") else relative

    @property
    def config_file(self) -> Path:
        return self.path / CONFIG_FILE

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def policy_file(self) -> Path:
        return self.path / POLICY_FILE

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write config.yaml, all or nothing."""
        write_durably(self.config_file, yaml.safe_dump(dict(config), sort_keys=False).encode())

    def checkpoint(self, iteration: int, write: Callable[[Path], object], *, keep: int) -> Path:
        """Keep the state after `iteration`: `write` fills a new folder, which then appears under its name at once.

        Only the newest `keep` checkpoints stay. Old ones go when the new one is on the disk under its name: whenever
        the process or the machine dies, and when `write` fails, a whole checkpoint is left if there ever was one.
        """
        folder = self._checkpoint_folder
        folder.mkdir(exist_ok=True)
        for leftover in (*folder.glob(f"*{UNFINISHED}"), *folder.glob(f"*{_DISCARDED}")):
            shutil.rmtree(leftover)
        target = folder / f"{iteration:06d}"
        unfinished = target.with_name(target.name + UNFINISHED)
        unfinished.mkdir()
        write(unfinished)
        flush_folder(unfinished)
        if target.exists():  # the same iteration, written by an earlier try
            _discard(target)
        unfinished.rename(target)
        flush(folder)
        for old in self.checkpoints()[:-keep]:
            _discard(old)
        return target

    def checkpoints(self) -> list[Path]:
        """The folders of the finished checkpoints, oldest first."""
        try:
            names = os.listdir(self._checkpoint_folder)
        except FileNotFoundError:  # not looked for first: `latest` may point elsewhere a moment later
            return []
        return [self._checkpoint_folder / name for name in sorted(filter(str.isdigit, names), key=int)]

    def go_back_to(self, checkpoint: Path, copies: Mapping[str, Path]) -> None:
        """Make the run as it was when it wrote `checkpoint`: metrics and policy are its `copies` (by name) again, and
        later checkpoints, which are damaged, are set aside."""
        for file in (self.metrics_file, self.policy_file):
            if file.name in copies:
                write_durably(file, copies[file.name].read_bytes())
            else:
                file.unlink(missing_ok=True)
        for later in self.checkpoints():
            if int(later.name) > int(checkpoint.name):
                aside = later.with_name(later.name + _DAMAGED)
                shutil.rmtree(aside, ignore_errors=True)
                later.rename(aside)

    @property
    def _checkpoint_folder(self) -> Path:
        return self.path / "checkpoints"


def _discard(folder: Path) -> None:
    """Delete a checkpoint; it loses its name first, so that half of it is never taken for the whole."""
    discarded = folder.with_name(folder.name + _DISCARDED)
    folder.rename(discarded)
    shutil.rmtree(discarded)


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
    unfinished = link.with_name(f"{link.name}{UNFINISHED}{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(target, target_is_directory=True)
    unfinished.replace(link)
