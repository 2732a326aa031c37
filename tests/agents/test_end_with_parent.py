"""Workers do not outlive the process that started them, even when it is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest

from agents.end_with_parent import worker_pool


def _nothing() -> None:
    pass


def _work(folder: Path) -> None:
    """What a worker does: writes for ever, as a training writes its metrics."""
    (folder / f"worker-{os.getpid()}").touch()
    while True:
        with (folder / "metrics").open("a") as metrics:
            metrics.write("row\n")
        time.sleep(0.01)


def _parent(folder: Path) -> None:
    with worker_pool(2, _nothing, ()) as pool:
        for _ in range(2):
            pool.submit(_work, folder)


def _runs(pid: int) -> bool:
    """Whether the process is there and not a zombie that nobody collects."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes in /proc")
def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    parent = get_context("spawn").Process(target=_parent, args=(tmp_path,))
    parent.start()
    _until(lambda: len(list(tmp_path.glob("worker-*"))) == 2, "two workers start")
    workers = [int(file.name.removeprefix("worker-")) for file in tmp_path.glob("worker-*")]
    assert all(_runs(pid) for pid in workers)
    assert parent.pid is not None
    os.kill(parent.pid, signal.SIGKILL)
    parent.join()
    _until(lambda: not any(_runs(pid) for pid in workers), "the workers end")
    written = (tmp_path / "metrics").read_bytes()
    time.sleep(0.1)
    assert (tmp_path / "metrics").read_bytes() == written


def test_workers_are_initialised_and_the_pool_works() -> None:
    with worker_pool(1, os.umask, (0o051,)) as pool:
        assert pool.submit(os.umask, 0).result() == 0o051
