"""Which samples to answer on board, which to send, how much of each image, and what that costs in accuracy and seconds.

`python -m models.advise`; options are key=value: small, large (models, see models.sources), data, folder, samples,
calibration (a file written by models.calibrate; made for exactly these models or refused), compression (calibrated, or
alpha,beta,quality such as 0.35,0.55,85), attention (own: the onboard model's encoder, or clip), clip_weights,
alternatives (yes: every sample is also answered wholly on board and wholly on the ground), out (CSV, a line a sample),
and those of models.stream: onboard, ground (processors), satellites, interval_s, contact windows and rates, where
link=contact sends through the windows of one ground station instead of at all times.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from models.calibration_file import OWN, Calibration, CalibrationMismatch, load_calibration
from models.cascade import run_onboard
from models.codec import Codec, restore
from models.compressors import LOSSY, Compressor, NoCompression, Request, SpaceVerseCompressor
from models.datasets import DatasetError
from models.events import Job
from models.interface import Encoder, ModelUnavailable, VisionLanguageModel
from models.options import read_options
from models.sample import Sample, SampleError, Task, of_sample
from models.similarity import quality
from models.sources import ATTENTIONS, load_encoder, load_model, load_samples
from models.stream import Stream
from models.thresholds import KEPT
from models.workload import Workload, latency_row

CALIBRATED = "calibrated"


@dataclass(frozen=True)
class AdviseOptions(Stream):
    """See the module's text."""

    small: str = "pair-small"
    large: str = "pair-large"
    data: str = "procedural"
    folder: str = ""
    samples: int = 300
    calibration: str = "outputs/gate.safetensors"
    compression: str = CALIBRATED
    attention: str = "own"
    clip_weights: str = "openai"
    link: str = "always"
    alternatives: str = "yes"
    out: str = "outputs/advice.csv"

    def __post_init__(self) -> None:
        choices = {"attention": ATTENTIONS, "link": ("always", "contact"), "alternatives": ("yes", "no")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be {' or '.join(allowed)}")
        if self.samples < 1:
            raise ValueError("samples must be at least 1")

    def compressors(self, calibration: Calibration) -> dict[Task, SpaceVerseCompressor]:
        """The compressor of every task: as calibrated (the paper's where nothing was), or the one given."""
        if self.compression == CALIBRATED:
            return {task: calibration.compressors.get(task, SpaceVerseCompressor()) for task in Task}
        try:
            alpha, beta, quality_ = self.compression.split(",")
            given = SpaceVerseCompressor(float(alpha), float(beta), codec=Codec(LOSSY.format, int(quality_)))
        except ValueError as error:
            raise ValueError(
                f"compression is {self.compression!r}; it must be {CALIBRATED} or alpha,beta,quality ({error})"
            ) from error
        return dict.fromkeys(Task, given)


@dataclass(frozen=True)
class Advice:
    """What happened to one sample. stage KEPT (-1): answered on board, nothing sent; seconds are filled in last."""

    name: str
    stage: int
    confidence: float
    decoded_tokens: int
    sent_bytes: int
    raw_bytes: int
    answer: str
    score: float
    latency_s: float = float("nan")
    wait_s: float = float("nan")
    onboard_s: float = float("nan")
    link_s: float = float("nan")
    ground_s: float = float("nan")


@dataclass(frozen=True)
class Alternative:
    """A way to treat all samples: score, mean coded bytes per sample, and seconds (models.workload.latency_row)."""

    name: str
    score: float
    sent_bytes: float
    seconds: dict[str, float]


@dataclass(frozen=True)
class Advised:
    """Everything `advise` found out."""

    advice: list[Advice]
    ways: list[Alternative]
    errors: list[SampleError]


def advise(
    small: VisionLanguageModel,
    large: VisionLanguageModel,
    calibration: Calibration,
    compressors: dict[Task, SpaceVerseCompressor],
    samples: Sequence[Sample],
    workload: Workload,
    *,
    encoder: Encoder | None = None,
    alternatives: bool = False,
) -> Advised:
    """Algorithm 1 over samples, each in real decoding and followed through time.

    encoder       None: attention from the onboard model itself
    alternatives  also answer every sample wholly on board and wholly on the ground (from the lossless image)
    Raises CalibrationMismatch when the gate belongs to other models; a bad sample costs only itself.
    """
    chosen_for = OWN if encoder is None else encoder.fingerprint()
    calibrated = any(calibration.compressors.get(task) == one for task, one in compressors.items())
    calibration.check(small.fingerprint(), large.fingerprint(), chosen_for if calibrated else None)
    advice: list[Advice] = []
    errors: list[SampleError] = []
    used: list[Sample] = []
    jobs: list[Job] = []
    for sample in samples:
        try:
            one, job = _one(
                small, large, calibration, compressors[sample.task], sample, workload, encoder, len(used)
            )
        except SampleError as error:
            errors.append(of_sample(sample.name, error))
            continue
        advice.append(one)
        jobs.append(job)
        used.append(sample)
    if not advice:
        return Advised([], [], errors)
    latency = workload.run(jobs)
    waits = latency.wait_onboard + latency.wait_link + latency.wait_ground
    onboard = latency.vision + latency.gate + latency.prefill + latency.decode + latency.compress
    advice = [
        replace(
            one,
            latency_s=float(latency.total[i]),
            wait_s=float(waits[i]),
            onboard_s=float(onboard[i]),
            link_s=float(latency.link[i]),
            ground_s=float(latency.ground[i]),
        )
        for i, one in enumerate(advice)
    ]
    ways = [
        _way("as advised", [one.score for one in advice], [one.sent_bytes for one in advice], workload, jobs)
    ]
    if alternatives:
        ways += _ends(small, large, used, workload)
    return Advised(advice, ways, errors)


def _one(
    small: VisionLanguageModel,
    large: VisionLanguageModel,
    calibration: Calibration,
    compressor: Compressor,
    sample: Sample,
    workload: Workload,
    encoder: Encoder | None,
    number: int,
) -> tuple[Advice, Job]:
    result = run_onboard(small, calibration.gate, calibration.threshold, sample)
    answer, coded = result.answer, None
    if result.stage != KEPT:
        encoding = result.encoding if encoder is None else encoder.encode(sample.image, sample.prompt)
        data = compressor.compress(Request(sample.image, encoding))
        coded = float(len(data))
        answer = large.trace(replace(sample, image=restore(data))).answer
    decoded = len(result.steps)
    job = workload.job(
        number,
        sample,
        tokens=decoded if result.stage == KEPT else max(decoded, small.working_steps),
        decoded=decoded,
        gates=len(result.confidence),
        compressed=coded is not None,
        coded_bytes=coded,
    )
    one = Advice(
        name=sample.name,
        stage=result.stage,
        confidence=result.confidence[-1],
        decoded_tokens=decoded,
        sent_bytes=int(coded or 0),
        raw_bytes=int(sample.image.nbytes),
        answer=answer or "",
        score=quality(answer or "", sample.target, sample.task),
    )
    return one, job


def _ends(
    small: VisionLanguageModel, large: VisionLanguageModel, samples: Sequence[Sample], workload: Workload
) -> list[Alternative]:
    """Everything on board, and everything on the ground."""
    ways = []
    traces, answers = small.traces(samples)[0], large.answers(samples)
    pairs = [
        (s, t, a) for s, t, a in zip(samples, traces, answers, strict=True) if t is not None and a is not None
    ]
    kept = [
        workload.job(i, s, tokens=len(t.probability), decoded=len(t.probability))
        for i, (s, t, _) in enumerate(pairs)
    ]
    ways.append(
        _way("all on board", [quality(t.answer, s.target, s.task) for s, t, _ in pairs], [0], workload, kept)
    )
    sizes = [len(NoCompression().compress(Request(sample.image))) for sample, _, _ in pairs]
    sent = [
        workload.job(i, s, tokens=len(t.probability), decoded=0, looked=False, coded_bytes=float(size))
        for i, ((s, t, _), size) in enumerate(zip(pairs, sizes, strict=True))
    ]
    scores = [quality(a, s.target, s.task) for s, _, a in pairs]
    return [*ways, _way("all on the ground", scores, sizes, workload, sent)]


def _way(
    name: str, scores: Sequence[float], sizes: Sequence[int], workload: Workload, jobs: Sequence[Job]
) -> Alternative:
    return Alternative(name, float(np.mean(scores)), float(np.mean(sizes)), latency_row(workload.run(jobs)))


def report(advised: Advised, workload: Workload, path: Path) -> str:
    """Write one CSV line per sample and return what there is to say."""
    lines = []
    if advised.advice:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as opened:
            writer = csv.DictWriter(opened, list(asdict(advised.advice[0])))
            writer.writeheader()
            writer.writerows(asdict(row) for row in advised.advice)
        sent = np.array([row.stage != KEPT for row in advised.advice])
        early = np.array([row.stage != KEPT and row.decoded_tokens == 0 for row in advised.advice])
        lines.append(f"{len(sent)} samples, one line each in {path}")
        lines.append(
            f"sent to the ground  {sent.mean():.1%}, {early.sum() / max(1, sent.sum()):.1%} of it before decoding"
        )
        if sent.any():
            coded = sum(row.sent_bytes for row in advised.advice)
            raw = sum(row.raw_bytes for row in advised.advice if row.sent_bytes)
            lines.append(f"bytes of these      {coded} coded of {raw} raw, {raw / max(1, coded):.1f} : 1")
        lines.append(f"seconds on board    {workload.onboard.name}, {workload.onboard.source}")
        lines.append(f"seconds on ground   {workload.ground.name}, {workload.ground.source}")
        lines.append(f"{'':20s}{'score':>8s}{'bytes':>10s}{'mean s':>10s}{'median s':>10s}{'95% s':>10s}")
        for way in advised.ways:
            times = [way.seconds[f"latency_{name}_s"] for name in ("mean", "p50", "p95")]
            lines.append(
                f"{way.name:20s}{way.score:8.3f}{way.sent_bytes:10.0f}" + "".join(f"{t:10.4g}" for t in times)
            )
    return "\n".join([*lines, *(f"left out: {error}" for error in advised.errors)])


def main(words: Sequence[str]) -> None:
    try:
        options = read_options(AdviseOptions, words)
        calibration = load_calibration(Path(options.calibration))
        compressors = options.compressors(calibration)
        small, large = load_model(options.small), load_model(options.large)
        samples, errors = load_samples(options.data, options.folder, options.samples, seed=1)
        workload = options.workload(options.data, small, large, samples[:40])
        if options.link == "contact":
            workload = replace(workload, downlinks=options.contact_downlinks())
        advised = advise(
            small,
            large,
            calibration,
            compressors,
            samples,
            workload,
            encoder=load_encoder(options.attention, options.clip_weights),
            alternatives=options.alternatives == "yes",
        )
    except (ValueError, FileNotFoundError, ModelUnavailable, DatasetError, CalibrationMismatch) as error:
        raise SystemExit(f"error: {error}") from error
    print(report(replace(advised, errors=[*errors, *advised.errors]), workload, Path(options.out)))


if __name__ == "__main__":
    main(sys.argv[1:])
