"""How sure a mean over few seeds is: Student's interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student


@dataclass(frozen=True)
class SeedInterval:
    """Mean of one number a seed, and its two-sided 95% interval; a single seed has none (low = high = mean)."""

    mean: float
    low: float
    high: float
    n_seeds: int

    def __str__(self) -> str:
        if self.n_seeds == 1:
            return f"{self.mean:.4f}"
        return f"{self.mean:.4f} ±{self.high - self.mean:.4f}"


def over_seeds(values: Sequence[float]) -> SeedInterval:
    """The mean of `values`, one from each seed, by Student's t with len(values) - 1 degrees of freedom.

    Raises ValueError without values.
    """
    if not values:
        raise ValueError("a mean over seeds needs at least one")
    mean, n = float(np.mean(values)), len(values)
    half = float(student.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    return SeedInterval(mean, mean - half, mean + half, n)


def paired_over_seeds(values: Mapping[int, float], reference: Mapping[int, float]) -> SeedInterval:
    """Mean of value - reference over the seeds that both have: what a seed does to both cancels.

    Raises ValueError when they have no seed in common.
    """
    return over_seeds([values[seed] - reference[seed] for seed in sorted(values.keys() & reference.keys())])
