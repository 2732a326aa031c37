"""How long a model takes on a processor: estimated from its size, or measured on this machine.

Both kinds answer the same question, the seconds of the three phases of one sample: vision, prefill, and each token.
"""

from __future__ import annotations

import statistics
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from models.devices import (
    DEVICES,
    MODEL_SIZES,
    Device,
    ModelSize,
    NetworkCost,
    PhaseTimes,
    phase_times,
    qwen_image_tokens,
)
from models.interface import VisionLanguageModel
from models.sample import Sample, SampleError, check_sample

PROMPT_TOKENS = 20  # of a typical prompt, chosen
THIS_MACHINE = "this-machine"
AUTO = "auto"


class Timing(ABC):
    """Seconds of a model on a processor. `source` says where they come from: estimated or measured."""

    name: str
    source: str

    @abstractmethod
    def phases(self, height: int, width: int, token_share: float = 1.0) -> PhaseTimes:
        """Times for an image of this size in pixels; token_share < 1: image tokens pruned before the language model."""

    def answer_s(self, height: int, width: int, tokens: float, token_share: float = 1.0) -> float:
        """Seconds of a whole answer of so many tokens."""
        times = self.phases(height, width, token_share)
        return times.vision_s + times.prefill_s + tokens * times.decode_token_s


@dataclass(frozen=True)
class RooflineTiming(Timing):
    """The roofline estimate of models.devices for a model of Qwen2-VL's kind."""

    device: Device
    model: ModelSize
    prompt_tokens: int = PROMPT_TOKENS
    source: str = "estimated"

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.model.name} on {self.device.name}"

    @lru_cache(maxsize=4096)  # noqa: B019 (immutable, a handful of instances)
    def phases(self, height: int, width: int, token_share: float = 1.0) -> PhaseTimes:
        tokens = qwen_image_tokens(height, width)
        full = phase_times(self.device, self.model, tokens, self.prompt_tokens)
        if token_share == 1.0:
            return full
        pruned = phase_times(self.device, self.model, int(tokens * token_share), self.prompt_tokens)
        return PhaseTimes(full.vision_s, pruned.prefill_s, full.decode_token_s)


@dataclass(frozen=True)
class ClassifierTiming(Timing):
    """The roofline estimate of a classifier, whose one token is its class: everything is its vision."""

    device: Device
    cost: NetworkCost
    source: str = "estimated"

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.cost.name} on {self.device.name}"

    def phases(self, height: int, width: int, token_share: float = 1.0) -> PhaseTimes:
        moved = self.cost.weights * self.cost.bytes_per_weight
        return PhaseTimes(self.device.phase_s(self.cost.operations, moved), 0.0, self.device.overhead_s)


@dataclass(frozen=True)
class MeasuredTiming(Timing):
    """Medians measured with `measure`, held for every image: the samples measured stand for all."""

    name: str
    times: PhaseTimes
    source: str = "measured"

    def phases(self, height: int, width: int, token_share: float = 1.0) -> PhaseTimes:
        times = self.times
        return PhaseTimes(times.vision_s, times.prefill_s * token_share, times.decode_token_s)


def median_s(work: Callable[[], object], repeats: int = 5) -> float:
    """Median wall time of one call after a first, unmeasured one."""
    work()
    spans = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        spans.append(time.perf_counter() - begin)
    return statistics.median(spans)


@torch.no_grad()
def measure(model: VisionLanguageModel, samples: Sequence[Sample]) -> MeasuredTiming:
    """Run `model` on some samples on this machine and take the median of every phase.

    The first token comes after the prefill; a model of one token (a classifier) has none. Samples that cannot be used
    are passed over; ValueError when none is left.
    """
    vision, first, later = [], [], []
    for sample in [*samples[:1], *samples]:  # the first one twice: what is loaded late is not counted
        try:
            check_sample(sample)
            begin = time.perf_counter()
            encoding = model.encode(sample.image, sample.prompt)
            vision.append(time.perf_counter() - begin)
        except SampleError:
            continue
        begin = time.perf_counter()
        for number, _ in enumerate(model.decode(encoding)):
            (later if number else first).append(time.perf_counter() - begin)
            begin = time.perf_counter()
    if not vision or not first:
        raise ValueError(f"{model.name} answered none of the samples it was to be timed on")
    skip = 1 if len(vision) > 1 else 0
    step = statistics.median(later) if later else statistics.median(first[skip:] or first)
    prefill = max(0.0, statistics.median(first[skip:] or first) - step)
    times = PhaseTimes(statistics.median(vision[skip:] or vision), prefill, step)
    return MeasuredTiming(f"{model.name} on this machine", times)


def timing_named(
    name: str, size: str, model: VisionLanguageModel, samples: Sequence[Sample], *, stand_in: str
) -> Timing:
    """The timing that a command line names.

    name      this-machine: `model` is measured on `samples`; or a device of models.devices, whose seconds are estimated
    size      for which model: auto is `model` itself, or `stand_in` if it stands for a larger one; or a known size
    ValueError names what is known.
    """
    if name == THIS_MACHINE:
        return measure(model, samples)
    if name not in DEVICES:
        raise ValueError(f"device {name!r} is unknown; use {THIS_MACHINE}, {', '.join(DEVICES)}")
    if size != AUTO and size not in MODEL_SIZES:
        raise ValueError(f"model size {size!r} is unknown; use {AUTO}, {', '.join(MODEL_SIZES)}")
    cost = model.cost() if size == AUTO else None
    if isinstance(cost, NetworkCost):
        return ClassifierTiming(DEVICES[name], cost)
    if cost is None:
        cost = MODEL_SIZES[stand_in if size == AUTO else size]
    timing = RooflineTiming(DEVICES[name], cost)
    timing.phases(256, 256)  # too large for the device is said now, not after an hour
    return timing
