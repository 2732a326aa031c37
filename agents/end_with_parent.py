"""Processes of a pool that end when the process that started them does, however it ended.

A pool's workers are not told when their parent is killed: they finish what they were given, and go on writing into a
folder where the work may have been started again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any

ORPHANED = 1
"""Exit status of a worker whose parent is gone; nobody is left to read it."""


def worker_pool(
    workers: int, initializer: Callable[..., object], initargs: tuple[Any, ...]
) -> ProcessPoolExecutor:
    """A pool of new processes (a fork of a process with threads may hang); each calls `initializer` when it begins."""
    return ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=_begin, initargs=(initializer, initargs)
    )


def _begin(initializer: Callable[..., object], initargs: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()
    initializer(*initargs)


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None, "only for processes that multiprocessing has started"
    wait([parent.sentinel])  # blocks until the parent's end of a pipe is closed, which its death does, too
    os._exit(ORPHANED)  # at once: nothing of this process's work may be written any more
