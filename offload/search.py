"""The online search for allocation ratios, alternating with routing: Algorithm 1 of BS-MARL, all worlds at once."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from enum import IntEnum
from typing import TypeVar

import torch
from torch import Tensor

from agents.routers import Router
from offload.config import SearchConfig
from offload.problem import Evaluation, OffloadProblem
from offload.schedules import SCHEDULES, Response
from offload.tasks import Tasks

T = TypeVar("T")


class Stop(IntEnum):
    """Why the search of a world ended.

    worse: its mean delay exceeded that of the iteration before. balanced: the branches of every task take equally long,
    within the tolerance. settled: the schedule has nothing left to try. budget: K_max routings. uncontested: the same
    packets would be routed again, and lose too little to others for that to pay.
    """

    worse = 0
    balanced = 1
    settled = 2
    budget = 3
    uncontested = 4


@dataclass(frozen=True)
class Trace:
    """Every iteration of every world, [K, ...]; iterations after a world's last hold NaN, and -1 for frames.

    offloaded: [K, E, n] long. small_s, offloaded_s, total_s: [K, E, n] seconds, both branches and the service delay.
    mean_s: [K, E] its mean over a world's tasks.
    iterations: [E] long, how many a world took. stop: [E] long, why it ended (`Stop`). best: [E] long, which iteration
    was returned.
    """

    offloaded: Tensor
    small_s: Tensor
    offloaded_s: Tensor
    total_s: Tensor
    mean_s: Tensor
    iterations: Tensor
    stop: Tensor
    best: Tensor


@dataclass(frozen=True)
class Decision:
    """What is decided: how many frames are offloaded, packets, paths and delays; and how the search got there.

    trace: None for schemes that do not search.
    """

    tasks: Tasks
    chosen: Evaluation
    trace: Trace | None = None

    @property
    def ratio(self) -> Tensor:
        """[E, n] allocation ratio a; 0 where there is no task."""
        return self.chosen.offloaded / self.tasks.frames.clamp(min=1)

    @property
    def mean_ratio(self) -> Tensor:
        """[E] its mean over a world's tasks."""
        return self.tasks.mean(self.ratio)


def search(problem: OffloadProblem, router: Router, config: SearchConfig) -> Decision:
    """Alternate between ratios and routing until a world is balanced, gets worse, settles or runs out of iterations.

    Returns for every world the best iteration seen, so never one worse than the start; with `polish` each is first
    moved to the best ratios on its paths.
    """
    shape, device = problem.tasks.frames.shape, problem.tasks.frames.device
    response = Response(problem)
    schedule = SCHEDULES[config.schedule](problem, config, response)
    seconds = torch.full((config.iterations, *shape), torch.nan, dtype=torch.float64, device=device)
    trace = Trace(
        offloaded=torch.full((config.iterations, *shape), -1, device=device),
        small_s=seconds,
        offloaded_s=seconds.clone(),
        total_s=seconds.clone(),
        mean_s=seconds[..., 0].clone(),
        iterations=torch.zeros(shape[0], dtype=torch.long, device=device),
        stop=torch.full((shape[0],), int(Stop.budget), device=device),
        best=torch.zeros(shape[0], dtype=torch.long, device=device),
    )
    least_s = torch.full((shape[0],), torch.inf, dtype=torch.float64, device=device)
    previous_s = least_s.clone()
    active = torch.arange(shape[0], device=device)
    offloaded = (problem.tasks.frames * config.initial_ratio).round().long()
    best: Evaluation | None = None
    for iteration in range(config.iterations):
        some = problem.select(active)
        latest = some.evaluate(offloaded, router)
        _record(trace, iteration, active, latest)
        mean_s, found = latest.mean_s, latest
        uncontested = torch.zeros_like(active, dtype=torch.bool)
        if config.polish:
            found, held = _polished(some, latest, response(active, latest))
            uncontested = ~held & (some.lost_to_others(found) < config.contested)
        better = (found.mean_s < least_s[active]).nonzero().squeeze(1)
        won = active[better]
        least_s[won], trace.best[won] = found.mean_s[better], iteration
        if best is None:
            best = found
        else:
            _put(best, won, _take(found, better))

        proposal = schedule.propose(active, latest)
        longer = torch.maximum(latest.delay.small_s, latest.delay.offloaded_s)
        balanced = (latest.delay.idle_s.abs() <= config.tolerance * longer).all(1)
        worse = (mean_s > previous_s[active]) & config.stop_when_worse
        previous_s[active] = mean_s
        for stop, applies in (
            (Stop.uncontested, uncontested),
            (Stop.settled, proposal.settled),
            (Stop.balanced, balanced),
            (Stop.worse, worse),
        ):
            trace.stop[active[applies]] = int(stop)
        left = (~(uncontested | proposal.settled | balanced | worse)).nonzero().squeeze(1)
        active, offloaded = active[left], proposal.offloaded[left]
        if not len(active):
            break
    assert best is not None
    return Decision(problem.tasks, best, _shorten(trace))


def _polished(problem: OffloadProblem, routed: Evaluation, response: Tensor) -> tuple[Evaluation, Tensor]:
    """`routed` with every task moved to its `response` [E, n], its best number of frames on these paths, in worlds
    where that helps; and [E] the worlds where a task had to stay.

    A task stays if one of its packets would appear or vanish, for then other paths are due.
    """
    model_mbit, data = problem.design.sizes(problem.tasks, response)
    same_packets = (model_mbit > 0) == (routed.model_mbit > 0)
    same_packets &= (data.size_mbit > 0) == (routed.data.size_mbit > 0)
    moved = problem.evaluate_on(torch.where(same_packets, response, routed.offloaded), routed.routes)
    worse = (moved.mean_s >= routed.mean_s).nonzero().squeeze(1)
    _put(moved, worse, _take(routed, worse))
    return moved, ~same_packets.all(1)


def _record(trace: Trace, iteration: int, worlds: Tensor, latest: Evaluation) -> None:
    trace.offloaded[iteration, worlds] = latest.offloaded
    trace.small_s[iteration, worlds] = latest.delay.small_s
    trace.offloaded_s[iteration, worlds] = latest.delay.offloaded_s
    trace.total_s[iteration, worlds] = latest.delay.total_s
    trace.mean_s[iteration, worlds] = latest.mean_s
    trace.iterations[worlds] = iteration + 1


def _shorten(trace: Trace) -> Trace:
    """Without the iterations that no world reached."""
    n = int(trace.iterations.max())
    steps = ("offloaded", "small_s", "offloaded_s", "total_s", "mean_s")
    return replace(trace, **{name: getattr(trace, name)[:n] for name in steps})


def _take(value: T, index: Tensor) -> T:
    """The worlds at `index` of tensors in (nested) dataclasses."""
    if isinstance(value, Tensor):
        return value[index]  # type: ignore[return-value]
    assert is_dataclass(value) and not isinstance(value, type)
    return replace(value, **{f.name: _take(getattr(value, f.name), index) for f in fields(value)})


def _put(target: object, index: Tensor, source: object) -> None:
    """Overwrite the worlds at `index` in tensors of (nested) dataclasses."""
    if isinstance(target, Tensor):
        target[index] = source  # type: ignore[assignment]
        return
    assert is_dataclass(target)
    for field in fields(target):
        _put(getattr(target, field.name), index, getattr(source, field.name))
