"""What both models said about a set of samples: the table every cascade is fitted and judged on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor

from models.gate import image_features
from models.interface import Trace, VisionLanguageModel
from models.sample import Sample, SampleError, Task
from models.similarity import quality


@dataclass(frozen=True)
class Record:
    """n samples with both models' outputs.

    traces        the satellite model's whole generations
    large_answer  the ground model's answers to the untouched images
    small_score, large_score  [n] Simi against the truth
    large_sure    [n] mean token probability of the ground model
    agreement     [n] similarity of the two outputs, the gate's target
    """

    samples: list[Sample]
    traces: list[Trace]
    large_answer: list[str]
    small_score: np.ndarray
    large_score: np.ndarray
    large_sure: np.ndarray
    agreement: np.ndarray

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def image_features(self) -> list[Tensor]:
        """What gates see before decoding, one tensor a sample; computed once for all gates."""
        return [image_features(trace.encoding, prompt_aware=True) for trace in self.traces]

    @property
    def tokens(self) -> np.ndarray:
        """Tokens of the satellite model's whole answers, [n]."""
        return np.array([len(trace.probability) for trace in self.traces])

    def select(self, rows: np.ndarray) -> Record:
        """The samples of some rows."""
        pick = [int(row) for row in rows]
        return Record(
            [self.samples[row] for row in pick],
            [self.traces[row] for row in pick],
            [self.large_answer[row] for row in pick],
            self.small_score[rows],
            self.large_score[rows],
            self.large_sure[rows],
            self.agreement[rows],
        )

    def rows_of(self, task: Task) -> np.ndarray:
        """Rows of the samples of one task."""
        return np.array([i for i, sample in enumerate(self.samples) if sample.task is task], dtype=int)

    def of_task(self, task: Task) -> Record:
        """The samples of one task."""
        return self.select(self.rows_of(task))


def record(
    small: VisionLanguageModel, large: VisionLanguageModel, samples: Sequence[Sample]
) -> tuple[Record, list[SampleError]]:
    """Run both models. Samples that either cannot use are left out and reported."""
    traces, errors = small.traces(samples)
    replies, more = large.replies(samples)
    rows = [
        i for i, (a, b) in enumerate(zip(traces, replies, strict=True)) if a is not None and b is not None
    ]
    kept = [samples[i] for i in rows]
    ours = [trace for i in rows if (trace := traces[i]) is not None]
    theirs = [reply for i in rows if (reply := replies[i]) is not None]
    answers = [reply.answer for reply in theirs]
    return Record(
        samples=kept,
        traces=ours,
        large_answer=answers,
        small_score=np.array([quality(t.answer, s.target, s.task) for t, s in zip(ours, kept, strict=True)]),
        large_score=np.array([quality(a, s.target, s.task) for a, s in zip(answers, kept, strict=True)]),
        large_sure=np.array(
            [float(reply.probability.mean()) if len(reply.probability) else 1.0 for reply in theirs]
        ),
        agreement=np.array(
            [small.similarity(t.answer, a, s.task) for t, a, s in zip(ours, answers, kept, strict=True)]
        ),
    ), [*errors, *more]
