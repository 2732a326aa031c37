"""Measure routers in several processes of one machine, with the numbers that one process gives.

Plain processes and not Ray: a comparison is minutes of independent work on one machine, it must run where Ray does
not, and these start in two seconds.
"""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable, Mapping
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool

import torch

from agents.cluster import WorkerLost
from agents.end_with_parent import worker_pool
from agents.evaluation.measure import Measured, measure
from agents.routers import Router
from agents.routers.best_response import BestResponseRouter, SequentialRouter, SingleOrderBestResponseRouter
from envs.config import EnvironmentConfig
from envs.ephemeris import Ephemeris
from envs.worlds import Worlds

BY_WORLD = (BestResponseRouter, SingleOrderBestResponseRouter, SequentialRouter)
"""Routers whose worlds are shared out, because they take most of the time and treat every world alone, bit by bit.

The others route all worlds at once: chance is drawn for all of them together, and a matrix product rounds
differently in a batch of another size."""

PARTS_PER_WORKER = 4
"""Into how many parts, per worker, the worlds of such a router are cut: small enough that nobody waits long."""


def measure_in_processes(
    routers: Mapping[str, Router],
    ephemeris: Ephemeris,
    worlds: Worlds,
    config: EnvironmentConfig,
    *,
    workers: int,
    keep_links: bool = False,
    on_progress: Callable[[str], None],
) -> dict[str, Measured]:
    """What `measure` gives for each of `routers`, in their order, by `workers` processes.

    on_progress is told now and then how far the work is.
    Raises what a worker raises, as soon as it does, with its traceback, and WorkerLost when a worker dies; the other
    workers are ended then.
    """
    before = set(multiprocessing.active_children())
    # As bytes: tensors would travel through /dev/shm, which containers keep small.
    shared = pickle.dumps((ephemeris, worlds, config))
    pool = worker_pool(workers, _begin, (shared, max(1, torch.get_num_threads() // workers)))
    parts: dict[str, list[Future[Measured]]] = {}
    try:
        for name in reversed(list(routers)):  # the references, which take longest, come last: begin with them
            router = routers[name]
            cut = workers * PARTS_PER_WORKER if isinstance(router, BY_WORLD) else 1
            indices = torch.arange(worlds.n_worlds).chunk(cut)
            parts[name] = [
                pool.submit(_measure_part, router, index.tolist(), keep_links) for index in indices
            ]
        futures = [future for some in parts.values() for future in some]
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()
            on_progress(f"{done} of {len(futures)} parts are done")
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - before:
            process.kill()  # they hold nothing, and may be in the middle of minutes of work
        if isinstance(error, BrokenProcessPool):
            raise WorkerLost(
                "a process of evaluation.workers died, perhaps for lack of memory: "
                "set fewer, or 0 to evaluate in the main process"
            ) from error
        raise
    pool.shutdown()
    return {name: Measured.joined([future.result() for future in parts[name]]) for name in routers}


_shared: tuple[Ephemeris, Worlds, EnvironmentConfig]
"""What a worker process was given when it began."""


def _begin(shared: bytes, threads: int) -> None:
    global _shared
    torch.set_num_threads(threads)
    _shared = pickle.loads(shared)


def _measure_part(router: Router, index: list[int], keep_links: bool) -> Measured:
    ephemeris, worlds, config = _shared
    if len(index) < worlds.n_worlds:
        worlds = worlds.select(torch.tensor(index, device=worlds.slot.device))
    return measure(router, ephemeris, worlds, config, keep_links=keep_links)
