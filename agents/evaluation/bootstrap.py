"""How sure a ratio of mean delays is: the paired bootstrap over worlds, and over trainings where there are several."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_RESAMPLES = 4000


class Interval(NamedTuple):
    """A two-sided interval."""

    low: float
    high: float


def ratio_interval(
    values: np.ndarray, reference: np.ndarray, *, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """Percentile bootstrap interval of mean(values) / mean(reference) over worlds, and trainings if several.

    values, reference: [E] sums over the same worlds, or [S, E] of S trainings on the same E worlds. A world is drawn
    with both its values, so that what makes a world hard cancels (Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993, chapters 8 and 13). Trainings and worlds are crossed: each is drawn on its own. Few trainings make
    the interval too narrow: with 3 it misses what a fourth might bring.
    """
    values, reference = np.atleast_2d(values), np.atleast_2d(reference)  # [S or 1, E]
    n_trainings, n_worlds = np.broadcast_shapes(values.shape, reference.shape)
    generator = np.random.default_rng(seed)
    times_drawn = generator.multinomial(n_worlds, np.full(n_worlds, 1 / n_worlds), size=_RESAMPLES)  # [R, E]
    if n_trainings == 1:
        ratios = (times_drawn @ values[0]) / (times_drawn @ reference[0])
    else:
        drawn = generator.multinomial(
            n_trainings, np.full(n_trainings, 1 / n_trainings), size=_RESAMPLES
        )  # [R, S]
        above, below = (
            (times_drawn * (drawn @ np.broadcast_to(x, (n_trainings, n_worlds)))).sum(1)
            for x in (values, reference)
        )
        ratios = above / below
    tail = (1 - confidence) / 2
    return Interval(*(float(bound) for bound in np.quantile(ratios, (tail, 1 - tail))))
