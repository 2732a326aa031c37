"""Images on their way down: compressed with what the satellite knows, restored, and answered by the ground model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from models.boxes import SCALE, parse_boxes
from models.codec import restore
from models.compressors import Compressor, Request
from models.interface import Encoder, Encoding, VisionLanguageModel
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


CHUNK = 256
"""Images that are restored at a time before the ground model answers."""


@dataclass(frozen=True)
class Arrival:
    """What became of m samples behind a compressor: coded bytes, scores of the ground model's answers to the restored
    images, and the shares of these images that are black; [m] each."""

    sizes: np.ndarray
    scores: np.ndarray
    black: np.ndarray


@dataclass(frozen=True)
class Delivery:
    """The ground's side of the experiment: `large` answers what `encoder`'s attention lets through.

    encoder  None: the attention of the satellite model's own traces
    truth    pixels that matter, or None where nobody knows
    """

    large: VisionLanguageModel
    encoder: Encoder | None = None
    truth: Callable[[Sample], np.ndarray | None] = pixels_of_boxes
    _known: dict[tuple[Compressor, int], dict[int, tuple[float, float, float]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _encodings: dict[tuple[int, int], Encoding] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _records: dict[int, Record] = field(default_factory=dict, init=False, repr=False, compare=False)

    def judge(self, compressor: Compressor, test: Record, rows: np.ndarray) -> Arrival:
        """Compress, restore and answer some samples of a record.

        Remembered by sample: several figures ask the same, and nothing is coded or answered twice.
        """
        self._records[id(test)] = test  # kept, or its id might be given to another
        known = self._known.setdefault((compressor, id(test)), {})
        missing = [int(row) for row in rows if int(row) not in known]
        for start in range(0, len(missing), CHUNK):
            part = np.array(missing[start : start + CHUNK])
            sizes, images = self.compress(compressor, test, part)
            scores = self.scores([test.samples[row] for row in part], images)
            black = [1.0 - float(image.any(-1).mean()) for image in images]
            known.update(zip(part.tolist(), zip(sizes, scores, black, strict=True), strict=True))
        return Arrival(*np.array([known[int(row)] for row in rows]).T)

    def compress(
        self, compressor: Compressor, test: Record, rows: np.ndarray
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Coded bytes [m] and restored images of some samples.

        Prompts about one image share what a compressor makes of it where no prompt changes that, and the ground model
        then encodes it once as well.
        """
        sizes, images = [], []
        made: dict[int, tuple[int, np.ndarray]] = {}  # id of an image -> bytes and the restored image
        for row in rows:
            sample = test.samples[row]
            found = made.get(id(sample.image)) if compressor.image_alone else None
            if found is None:
                encoding = None if compressor.image_alone else self._encoding(test, int(row))
                relevant = self.truth(sample) if compressor.needs_truth else None
                data = compressor.compress(Request(sample.image, encoding, relevant, seed=int(row)))
                found = made[id(sample.image)] = len(data), restore(data)
            sizes.append(found[0])
            images.append(found[1])
        return np.array(sizes, dtype=float), images

    def _encoding(self, test: Record, row: int) -> Encoding:
        """What attention reads; an encoder of its own looks at every sample once."""
        if self.encoder is None:
            return test.traces[row].encoding
        sample, key = test.samples[row], (id(test), row)
        if key not in self._encodings:
            self._records[id(test)] = test
            self._encodings[key] = self.encoder.encode(sample.image, sample.prompt).in_the_plane()
        return self._encodings[key]

    def scores(self, samples: Sequence[Sample], images: Sequence[np.ndarray]) -> np.ndarray:
        """Scores of the ground model on images as they arrived, [n]."""
        arrived = [replace(s, image=image) for s, image in zip(samples, images, strict=True)]
        answers = self.large.answers(arrived)
        return np.array([quality(a or "", s.target, s.task) for a, s in zip(answers, samples, strict=True)])

    def knows_truth(self, test: Record, rows: np.ndarray) -> bool:
        """Whether the pixels that matter are known of all these samples."""
        return all(self.truth(test.samples[row]) is not None for row in rows)
