"""One process at a time trains a run: two would overwrite each other's checkpoints."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import TextIO

from envs.config import ConfigError

LOCK_FILE = ".lock"
_held: dict[Path, TextIO] = {}


def claim(run: Path) -> None:
    """Keep other processes from claiming the folder `run` until this one ends, however it ends.

    Raises ConfigError where another process has claimed it. On a file system that cannot lock, nobody is kept out.
    """
    run = run.resolve()
    if run in _held:
        return
    file = open(run / LOCK_FILE, "a")  # noqa: SIM115  held open: closing it would give the folder up
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ConfigError(
            f"{run} is being trained by another process: wait until that ends, or stop it"
        ) from None
    except OSError:
        file.close()
        return
    _held[run] = file
