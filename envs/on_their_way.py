"""Which packets are on their way, without ever waiting for a device to tell."""

from __future__ import annotations

import torch
from torch import Tensor

from envs.asking import LateNumber


class OnTheirWay:
    """The packets of one batch of episodes that move or wait, of E*P in all.

    On a CPU exactly those. On other devices those that did at the last call: how many they are, Python learns while
    the device works on the step in between. That takes a quarter to a third more rows than there are decisions (Walker
    12 x 24, 8 and 16 tasks), where rows for all packets would be five and a half times as many: benchmarks/devices.py.
    """

    def __init__(self, alive: Tensor) -> None:
        self._packets = alive.nonzero().squeeze(1)
        self._late: tuple[Tensor, LateNumber] | None = None

    def __call__(self, alive: Tensor) -> tuple[Tensor, Tensor | None]:
        """alive: [E*P] bool; nobody comes back to life.

        Returns packets [M] long in ascending order, and which of them are alive, [M] bool, or None where all are.
        """
        if alive.device.type == "cpu":
            return alive.nonzero().squeeze(1), None
        if self._late is not None:
            packets, number = self._late
            self._packets = packets[: number.read()]
        still = alive.index_select(0, self._packets)
        if len(still):
            # Those who are alive move to the front, in their order; the others share a place that nobody reads.
            rank = still.cumsum(0)
            place = torch.where(still, rank - 1, len(still))
            front = self._packets.new_empty(len(still) + 1).scatter_(0, place, self._packets)
            self._late = front, LateNumber(rank[-1])
        return self._packets, still
