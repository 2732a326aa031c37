"""The slow reference of the search: all numbers of frames of a task tried, task after task, until none moves."""

import torch
from torch import Tensor

from agents.routers import Router
from offload.problem import OffloadProblem


def grid_search(
    problem: OffloadProblem, router: Router, *, start: float = 0.5, sweeps: int = 3
) -> tuple[Tensor, Tensor]:
    """[E] least mean service delay found by coordinate-wise search, and its [E, n] frames. Exact for a single task.

    Every number of frames of every task is routed anew, as so many copies of its world.
    """
    tasks = problem.tasks
    n_worlds, n_tasks = tasks.frames.shape
    offloaded = (tasks.frames * start).round().long()
    best = problem.evaluate(offloaded, router).mean_s
    numbers = torch.arange(int(tasks.frames.max()) + 1)
    copies = torch.arange(n_worlds).repeat_interleave(len(numbers))
    many = problem.select(copies)
    for _ in range(sweeps):
        before = best.clone()
        for task in range(n_tasks):
            tried = offloaded[copies]
            tried[:, task] = torch.minimum(numbers.repeat(n_worlds), tasks.frames[copies, task])
            mean_s, which = many.evaluate(tried, router).mean_s.view(n_worlds, -1).min(1)
            better = (mean_s < best).nonzero().squeeze(1)
            best[better] = mean_s[better]
            offloaded[better, task] = torch.minimum(which, tasks.frames[:, task])[better]
        if torch.equal(before, best):
            break
    return best, offloaded
