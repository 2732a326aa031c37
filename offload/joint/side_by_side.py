"""Designs of different frames as one, so that one search decides for the worlds of all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from offload.joint.design import JointDesign
from offload.packets import DataPackets
from offload.residuals import Levels
from offload.tasks import Tasks


@dataclass(frozen=True)
class SideBySide:
    """The worlds of the first design, then those of the second, and so on; the interface of `JointDesign`.

    Every design has frames, estimates and tables of its own, and all have the same ladder of J levels. There is at
    least one.
    """

    parts: tuple[JointDesign, ...]

    @property
    def _starts(self) -> list[int]:
        """[parts + 1] the first world of each part, and the number of all."""
        return [0, *torch.tensor([len(part.frames.counts) for part in self.parts]).cumsum(0).tolist()]

    @property
    def levels(self) -> Levels:
        """Those of the first part: a ladder's bits and accuracies differ a little from one set of frames to another."""
        return self.parts[0].levels

    @property
    def tasks(self) -> Tasks:
        """[E, n] of all parts."""
        every = [part.frames.tasks for part in self.parts]
        return Tasks(
            *(torch.cat([getattr(one, name) for one in every]) for name in Tasks.__dataclass_fields__)
        )

    @property
    def accuracy(self) -> Tensor:
        """[E, n] required of every task."""
        return torch.cat([part.frames.accuracy for part in self.parts])

    @property
    def fewest(self) -> Tensor:
        return torch.cat([part.fewest for part in self.parts])

    @property
    def size_mbit(self) -> Tensor:
        """[E, n, M] by number of offloaded frames, M that of the part with the longest tasks; inf beyond a task's."""
        tables = [part.size_mbit for part in self.parts]
        most = max(table.shape[2] for table in tables)
        return torch.cat(
            [torch.nn.functional.pad(table, (0, most - table.shape[2]), value=torch.inf) for table in tables]
        )

    def select(self, index: Tensor) -> SideBySide:
        """The worlds at `index` [M], which must ascend; ValueError where they do not."""
        if not bool((index[1:] >= index[:-1]).all()):
            raise ValueError("worlds of designs side by side can only be selected in ascending order")
        bounds = torch.searchsorted(
            index.contiguous(), torch.tensor(self._starts, device=index.device)
        ).tolist()
        return SideBySide(
            tuple(
                part.select(index[first:last] - start)
                for part, first, last, start in zip(
                    self.parts, bounds[:-1], bounds[1:], self._starts[:-1], strict=True
                )
            )
        )

    def __call__(self, tasks: Tasks, offloaded: Tensor) -> DataPackets:
        starts, found = self._starts, []
        for part, first, last in zip(self.parts, starts[:-1], starts[1:], strict=True):
            some = torch.arange(first, last)
            found.append(part(tasks.select(some), offloaded[some]))
        return DataPackets(
            torch.cat([one.size_mbit for one in found]), torch.cat([one.level_frames for one in found])
        )

    def admissible(self, offloaded: Tensor) -> Tensor:
        return self._each(offloaded, lambda part, frames: part.admissible(frames))

    def expected_accuracy(self, offloaded: Tensor) -> Tensor:
        return self._each(offloaded, lambda part, frames: part.expected_accuracy(frames))

    def measured_accuracy(self, offloaded: Tensor) -> Tensor:
        return self._each(offloaded, lambda part, frames: part.measured_accuracy(frames))

    def require_reachable(self) -> None:
        for part in self.parts:
            part.require_reachable()

    def scaled(self, pixels: int) -> SideBySide:
        """As `JointDesign.scaled`."""
        return SideBySide(tuple(part.scaled(pixels) for part in self.parts))

    def _each(self, offloaded: Tensor, ask: Callable[[JointDesign, Tensor], Tensor]) -> Tensor:
        sizes: Sequence[int] = [len(part.frames.counts) for part in self.parts]
        pieces = offloaded.split(list(sizes))
        return torch.cat([ask(part, piece) for part, piece in zip(self.parts, pieces, strict=True)])
