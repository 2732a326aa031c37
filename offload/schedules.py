"""How allocation ratios change between two routings of the search.

Between two routings only what the router does with new packet sizes is unknown. `bisection`, the paper's Algorithm 1,
uses one bit of each: which branch was longer. If another task's change moves the balance out of a task's interval, it
is lost. `balance` keeps no intervals: on the paths as they are, a task's delay depends on its own frames alone, so its
best number of frames is known exactly without routing; then everybody is routed again. `coordinate` does that for one
task at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from offload.config import ScheduleName, SearchConfig
from offload.problem import Evaluation, OffloadProblem


@dataclass(frozen=True)
class Proposal:
    """What to try next: offloaded [M, n] frames, and settled [M] worlds in which there is nothing left to try."""

    offloaded: Tensor
    settled: Tensor


class Schedule(Protocol):
    """Proposes numbers of offloaded frames for many worlds; made for one problem, then told of every evaluation."""

    def propose(self, worlds: Tensor, latest: Evaluation) -> Proposal:
        """What to try next in `worlds` [M] long, which were evaluated as `latest`."""
        ...


class Response:
    """Best number of frames of every task if all paths stay as they are.

    On a given path a data packet's transmission and relaying grow with its size and its propagation does not; how
    many share each ISL does not depend on sizes. The delay per Mbit of a task that sends nothing now is remembered from
    when it last did.
    """

    def __init__(self, problem: OffloadProblem) -> None:
        self._problem = problem
        self._answered: tuple[Evaluation, Tensor] | None = None
        self._s_per_mbit = torch.zeros_like(problem.tasks.large_accuracy)  # [E, n]
        self._propagation_s = torch.zeros_like(self._s_per_mbit)

    def __call__(self, worlds: Tensor, latest: Evaluation) -> Tensor:
        """[M, n] frames, for `worlds` [M] evaluated as `latest`; found once, however often asked."""
        if self._answered is not None and self._answered[0] is latest:
            return self._answered[1]
        data, size = latest.delay.data, latest.data.size_mbit
        sends = size > 0
        s_per_mbit = (data.total_s - data.propagation_s) / size.clamp(min=1e-12)
        self._s_per_mbit[worlds] = torch.where(sends, s_per_mbit, self._s_per_mbit[worlds])
        self._propagation_s[worlds] = torch.where(sends, data.propagation_s, self._propagation_s[worlds])
        some = self._problem.select(worlds)
        frames = some.best_frames(latest, self._s_per_mbit[worlds], self._propagation_s[worlds])
        self._answered = latest, frames
        return frames


class Bisection:
    """All tasks at once: more frames where the small model took longer, fewer elsewhere, halving what is left.

    Whole frames: the interval of a task lies strictly between the most frames known to be too few and the fewest known
    to be too many. A task whose interval is empty stays.
    """

    def __init__(self, problem: OffloadProblem, config: SearchConfig, response: Response) -> None:
        self._too_few = problem.fewest - 1
        self._too_many = problem.tasks.frames + 1

    def propose(self, worlds: Tensor, latest: Evaluation) -> Proposal:
        now, more = latest.offloaded, latest.delay.idle_s > 0
        few = torch.where(more, torch.maximum(now, self._too_few[worlds]), self._too_few[worlds])
        many = torch.where(more, self._too_many[worlds], torch.minimum(now, self._too_many[worlds]))
        self._too_few[worlds], self._too_many[worlds] = few, many
        left = many - few > 1
        proposed = torch.where(left, (few + many).div(2, rounding_mode="floor"), now)
        return Proposal(proposed, ~left.any(1))


class Balance:
    """All tasks at once go towards their response, `damping` of the way.

    A world about to try what it has tried before is settled: from there on it would go round in circles.
    """

    def __init__(self, problem: OffloadProblem, config: SearchConfig, response: Response) -> None:
        self._response = response
        self._damping = config.damping
        self._nothing = torch.full_like(problem.tasks.frames, -1)
        self._tried: list[Tensor] = []  # [E, n] frames of every iteration

    def propose(self, worlds: Tensor, latest: Evaluation) -> Proposal:
        step = (self._response(worlds, latest) - latest.offloaded).double() * self._damping
        step = step.sign() * step.abs().ceil()  # rounded away from zero, so that it gets there
        proposed = latest.offloaded + step.long()
        self._tried.append(self._nothing.index_copy(0, worlds, latest.offloaded))
        tried = torch.stack([frames[worlds] for frames in self._tried])  # [K, M, n]
        return Proposal(proposed, (proposed == tried).all(2).any(0))


class Coordinate:
    """One task after another moves to its response; a world is settled once a whole round moved none."""

    def __init__(self, problem: OffloadProblem, config: SearchConfig, response: Response) -> None:
        self._response = response
        self._turn = 0
        self._still = torch.zeros_like(problem.worlds.slot)  # [E] turns without a move

    def propose(self, worlds: Tensor, latest: Evaluation) -> Proposal:
        n_tasks = latest.offloaded.shape[1]
        response = self._response(worlds, latest)
        task = self._turn % n_tasks
        self._turn += 1
        proposed = latest.offloaded.clone()
        proposed[:, task] = response[:, task]
        moved = (proposed != latest.offloaded).any(1)
        self._still[worlds] = torch.where(moved, 0, self._still[worlds] + 1)
        return Proposal(proposed, self._still[worlds] >= n_tasks)


SCHEDULES: dict[ScheduleName, Callable[[OffloadProblem, SearchConfig, Response], Schedule]] = {
    ScheduleName.bisection: Bisection,
    ScheduleName.balance: Balance,
    ScheduleName.coordinate: Coordinate,
}
"""Makers of schedules by name."""
