"""The small interface behind which every vision-language model stands.

A model encodes an image and a prompt, then yields its output one step at a time. The decoding loop is a Python
generator: whoever iterates may look at hidden states and probabilities after each step and simply stop, and the
model then spends nothing on the tokens nobody asked for. That is all a progressive confidence gate needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.devices import ModelSize, NetworkCost
from models.sample import Sample, SampleError, Task, check_sample, of_sample
from models.similarity import similarity


class ModelUnavailable(RuntimeError):
    """A model was asked for and cannot be had (weights, package or network missing). Nothing replaces it."""


@dataclass(frozen=True)
class Encoding:
    """What a model knows of a sample before it decodes.

    image   [N_V, D] the visual encoder's tokens V(x), row-major over `grid`
    prompt  [N_E, D] the prompt's tokens E(T) in the same space
    content [N_E] bool, which prompt tokens name something that can be seen; eq. (2) looks for those
    grid    rows and columns of the image tokens
    state   whatever the model's own decoder needs; opaque to everybody else
    """

    image: Tensor
    prompt: Tensor
    content: Tensor
    grid: tuple[int, int]
    state: object = None

    @cached_property
    def attended(self) -> Tensor:
        """Sum over the prompt's tokens of their cosines with each image token, [rows, columns]: eq. (2) of one token.

        Prompt tokens without visible content (function words, padding) are left out; where none has any, all are used.
        Kept, because every compressor that is tried on a sample asks for it.
        """
        prompt = self.prompt[self.content] if bool(self.content.any()) else self.prompt
        towards = F.normalize(prompt.float(), dim=-1).sum(0)  # [D]
        return (F.normalize(self.image.float(), dim=-1) @ towards).view(self.grid)

    def in_the_plane(self) -> Encoding:
        """An encoding of two dimensions with the same `attended`: all that compressors need, in little memory.

        Each image token keeps its mean cosine with the words as its cosine with the first axis, where all words lie.
        """
        words = int(self.content.sum()) or len(self.content)
        along = (self.attended.flatten() / words).clamp(-1.0, 1.0)
        image = torch.stack([along, (1.0 - along**2).sqrt()], -1)
        prompt = torch.tensor([[1.0, 0.0]]).expand(words, 2)
        return Encoding(image, prompt, torch.ones(words, dtype=torch.bool), self.grid)


@dataclass(frozen=True)
class Step:
    """One generated token: its text, the hidden state [H] it was read from and its probability."""

    text: str
    hidden: Tensor
    probability: float


@dataclass(frozen=True)
class Trace:
    """A whole generation: what every consumer downstream (gates, baselines, experiments) reads.

    encoding     what was known before decoding (its decoder state is dropped)
    hidden       [S, H] hidden state per step
    probability  [S] probability of each chosen token
    answer       the output's text
    """

    encoding: Encoding
    hidden: Tensor
    probability: Tensor
    answer: str


class Encoder(Protocol):
    """Anything that puts image patches and prompt tokens into one space: every model here, and CLIP."""

    def encode(self, image: np.ndarray, prompt: str) -> Encoding: ...

    def fingerprint(self) -> str: ...


class VisionLanguageModel(ABC):
    """An image and a prompt in, text out, step by step."""

    name: str

    @abstractmethod
    def encode(self, image: np.ndarray, prompt: str) -> Encoding:
        """Image features and prompt features, before any decoding. Raises SampleError on what it cannot read."""

    @abstractmethod
    def decode(self, encoding: Encoding) -> Iterator[Step]:
        """Yield the output token by token; stop iterating to stop the model."""

    @abstractmethod
    def answer(self, steps: Sequence[Step]) -> str:
        """The answer that a sequence of steps amounts to."""

    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of the weights, so that calibrated thresholds know the model they belong to."""

    @property
    def working_steps(self) -> int:
        """Typical number of generated tokens per answer (for reports; decoding itself has no such limit)."""
        return 16

    def cost(self) -> ModelSize | NetworkCost | None:
        """What the model asks of a device; None: it stands for a larger one (the built-in pair)."""
        return None

    def similarity(self, left: str, right: str, task: Task) -> float:
        """How alike two outputs are, in [0, 1]; see models.similarity."""
        return similarity(left, right, task)

    @torch.no_grad()
    def trace(self, sample: Sample) -> Trace:
        """Run one sample to its end."""
        check_sample(sample)
        encoding = self.encode(sample.image, sample.prompt)
        return finish_trace(self, encoding, list(self.decode(encoding)))

    def traces(self, samples: Sequence[Sample]) -> tuple[list[Trace | None], list[SampleError]]:
        """Run many samples. A sample that cannot be used gives None in its place and its error in the report."""
        traces: list[Trace | None] = []
        errors: list[SampleError] = []
        for sample in samples:
            try:
                traces.append(self.trace(sample))
            except SampleError as error:
                traces.append(None)
                errors.append(of_sample(sample.name, error))
        return traces, errors

    def replies(self, samples: Sequence[Sample]) -> tuple[list[Trace | None], list[SampleError]]:
        """Like `traces`, but the image tokens may be left out: for models whose answers alone are wanted."""
        return self.traces(samples)

    def answers(self, samples: Sequence[Sample]) -> list[str | None]:
        """Only the answers of many samples, None for those that cannot be used."""
        return [trace.answer if trace else None for trace in self.replies(samples)[0]]


def finish_trace(model: VisionLanguageModel, encoding: Encoding, steps: Sequence[Step]) -> Trace:
    """Pack an encoding and the steps made from it."""
    width = encoding.image.shape[-1]
    hidden = torch.stack([step.hidden for step in steps]) if steps else torch.zeros(0, width)
    return Trace(
        encoding=replace(encoding, state=None),
        hidden=hidden,
        probability=torch.tensor([step.probability for step in steps]),
        answer=model.answer(steps),
    )
