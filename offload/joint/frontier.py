"""What is saved at equal *measured* accuracy: who asks for 0.95 and measures 0.94 is not faster but sloppier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_RESAMPLES = 1000


def saved_at_equal_accuracy(
    base_accuracy: Sequence[np.ndarray],
    base_delay_s: Sequence[np.ndarray],
    accuracy: np.ndarray,
    delay_s: np.ndarray,
    *,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Share of the base's delay that is saved where the base measures the same accuracy, and its 95% interval.

    base_accuracy, base_delay_s: [R] of [E], the base at R requirements in the same E worlds; between two of them delay
    is interpolated over accuracy. Intervals by bootstrap over worlds, of both curves together. NaN where the base
    measures no such accuracy, or in more than a tenth of the resamples does not.
    """
    n_worlds = len(accuracy)
    drawn = np.random.default_rng(seed).multinomial(
        n_worlds, np.full(n_worlds, 1 / n_worlds), size=_RESAMPLES
    )
    weights = np.concatenate([np.ones((1, n_worlds)), drawn]) / n_worlds  # the first row: as measured
    at, cost = (weights @ np.stack(list(x)).T for x in (base_accuracy, base_delay_s))  # [1 + B, R]
    own_at, own_cost = weights @ accuracy, weights @ delay_s
    saved = np.array(
        [
            1 - own / _interpolated(here, x, y)
            for own, here, x, y in zip(own_cost, own_at, at, cost, strict=True)
        ]
    )
    point, resampled = float(saved[0]), saved[1:]
    known = np.isfinite(resampled)
    if not np.isfinite(point) or known.mean() < 0.9:
        return point, float("nan"), float("nan")
    low, high = np.quantile(resampled[known], (0.025, 0.975))
    return point, float(low), float(high)


def _interpolated(at: float, x: np.ndarray, y: np.ndarray) -> float:
    order = np.argsort(x)
    return float(np.interp(at, x[order], y[order], left=np.nan, right=np.nan))
