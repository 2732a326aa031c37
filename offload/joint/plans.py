"""Which classes of frames are sent how finely: the few plans worth considering, from the coarsest to the finest.

A frame's next finer level costs bytes and gains accuracy; the best order to buy steps is by gain per byte (the greedy
solution of the multiple-choice knapsack, exact up to the last step). Steps of one level to the next are the same for
all frames of a class, so that a plan is a level for each class, and a plan and the next differ in one class only.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from offload.joint.estimates import Estimates


@dataclass(frozen=True)
class Plans:
    """K plans for B classes.

    level: [K, B] long; the first plan is the coarsest level everywhere. step_class, step_gain: [K - 1] which class
    plan k + 1 refines, and by how much a frame's expected accuracy rises.
    """

    level: np.ndarray
    step_class: np.ndarray
    step_gain: np.ndarray

    @classmethod
    def of(cls, estimates: Estimates) -> Plans:
        """All plans along the greedy order; levels above the lower convex hull of error by bytes are never used."""
        hull = efficient_levels(estimates.mean_bits_per_pixel, estimates.error)
        steps = []
        for group, difficulty in enumerate(estimates.difficulty):
            for before, after in pairwise(hull):
                gain = float(difficulty * (estimates.error[before] - estimates.error[after]))
                bits = float(estimates.mean_bits_per_pixel[after] - estimates.mean_bits_per_pixel[before])
                steps.append((-gain / bits, group, after, gain))
        steps.sort()
        level = np.full((len(steps) + 1, len(estimates.difficulty)), hull[0])
        for number, (_, group, after, _) in enumerate(steps, 1):
            level[number:, group] = after
        return cls(
            level,
            np.array([group for _, group, _, _ in steps], int),
            np.array([gain for *_, gain in steps], float),
        )


def efficient_levels(bits: np.ndarray, error: np.ndarray) -> list[int]:
    """Levels on the lower convex hull of error [J] by bits [J], the cheapest first; each is strictly better."""
    hull: list[int] = []
    for level in np.lexsort((error, bits)):
        if hull and error[level] >= error[hull[-1]] - 1e-12:
            continue
        while len(hull) > 1 and _slope(bits, error, hull[-1], level) <= _slope(
            bits, error, hull[-2], hull[-1]
        ):
            hull.pop()
        hull.append(int(level))
    return hull


def _slope(bits: np.ndarray, error: np.ndarray, left: int, right: int) -> float:
    return float((error[right] - error[left]) / (bits[right] - bits[left]))
