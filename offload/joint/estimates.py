"""What is expected of a frame before anybody has answered it, learned from frames that are not being decided.

On board nobody knows whether an answer will be right. Known are the gate's confidence c and the coding level j; from
profiled frames with answers follow, for B classes of confidence (one class where there is no gate),

    onboard accuracy   s_b         rises with confidence
    accuracy at level  1 - e_j r_b    e_j: error at level j, falls with quality; r_b: difficulty, falls with confidence

The product needs J + B figures instead of J B, so that a hundred frames a class do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression

from envs.config import require
from models.profile_file import EITHER, Coding, Profile

LEAST_DIFFICULTY = 0.01
"""r_b of a class without errors: some of its frames will be mistaken elsewhere."""


@dataclass(frozen=True)
class Estimates:
    """Expectations by class of confidence and level.

    edges: [B - 1] confidences between the classes, ascending. onboard: [B], s_b. error: [J], e_j. difficulty: [B], r_b.
    mean_bits_per_pixel: [J] of the coded frames.
    """

    edges: np.ndarray
    onboard: np.ndarray
    error: np.ndarray
    difficulty: np.ndarray
    mean_bits_per_pixel: np.ndarray

    @classmethod
    def fit(cls, profile: Profile, coding: str, classes: int) -> Estimates:
        """From the frames of `profile`, coded as `coding`; `classes` of confidence, equally full, fewer where it ties.

        Raises ConfigError when there are fewer than 20 frames a class.
        """
        require(
            classes >= 1 and len(profile) >= 20 * classes,
            "joint.classes",
            classes,
            f"1 to {len(profile) // 20}: {len(profile)} frames, at least 20 in each class",
        )
        confidence = profile.confidence[:, 0]
        edges = np.unique(np.quantile(confidence, np.arange(1, classes) / classes))
        group = np.searchsorted(edges, confidence, side="right")  # [N] in 0..B-1
        count = np.bincount(group, minlength=len(edges) + 1)
        coded = profile.coded(coding)
        wrong = 1.0 - coded.score  # [N, J]
        ladders = profile.codings.values() if coding == EITHER else (coded,)
        level_error = np.concatenate([_errors(ladder) for ladder in ladders])
        by_class = np.bincount(group, wrong.mean(1), minlength=len(count)) / np.maximum(count, 1)
        difficulty = _monotone(by_class / max(float(wrong.mean()), 1e-9), count, rising=False)
        onboard = np.bincount(group, profile.small_score, minlength=len(count)) / np.maximum(count, 1)
        difficulty = np.clip(difficulty, LEAST_DIFFICULTY, 1.0 / max(float(level_error.max()), 1e-9))
        return cls(
            edges=edges,
            onboard=_monotone(onboard, count, rising=True),
            error=level_error,
            difficulty=difficulty,
            mean_bits_per_pixel=8.0 * coded.coded_bytes.sum(0) / profile.pixels.sum(),
        )

    def received(self, level: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Expected accuracy of the large model on frames of `group` at `level`; the arguments broadcast."""
        return 1.0 - self.error[level] * self.difficulty[group]


def _errors(ladder: Coding) -> np.ndarray:
    """[J] share of frames answered wrongly at each level, which does not rise from the coarsest to the finest."""
    wrong = 1.0 - ladder.score.mean(0)
    return _monotone(wrong, np.ones(len(wrong)), rising=False)


def _monotone(values: np.ndarray, weights: np.ndarray, *, rising: bool) -> np.ndarray:
    place = np.arange(len(values))
    return IsotonicRegression(increasing=rising).fit(place, values, weights).predict(place)
