"""Images on their way down: compressed with what the satellite knows, restored, and answered by the ground model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.boxes import SCALE, parse_boxes
from models.codec import restore
from models.compressors import Compressor, Request
from models.interface import Encoder, VisionLanguageModel
from models.procedural import relevant_pixels
from models.record import Record
from models.sample import Sample, Task
from models.similarity import quality
from models.sources import PROCEDURAL


def pixels_of_boxes(sample: Sample) -> np.ndarray | None:
    """Pixels [h, w] bool that the target boxes cover; None where the target is no boxes."""
    if sample.task is not Task.BOXES:
        return None
    height, width = sample.image.shape[:2]
    relevant = np.zeros((height, width), bool)
    for x0, y0, x1, y1 in parse_boxes(sample.target) / SCALE:
        top, left = int(y0 * height), int(x0 * width)
        relevant[top : max(top + 1, round(y1 * height)), left : max(left + 1, round(x1 * width))] = True
    return relevant


TRUTH: dict[str, Callable[[Sample], np.ndarray | None]] = {PROCEDURAL: relevant_pixels}
"""Data set -> which pixels matter, known to the ideal compressor alone; for other sets the target boxes say it."""


@dataclass(frozen=True)
class Delivery:
    """The ground's side of the experiment: `large` answers what `encoder`'s attention lets through.

    encoder  None: the attention of the satellite model's own traces
    truth    pixels that matter, or None where nobody knows
    """

    large: VisionLanguageModel
    encoder: Encoder | None = None
    truth: Callable[[Sample], np.ndarray | None] = pixels_of_boxes

    def compress(
        self, compressor: Compressor, test: Record, rows: np.ndarray
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Coded bytes [m] and restored images of some samples."""
        sizes, images = [], []
        for row in rows:
            sample = test.samples[row]
            own = test.traces[row].encoding
            encoding = own if self.encoder is None else self.encoder.encode(sample.image, sample.prompt)
            relevant = self.truth(sample) if compressor.needs_truth else None
            data = compressor.compress(Request(sample.image, encoding, relevant, seed=int(row)))
            sizes.append(len(data))
            images.append(restore(data))
        return np.array(sizes, dtype=float), images

    def scores(self, samples: Sequence[Sample], images: Sequence[np.ndarray]) -> np.ndarray:
        """Scores of the ground model on images as they arrived, [n]."""
        arrived = [replace(s, image=image) for s, image in zip(samples, images, strict=True)]
        answers = self.large.answers(arrived)
        return np.array([quality(a or "", s.target, s.task) for a, s in zip(answers, samples, strict=True)])

    def knows_truth(self, test: Record, rows: np.ndarray) -> bool:
        """Whether the pixels that matter are known of all these samples."""
        return all(self.truth(test.samples[row]) is not None for row in rows)
