"""Questions that a step asks of the device on which its tensors are.

On a CPU an answer costs nothing and may save work. A GPU works through a queue: Python would wait until all of it is
done, in every step, to skip a little. There the work is done without asking, or the answer is read a step later.
"""

from __future__ import annotations

import torch
from torch import Tensor


def may_have_any(mask: Tensor) -> bool:
    """Whether `mask` is True anywhere; on other devices than the CPU True without asking."""
    return mask.device.type != "cpu" or bool(mask.any())


def worth_computing(mask: Tensor) -> Tensor:
    """[N] long: where `mask` [R] is True; on other devices than the CPU everywhere, without asking."""
    if mask.device.type != "cpu":
        return torch.arange(len(mask), device=mask.device)
    return mask.nonzero().squeeze(1)


def largest(values: Tensor, at_most: int) -> int:
    """The largest of `values` [N] long, -1 of none; on other devices than the CPU `at_most`, without asking."""
    if values.device.type != "cpu":
        return at_most
    return int(values.max()) if len(values) else -1


class LateNumber:
    """A whole number on its way from a device to Python, while both go on.

    To read it is to wait for what the device was given before it, not for what it was given since.
    """

    def __init__(self, number: Tensor) -> None:
        self._copy = number.to(
            "cpu", non_blocking=True
        )  # of a GPU: into memory that it can write to by itself
        self._arrival = None
        if number.device.type != "cpu":
            self._arrival = torch.accelerator.current_stream(number.device).record_event()

    def read(self) -> int:
        if self._arrival is not None:
            self._arrival.synchronize()
        return int(self._copy)
