"""What a sample costs in seconds, driven by what the cascade did with it.

Time belongs to a pair of processors and models (`models.timing`). For procedural scenes the built-in pair decides and
is scored, while the seconds are those of large models on frames of the size that the task's real data set has; two
measured quantities are carried over: the share of an answer's tokens decoded before a decision, and coded bits per
pixel. With `own_frames` the samples' own sizes and answers count instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.devices import DEVICES, MODEL_SIZES
from models.events import Job, Latency, simulate
from models.link import DEFAULT_RATE_MBPS, Downlink
from models.sample import Sample, Task
from models.timing import RooflineTiming, Timing

# RSVQA-LR and RESISC45 as published; DOTA holds 800 to 20000 px, 4000 is a typical scene (chosen). Models see at most
# 1280 image tokens of it, which is what their largest-image setting allows.
FRAME_PX = {Task.QUESTION: 256, Task.SCENE: 256, Task.BOXES: 4000}
PAPER_ONBOARD = RooflineTiming(DEVICES["xavier"], MODEL_SIZES["qwen2-vl-2b"])
PAPER_GROUND = RooflineTiming(DEVICES["rtx3090"], MODEL_SIZES["qwen2-vl-7b"])


@dataclass(frozen=True)
class Workload:
    """Processors, models and the stream of samples.

    own_frames     whether samples keep their own size and answer length, instead of FRAME_PX and answer_tokens
    answer_tokens  of the large models' typical answer
    gate_s, compress_s  onboard seconds of one gate evaluation and one compression
    interval_s     time between two samples of one satellite
    downlinks      one per satellite; None: permanent contact at DEFAULT_RATE_MBPS
    """

    onboard: Timing = PAPER_ONBOARD
    ground: Timing = PAPER_GROUND
    own_frames: bool = False
    answer_tokens: int = 16
    gate_s: float = 0.002
    compress_s: float = 0.010
    satellites: int = 10
    ground_servers: int = 8
    interval_s: float = 20.0
    downlinks: tuple[Downlink, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("answer_tokens", "satellites", "ground_servers", "interval_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"workload.{name} is {getattr(self, name)}; it must be above 0")
        if self.downlinks is not None and len(self.downlinks) != self.satellites:
            raise ValueError(
                f"workload.downlinks has {len(self.downlinks)} entries for {self.satellites} satellites"
            )

    def frame(self, sample: Sample) -> tuple[int, int]:
        """Height and width in pixels of the frame that is timed."""
        if self.own_frames:
            return sample.image.shape[0], sample.image.shape[1]
        return FRAME_PX[sample.task], FRAME_PX[sample.task]

    def answer_length(self, tokens: int) -> int:
        """Tokens of an onboard answer that had `tokens`."""
        return max(1, tokens) if self.own_frames else self.answer_tokens

    def frame_bytes(self, sample: Sample, coded: float) -> float:
        """Bytes of the timed frame, coded with as many bits per pixel as the sample took."""
        height, width = self.frame(sample)
        return coded * height * width / (sample.image.shape[0] * sample.image.shape[1])

    def raw_bytes(self, sample: Sample) -> float:
        """Bytes of the uncoded RGB frame."""
        height, width = self.frame(sample)
        return 3.0 * height * width

    def raw_link_s(self, sample: Sample) -> float:
        """Seconds to send the uncoded frame in contact at the default rate."""
        return self.raw_bytes(sample) * 8e-6 / DEFAULT_RATE_MBPS

    def ground_s(self, sample: Sample, tokens: int, token_share: float = 1.0) -> float:
        """Seconds of the ground model for an answer of `tokens`."""
        return self.ground.answer_s(*self.frame(sample), self.answer_length(tokens), token_share)

    def onboard_s(self, sample: Sample, tokens: int) -> float:
        """Seconds of a whole onboard answer of `tokens`."""
        return self.onboard.answer_s(*self.frame(sample), self.answer_length(tokens))

    def job(
        self,
        number: int,
        sample: Sample,
        *,
        tokens: int,
        decoded: int,
        looked: bool = True,
        gates: int = 0,
        compressed: bool = False,
        coded_bytes: float | None = None,
        token_share: float = 1.0,
    ) -> Job:
        """The demands of sample `number` of the stream.

        tokens   of the whole onboard answer;  decoded  those decoded before the decision (0: no prefill either)
        looked   whether the onboard vision tower ran at all
        gates    gate evaluations;  coded_bytes None: answered on board
        """
        times = self.onboard.phases(*self.frame(sample))
        share = decoded / max(1, tokens)
        sent = coded_bytes is not None
        return Job(
            arrival_s=(number // self.satellites) * self.interval_s,
            satellite=number % self.satellites,
            vision_s=times.vision_s if looked else 0.0,
            gate_s=gates * self.gate_s,
            prefill_s=times.prefill_s if decoded else 0.0,
            decode_s=share * self.answer_length(tokens) * times.decode_token_s,
            compress_s=self.compress_s if compressed else 0.0,
            size_bytes=self.frame_bytes(sample, coded_bytes) if coded_bytes is not None else None,
            ground_s=self.ground_s(sample, tokens, token_share) if sent else 0.0,
        )

    def run(self, jobs: Sequence[Job]) -> Latency:
        """Follow the jobs through time."""
        links = [Downlink.always()] * self.satellites if self.downlinks is None else list(self.downlinks)
        return simulate(jobs, links, self.ground_servers)


def latency_row(latency: Latency) -> dict[str, float]:
    """Mean, median and 95th percentile of the whole, and the mean of every part, in seconds."""
    return {
        "latency_mean_s": float(latency.total.mean()),
        "latency_p50_s": float(np.quantile(latency.total, 0.5)),
        "latency_p95_s": float(np.quantile(latency.total, 0.95)),
        **{f"{name}_s": seconds for name, seconds in latency.means().items()},
    }
