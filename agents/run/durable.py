"""Files that are still whole after a power cut: written aside, flushed to the disk, then renamed.

And what a person is told where the disk takes no files.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envs.config import ConfigError

UNFINISHED = ".unfinished"
"""Ends the name of what is not whole yet; nobody reads such a file or folder."""


_REFUSALS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
)


class DiskRefuses(RuntimeError):
    """The disk is full, read-only or broken: not the program's fault; the message says what it refuses and why."""


@contextmanager
def naming_what_the_disk_refuses() -> Iterator[None]:
    """Within the block the operating system's refusals become a DiskRefuses of one line; other errors stay."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        what = error.filename or "what was to be written"
        raise DiskRefuses(f"the disk refuses {what} ({error.strerror})") from error


def require_writable(folder: Path) -> None:
    """Raise ConfigError unless files may be written into `folder`, which need not be there yet."""
    there = folder.resolve()
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        reason = "may not be written" if there.is_dir() else "is a file"
        raise ConfigError(
            f"results would go to {folder}, but {there} {reason}: name or copy to another folder"
        )


def write_durably(path: Path, content: bytes) -> None:
    """Make `path` a file with `content`, all or nothing, and on the disk when this returns."""
    unfinished = path.with_name(path.name + UNFINISHED)
    unfinished.write_bytes(content)
    flush(unfinished)
    os.replace(unfinished, path)
    flush(path.parent)


def flush(path: Path) -> None:
    """Return when the content of a file, or the names in a folder, are on the disk and not only in memory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_folder(path: Path) -> None:
    """Flush a folder without folders in it: its files first, then their names."""
    for file in sorted(path.iterdir()):
        flush(file)
    flush(path)
