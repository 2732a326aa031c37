"""Files that are still whole after a power cut: written aside, flushed to the disk, then renamed."""

from __future__ import annotations

import os
from pathlib import Path

UNFINISHED = ".unfinished"
"""Ends the name of what is not whole yet; nobody reads such a file or folder."""


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
