"""From confidences to decisions: which stage offloads which sample, and the thresholds for a wanted share."""

from __future__ import annotations

import numpy as np

KEPT = -1


def decide(confidence: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Stage at which each sample is offloaded, KEPT (-1) for none: [n, I] and [I] -> [n].

    The rule of section 3.1.3: the first stage whose confidence is below its threshold stops the onboard model.
    """
    below = confidence < np.asarray(threshold)[None]
    return np.where(below.any(1), below.argmax(1), KEPT)


def thresholds_for_share(confidence: np.ndarray, share: float, early: float = 0.55) -> np.ndarray:
    """Thresholds [I] that offload `share` of these samples, the part `early` of them before the last stage.

    The early part is spread evenly over the stages before the last, each taking those it trusts least among the
    samples that have come so far. Raises ValueError when share or early is not in [0, 1].
    """
    for name, value in (("share", share), ("early", early)):
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} is {value}; it must lie in 0..1")
    number, stages = confidence.shape
    wanted = round(share * number)
    remaining = np.arange(number)
    threshold = np.zeros(stages)
    offloaded = 0
    for stage in range(stages):
        last = stage == stages - 1
        goal = wanted if last else round(wanted * early * (stage + 1) / (stages - 1))
        take = goal - offloaded
        values = np.sort(confidence[remaining, stage])
        threshold[stage] = _between(values, take)
        gone = confidence[remaining, stage] < threshold[stage]
        offloaded += int(gone.sum())
        remaining = remaining[~gone]
    return threshold


def would_send(confidence: np.ndarray, share: float, early: float = 0.55) -> np.ndarray:
    """Which of these samples a gate sends at an offloaded share, [n] bool; none whose confidences [n, I] are NaN."""
    sent = np.zeros(len(confidence), bool)
    known = ~np.isnan(confidence).any(1)
    part = confidence[known]
    sent[known] = decide(part, thresholds_for_share(part, share, early)) != KEPT
    return sent


def _between(ascending: np.ndarray, take: int) -> float:
    """A value with exactly `take` entries below it (ties may make that impossible; then as near as they allow)."""
    if take <= 0:
        return 0.0 if len(ascending) == 0 else min(0.0, float(ascending[0]))
    if take >= len(ascending):
        return float(np.nextafter(max(1.0, ascending[-1] if len(ascending) else 1.0), 2.0))
    return float((ascending[take - 1] + ascending[take]) / 2)
