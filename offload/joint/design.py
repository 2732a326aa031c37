"""Data packets of real frames: the bytes that offloading any number of a task's frames takes, all tabulated.

For every task and every number m of offloaded frames, the cheapest plan is chosen under which the whole task, m frames
answered by the large model and the others on board, is expected to reach its accuracy. Neither routing nor delay
matters for that, so the tables are made once, of cumulative sums over the frames in the order of offloading; a search
then only looks things up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from models.profile_file import Profile
from offload.accuracy import RequirementError
from offload.joint.estimates import Estimates
from offload.joint.frames import FrameTasks
from offload.joint.plans import Plans
from offload.packets import DataPackets
from offload.residuals import Levels
from offload.tasks import Tasks

_SLACK = 1e-9  # by how much expected accuracy may fall short, for rounding
_TASKS_AT_ONCE = 32  # keeps the working set within a few tens of MB


@dataclass(frozen=True)
class PacketTable:
    """By number of offloaded frames, M = most frames of a task + 1 of them.

    size_mbit: [E, n, M] float64, inf where the accuracy cannot be reached or there are not so many frames.
    plan, refined: [E, n, M] int16, the plan and how many frames of its next step's class are one step finer.
    reachable: [E, n] float64, the highest accuracy that can be expected, with any number of frames.
    """

    size_mbit: Tensor
    plan: Tensor
    refined: Tensor
    reachable: Tensor

    def select(self, index: Tensor) -> PacketTable:
        return PacketTable(
            self.size_mbit[index], self.plan[index], self.refined[index], self.reachable[index]
        )


class JointDesign:
    """Data packets of frames coded at the levels of one ladder; the interface of `offload.packets`.

    With estimates of more than one class of confidence, `frames` must be ranked.
    """

    def __init__(
        self, profile: Profile, coding: str, estimates: Estimates, frames: FrameTasks, pixels: int
    ) -> None:
        coded = profile.coded(coding)
        bits = 8.0 * coded.coded_bytes / profile.pixels[:, None]  # [N, J] bits per pixel
        self._mbit = torch.from_numpy(bits * (pixels / 1e6))
        self._score = torch.from_numpy(coded.score)
        self._small_score = torch.from_numpy(profile.small_score)
        self._group = torch.from_numpy(
            np.searchsorted(estimates.edges, profile.confidence[:, 0], side="right")
        )
        self._estimates, self._plans = estimates, Plans.of(estimates)
        self._level = torch.from_numpy(self._plans.level)
        self.frames, self._pixels = frames, pixels
        self.levels = Levels(
            tuple(estimates.mean_bits_per_pixel.tolist()),
            tuple((1.0 - estimates.error * estimates.difficulty.mean()).tolist()),
        )
        (self.table,) = self._tabulate([frames])

    def at_each(self, accuracies: Sequence[float]) -> list[JointDesign]:
        """The same frames under other requirements, tabulated together, which costs little more than one of them."""
        asked = [self.frames.requiring(accuracy) for accuracy in accuracies]
        return [
            self._with(frames=frames, table=table)
            for frames, table in zip(asked, self._tabulate(asked), strict=True)
        ]

    def scaled(self, pixels: int) -> JointDesign:
        """The same frames with `pixels` each: neither plans nor what can be reached depend on that."""
        factor = pixels / self._pixels
        table = replace(self.table, size_mbit=self.table.size_mbit * factor)
        return self._with(table=table, _mbit=self._mbit * factor, _pixels=pixels)

    def _with(self, **changes: object) -> JointDesign:
        other = object.__new__(JointDesign)
        other.__dict__ |= self.__dict__ | changes
        return other

    def select(self, index: Tensor) -> JointDesign:
        """The same for the worlds at `index`."""
        return self._with(frames=self.frames.select(index), table=self.table.select(index))

    def __call__(self, tasks: Tasks, offloaded: Tensor) -> DataPackets:
        """Data packets for `offloaded` [E, n] frames; size inf where that cannot reach the accuracy."""
        level = self.levels_of(offloaded)  # [E, n, L]
        counts = torch.stack([(level == j).sum(2) for j in range(self._mbit.shape[1])], 2)
        return DataPackets(self._at(self.table.size_mbit, offloaded), counts)

    def admissible(self, offloaded: Tensor) -> Tensor:
        """The nearest number of frames from `offloaded` [E, n] on that reaches the accuracy, else the nearest below."""
        count = torch.arange(self.table.size_mbit.shape[2])
        possible = self.table.size_mbit.isfinite()
        above = torch.where(possible, count, len(count)).flip(2).cummin(2).values.flip(2)
        below = torch.where(possible, count, -1).cummax(2).values
        up = self._at(above, offloaded)
        return torch.where(up < len(count), up, self._at(below, offloaded))

    @property
    def tasks(self) -> Tasks:
        """What the service delay needs to know of the tasks."""
        return self.frames.tasks

    @property
    def accuracy(self) -> Tensor:
        """[E, n] required of every task."""
        return self.frames.accuracy

    @property
    def size_mbit(self) -> Tensor:
        """[E, n, M] by number of offloaded frames, inf where it is not possible."""
        return self.table.size_mbit

    @property
    def fewest(self) -> Tensor:
        """[E, n] fewest frames that must be offloaded for the accuracy."""
        return self.admissible(torch.zeros_like(self.frames.counts))

    def require_reachable(self) -> None:
        """Raise RequirementError naming the highest accuracy that every task can be expected to reach."""
        if not bool(self.table.size_mbit.isfinite().any(2).all()):
            reachable = float(self.table.reachable[self.frames.counts > 0].min())
            raise RequirementError(
                f"accuracy={float(self.frames.accuracy.max()):g} is not possible: at most "
                f"{reachable:.4f} is expected of every task; require less, or use better models"
            )

    def levels_of(self, offloaded: Tensor) -> Tensor:
        """[E, n, L] long, the level of every frame; -1: it stays on board (or there is no such frame)."""
        plan, refined = (
            self._at(x, offloaded).long()[..., None] for x in (self.table.plan, self.table.refined)
        )
        group = self._group[self.frames.rows]  # [E, n, L]
        level = self._level[plan, group]
        if len(self._plans.step_class):
            step = plan.clamp(max=len(self._plans.step_class) - 1)
            belongs = group == torch.from_numpy(self._plans.step_class)[step]
            finer = belongs & (belongs.cumsum(2) <= refined)
            level = torch.where(finer, self._level[(plan + 1).clamp(max=len(self._level) - 1), group], level)
        sent = torch.arange(group.shape[2]) < offloaded[..., None]
        return torch.where(sent & self.frames.present, level, -1)

    def expected_accuracy(self, offloaded: Tensor) -> Tensor:
        """[E, n] accuracy that is expected of the whole task."""
        group, level = self._group[self.frames.rows], self.levels_of(offloaded)
        received = torch.from_numpy(self._estimates.received(level.clamp(min=0).numpy(), group.numpy()))
        onboard = torch.from_numpy(self._estimates.onboard)[group]
        return self._mean(torch.where(level >= 0, received, onboard))

    def measured_accuracy(self, offloaded: Tensor) -> Tensor:
        """[E, n] accuracy of the whole task: what both models really answered, the large one about decoded frames."""
        level, rows = self.levels_of(offloaded), self.frames.rows
        received = self._score[rows, level.clamp(min=0)]
        return self._mean(torch.where(level >= 0, received, self._small_score[rows]))

    def sent_mbit(self, offloaded: Tensor) -> Tensor:
        """[E, n] the frames' coded sizes added up one by one, what the table says must agree with."""
        level = self.levels_of(offloaded)
        return torch.where(level >= 0, self._mbit[self.frames.rows, level.clamp(min=0)], 0.0).sum(2)

    def _mean(self, values: Tensor) -> Tensor:
        return torch.where(self.frames.present, values, 0.0).sum(2) / self.frames.counts.clamp(min=1)

    @staticmethod
    def _at(table: Tensor, offloaded: Tensor) -> Tensor:
        return table.gather(2, offloaded[..., None]).squeeze(2)

    def _tabulate(self, asked: Sequence[FrameTasks]) -> list[PacketTable]:
        """A table for each of `asked`: the same frames, with requirements of their own."""
        rows, counts = self.frames.rows.flatten(0, 1), self.frames.counts.flatten()
        accuracy = torch.stack([one.accuracy.flatten() for one in asked])  # [R, E n]
        parts = [
            self._tabulate_some(rows[some], counts[some], accuracy[:, some])
            for some in torch.arange(len(rows)).split(_TASKS_AT_ONCE)
        ]
        shape = self.frames.counts.shape
        return [
            PacketTable(
                *(
                    torch.cat(x).view(*shape, *x[0].shape[1:])
                    for x in zip(*(p[r] for p in parts), strict=True)
                )
            )
            for r in range(len(asked))
        ]

    def _tabulate_some(
        self, rows: Tensor, counts: Tensor, accuracy: Tensor
    ) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """For R requirements `accuracy` [R, N] of N tasks, rows [N, L]: size, plan, refined [N, M], reachable [N]."""
        present = torch.arange(rows.shape[1]) < counts[:, None]
        group, plans = self._group[rows], self._plans  # [N, L]
        n_plans, n_classes = len(plans.level), len(self._estimates.onboard)
        worth = torch.from_numpy(self._estimates.received(plans.level, np.arange(n_classes)))  # [K, B]
        level = self._level.T[group].mT  # [N, K, L]
        mbit = self._mbit[rows[:, None, :], level].masked_fill(~present[:, None], 0.0)
        received = worth.T[group].mT.masked_fill(~present[:, None], 0.0)
        onboard = torch.from_numpy(self._estimates.onboard)[group].masked_fill(~present, 0.0)
        spent, gained, kept = (_sums(x) for x in (mbit, received, onboard))  # [N, K, M] twice, [N, M]
        right = gained + (kept[:, -1:] - kept)[:, None]  # expected number of right answers
        beyond = torch.arange(rows.shape[1] + 1) > counts[:, None]
        reachable = (right[:, -1] / counts[:, None].clamp(min=1)).masked_fill(beyond, 0.0).amax(1)
        # A class's frames stand together, and a step of the plans changes only them.
        in_class = torch.nn.functional.one_hot(group, n_classes) * present[..., None]  # [N, L, B]
        first = in_class.sum(1).cumsum(1) - in_class.sum(1)  # [N, B] where a class's frames begin
        extra = _sums(mbit[:, 1:] - mbit[:, :-1]).flatten(1)  # [N, (K - 1) M]
        gains, refining = torch.from_numpy(plans.step_gain), torch.from_numpy(plans.step_class)
        found = []
        for need in (accuracy - _SLACK) * counts:
            enough = (right < need[:, None, None]).sum(1)  # [N, M] the first plan that suffices; K: none
            before = (enough - 1).clamp(min=0, max=max(n_plans - 2, 0))
            size = spent.gather(1, before[:, None]).squeeze(1)
            refined = torch.zeros_like(enough)
            if n_plans > 1:
                missing = need[:, None] - right.gather(1, before[:, None]).squeeze(1)
                steps = (missing / gains[before] - 1e-6).ceil().clamp(min=0).long()
                refined = torch.where(enough > 0, steps, 0)
                until = (first.gather(1, refining[before]) + refined).clamp(max=counts[:, None])  # [N, M]
                size = size + extra.gather(1, before * (rows.shape[1] + 1) + until)
            size = size.masked_fill(beyond | (enough == n_plans), torch.inf)
            found.append((size, before.short(), refined.short(), reachable))
        return found


def _sums(values: Tensor) -> Tensor:
    """[..., L + 1] sums of the first 0, 1, ... L of `values` [..., L]."""
    return torch.nn.functional.pad(values.cumsum(-1), (1, 0))
