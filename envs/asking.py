"""Questions that a step asks of the device on which its tensors are.

On a CPU an answer costs nothing and may save work. A GPU works through a queue: Python would wait until all of it is
done, in every step, to skip a little; there the work is done without asking.
"""

from __future__ import annotations

from torch import Tensor


def may_have_any(mask: Tensor) -> bool:
    """Whether `mask` is True anywhere; on other devices than the CPU True without asking."""
    return mask.device.type != "cpu" or bool(mask.any())
