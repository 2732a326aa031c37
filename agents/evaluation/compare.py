"""Run every router on the same worlds and measure what it achieves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agents.evaluation.bootstrap import Interval, ratio_interval
from agents.evaluation.measure import Measured, measure
from agents.evaluation.workers import measure_in_processes
from agents.routers import Router, Routes
from agents.routers.best_response import BestResponseRouter, SingleOrderBestResponseRouter
from envs.config import EnvironmentConfig
from envs.ephemeris import Ephemeris
from envs.worlds import Worlds

REFERENCE = BestResponseRouter.name
SINGLE_ORDER_REFERENCE = SingleOrderBestResponseRouter.name


@dataclass(frozen=True)
class RouterResult:
    """What a router achieved on the worlds of a comparison.

    trainings: how many routers were averaged, of a policy that was trained with as many seeds; else 1.
    mean_delay_s, p95_delay_s: over all packets; an undelivered one counts with its delay so far plus
        `undelivered_factor` times its uncongested delay.
    delivery: share of packets delivered; undelivered: how many were not.
    hops: mean over the packets delivered; None when none was.
    ratio_to_best_response: ratio of mean delays to best response from several packet orders, ci95 its 95%
        bootstrap interval over worlds, and over trainings if there are several; ratio_to_best_response_single,
        ci95_single: to best response in packet order.
    seconds_per_decision: wall time per hop, on the machine and with the batch of this comparison.
    """

    router: str
    trainings: int
    mean_delay_s: float
    p95_delay_s: float
    delivery: float
    undelivered: int
    hops: float | None
    ratio_to_best_response: float
    ci95: Interval
    ratio_to_best_response_single: float
    ci95_single: Interval
    seconds_per_decision: float


@dataclass(frozen=True)
class Comparison:
    """Results of all routers, in the order in which they ran; n_packets in all worlds together."""

    results: tuple[RouterResult, ...]
    n_worlds: int
    n_packets: int

    def __getitem__(self, router: str) -> RouterResult:
        """The result of the router of this name."""
        return next(result for result in self.results if result.router == router)


def compare(
    routers: Sequence[Router],
    ephemeris: Ephemeris,
    worlds: Worlds,
    config: EnvironmentConfig,
    *,
    averaged: Mapping[str, Sequence[str]] | None = None,
    workers: int = 0,
    on_progress: Callable[[str], None] = lambda what: None,
    on_routes: Callable[[str, Routes], None] | None = None,
) -> Comparison:
    """Route `worlds` with each of `routers` and with both best-response references, which come last.

    averaged: results that stand for several of the routers, which then have none of their own.
    workers: processes that share the work; 0: this one does it. The results are the same but for the wall times.
    on_progress is told what is going on, on_routes a router's name and its paths when they are known. Raises
    ValueError when two routers have the same name or the worlds are fewer than 2, too few for an interval.
    """
    if worlds.n_worlds < 2:
        raise ValueError(f"a comparison needs at least 2 worlds for its intervals, not {worlds.n_worlds}")
    contestants = {router.name: router for router in routers}
    if len(contestants) < len(routers):
        raise ValueError(f"two routers have the same name: {[router.name for router in routers]}")
    for reference in (SingleOrderBestResponseRouter(), BestResponseRouter()):
        contestants.setdefault(reference.name, reference)

    measured: dict[str, Measured] = {}
    if workers > 0:
        measured = measure_in_processes(
            contestants,
            ephemeris,
            worlds,
            config,
            workers=workers,
            keep_links=on_routes is not None,
            on_progress=on_progress,
        )
    else:
        for name, router in contestants.items():
            on_progress(name)
            measured[name] = measure(router, ephemeris, worlds, config, keep_links=on_routes is not None)
    if on_routes is not None:
        for name, run in measured.items():
            on_routes(name, run.routes())
    present = worlds.present.cpu().numpy()
    best, single = (measured[name].delay_s.sum(1) for name in (REFERENCE, SINGLE_ORDER_REFERENCE))  # [E]
    averaged = averaged or {}
    members = {member for group in averaged.values() for member in group}
    groups = {name: [measured[member] for member in group] for name, group in averaged.items()}
    groups |= {name: [run] for name, run in measured.items() if name not in members}
    return Comparison(
        results=tuple(_summarise(name, runs, present, best, single) for name, runs in groups.items()),
        n_worlds=worlds.n_worlds,
        n_packets=int(present.sum()),
    )


def _summarise(
    name: str, runs: Sequence[Measured], present: np.ndarray, best: np.ndarray, single: np.ndarray
) -> RouterResult:
    """`runs`: of S routers that count as one."""
    delay_s, delivered, hops = (
        np.stack([getattr(run, array) for run in runs]) for array in ("delay_s", "delivered", "hops")
    )  # [S, E, P]
    by_world = delay_s.sum(2)  # [S, E]
    return RouterResult(
        router=name,
        trainings=len(runs),
        mean_delay_s=float(delay_s[:, present].mean()),
        p95_delay_s=float(np.quantile(delay_s[:, present], 0.95)),
        delivery=float(delivered[:, present].mean()),
        undelivered=int((present & ~delivered).sum()),
        hops=float(hops[delivered].mean()) if delivered.any() else None,
        ratio_to_best_response=float(by_world.mean(0).sum() / best.sum()),
        ci95=ratio_interval(by_world, best),
        ratio_to_best_response_single=float(by_world.mean(0).sum() / single.sum()),
        ci95_single=ratio_interval(by_world, single),
        seconds_per_decision=sum(run.seconds for run in runs) / max(int(hops.sum()), 1),
    )
