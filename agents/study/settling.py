"""When a training curve has settled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def settled_after(
    epochs: Sequence[int], values: Sequence[float], *, tolerance: float = 0.02, tail: float = 0.25
) -> int | None:
    """The first epoch from which on the curve stays within `tolerance` of its level; None when it never does.

    The level is the mean over the last share `tail` of the epochs. A curve whose band is first held within that tail
    has not settled: its level would be judged by what it is compared with.

    epochs: ascending. values: the curve at these epochs.
    """
    points = np.asarray(values, dtype=float)
    if len(points) != len(epochs) or len(points) == 0:
        raise ValueError(f"{len(points)} values for {len(epochs)} epochs")
    tail_begins = min(int(np.ceil(len(points) * (1 - tail))), len(points) - 1)
    level = points[tail_begins:].mean()
    outside = np.flatnonzero(np.abs(points - level) > tolerance * abs(level))
    first = int(outside[-1]) + 1 if len(outside) else 0
    return None if first > tail_begins else int(epochs[first])
