"""How hard to compress: region thresholds and codec quality chosen together, on samples with known answers.

What is compressed is what a gate sends, and that is the hard samples: the large model is less sure of them as well, and
they bear less. The choice is therefore made on the training samples that the gate would send.

Eq. (3) leaves alpha and beta open and the codec's quality is a third knob; each alone is wasteful. The choice is the
setting of fewest bytes whose relative loss of accuracy, plus one standard error of that loss, stays within a target: a
setting must not win by luck.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from models.codec import Codec
from models.compressors import LOSSY, SpaceVerseCompressor
from models.delivery import Arrival
from models.record import Record
from models.sample import Task

REGIONS = ((0.0, 0.0), (0.35, 0.55), (0.55, 0.7), (0.5, 0.5), (0.7, 0.7))
"""Pairs (alpha, beta) that are tried: the whole image, the paper's, one harder, and two that coarsen nothing."""
QUALITIES = (85, 75, 60, 45, 30, 20, 12)
MOST_SAMPLES = 200  # per task, on which every setting is tried, chosen
LEAST_SAMPLES = 100  # per task; where fewer would be sent, the next doubtful ones are tried as well

FIRST_SAMPLES = 50  # a setting that is hopeless on these is not tried on the others
HOPELESS = 2.0  # standard errors by which the loss on the first samples is above the target

Judge = Callable[[SpaceVerseCompressor, int], tuple[np.ndarray, np.ndarray]]
"""Coded bytes [n] and the ground model's scores [n] on the first n samples, which a compressor has passed."""
Deliver = Callable[[SpaceVerseCompressor, Record, np.ndarray], Arrival]
"""What becomes of some rows of a record: `Delivery.judge`."""


@dataclass(frozen=True)
class Choice:
    """The chosen compressor and what it did on the samples it was chosen on.

    loss, error  relative loss of accuracy and its standard error
    coded_bytes  mean per sample
    met          whether any setting stayed within the target; if not, the gentlest one is chosen
    samples      how many it was chosen on
    """

    compressor: SpaceVerseCompressor
    loss: float
    error: float
    coded_bytes: float
    met: bool
    samples: int


def relative_loss(scores: np.ndarray, full: np.ndarray) -> tuple[float, float]:
    """Relative loss against the scores on untouched images [n] and its paired standard error; 0 for a score of 0."""
    reference = float(full.mean())
    if reference == 0.0:
        return 0.0, 0.0
    difference = (full - scores) / reference
    return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))


def choose_compressor(
    judge: Judge,
    full: np.ndarray,
    target_loss: float,
    regions: Sequence[tuple[float, float]] = REGIONS,
    qualities: Sequence[int] = QUALITIES,
) -> Choice:
    """Search the settings, for every pair of thresholds from the best quality down until the loss is too high.

    full [n]: the ground model's scores on untouched images. ValueError with fewer than two samples.
    """
    if len(full) < 2:
        raise ValueError(f"{len(full)} samples are too few to choose a compression; give at least 2")
    found: list[Choice] = []
    for alpha, beta in regions:
        for quality in sorted(qualities, reverse=True):
            compressor = SpaceVerseCompressor(alpha, beta, codec=Codec(LOSSY.format, quality))
            choice = _judged(compressor, judge, full, target_loss)
            if not choice.met:
                break
            found.append(choice)
    if found:
        return min(found, key=lambda choice: choice.coded_bytes)
    return _judged(SpaceVerseCompressor(0.0, 0.0, codec=LOSSY), judge, full, target_loss)


def _judged(compressor: SpaceVerseCompressor, judge: Judge, full: np.ndarray, target_loss: float) -> Choice:
    number = min(FIRST_SAMPLES, len(full))
    sizes, scores = judge(compressor, number)
    loss, error = relative_loss(scores, full[:number])
    if loss - HOPELESS * error <= target_loss:
        sizes, scores = judge(compressor, len(full))
        loss, error = relative_loss(scores, full)
    return Choice(compressor, loss, error, float(sizes.mean()), loss + error <= target_loss, len(full))


def rows_to_judge(rows: np.ndarray, sent: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Of the rows of one task those that the gate would send: at most MOST_SAMPLES, and where there are fewer than
    LEAST_SAMPLES the next doubtful ones as well.

    sent, confidence [n]: of all samples of the record, whether they are sent and the gate's last word on them.
    """
    chosen, others = rows[sent[rows]], rows[~sent[rows]]
    missing = max(0, LEAST_SAMPLES - len(chosen))
    doubtful = others[np.argsort(confidence[others], kind="stable")][:missing]  # NaN comes last
    return np.sort(np.concatenate([chosen[:MOST_SAMPLES], doubtful]))


def choose_per_task(
    train: Record, deliver: Deliver, target_loss: float, sent: np.ndarray, confidence: np.ndarray
) -> dict[Task, Choice]:
    """A choice for every task of a record, on the samples that the gate would send (see `rows_to_judge`).

    The loss is relative to the large model's accuracy on the same samples, untouched.
    """
    chosen: dict[Task, Choice] = {}
    for task in Task:
        rows = rows_to_judge(train.rows_of(task), sent, confidence)
        if len(rows) < 2:
            continue

        def judge(
            compressor: SpaceVerseCompressor, number: int, rows: np.ndarray = rows
        ) -> tuple[np.ndarray, np.ndarray]:
            arrived = deliver(compressor, train, rows[:number])
            return arrived.sizes, arrived.scores

        chosen[task] = choose_compressor(judge, train.large_score[rows], target_loss)
    return chosen
