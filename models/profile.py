"""Measure frames once, so that decisions need only look things up: `python -m models.profile`.

Of every frame: the gate's confidence, whether the onboard answer is right, and for each level of each ladder of
`models.profile_levels` its coded bytes and whether the large model is right about the decoded image; seconds on the
device profiles. Options are key=value: small, large (models, see models.sources), data, folder, task (question, scene
or boxes), frames (how many are profiled), training (how many others fit the gate), calibration (a file of
models.calibrate instead; training is not used then), attention (own: the onboard encoder, or clip), clip_weights, seed,
out (the file). A profile that is there already is kept if models, encoder, gate, data and settings are the same.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.calibration_file import FORMAT, CalibrationMismatch, load_calibration
from models.codec import CODING, restore
from models.compressors import Request
from models.datasets import DATASETS, DatasetError
from models.gate import GateConfig
from models.gate_training import CalibratedGate, fit_calibrated, gate_inputs
from models.interface import Encoder, ModelUnavailable, VisionLanguageModel
from models.options import read_options
from models.procedural import procedural_samples
from models.profile_file import (
    PHASES,
    Coding,
    Profile,
    ProfileError,
    data_hash,
    difference,
    load_profile,
    save_profile,
)
from models.profile_levels import LADDERS, Ladder
from models.record import Record, record
from models.sample import Sample, SampleError, Task
from models.similarity import quality
from models.sources import PROCEDURAL, load_model
from models.workload import FRAME_PX, Workload

LEAST_TRAINING = 50
"""Samples that fit a gate, at least."""
FIRST_SCENE = 20_000_000
SCENES_APART = 1_000_000  # between two seeds; the first half fits gates, the second is profiled


@dataclass(frozen=True)
class ProfileOptions:
    """See the module's text."""

    small: str = "pair-small"
    large: str = "pair-large"
    data: str = PROCEDURAL
    folder: str = ""
    task: str = "question"
    frames: int = 2000
    training: int = 800
    calibration: str = ""
    attention: str = "own"
    clip_weights: str = "openai"
    seed: int = 0
    out: str = "outputs/profile.safetensors"

    def __post_init__(self) -> None:
        known = [task.value for task in Task]
        if self.task not in known:
            raise ProfileError(f"task is {self.task!r}; it must be one of {', '.join(known)}")
        if self.attention not in ("own", "clip"):
            raise ProfileError(f"attention is {self.attention!r}; it must be own or clip")
        if self.data != PROCEDURAL and self.data not in DATASETS:
            raise ProfileError(f"data is {self.data!r}; it must be {PROCEDURAL}, {', '.join(DATASETS)}")
        if self.data == PROCEDURAL and self.folder:
            raise ProfileError(f"folder is {self.folder!r}; procedural scenes are drawn and need none")
        if self.frames < 2 or self.seed < 0:
            raise ProfileError(f"frames={self.frames}, seed={self.seed}: at least 2 frames, a seed from 0 on")
        if self.training < LEAST_TRAINING and not self.calibration:
            raise ProfileError(
                f"training is {self.training}; a gate is fitted on at least {LEAST_TRAINING} samples"
            )


@dataclass(frozen=True)
class Frames:
    """Samples that fit the gate, those that are profiled, and the errors of those that could not be read."""

    training: list[Sample]
    profiled: list[Sample]
    errors: list[SampleError]


def load_frames(options: ProfileOptions) -> Frames:
    """Read or draw the samples of one task; two questions a procedural scene."""
    task, n_training = Task(options.task), 0 if options.calibration else options.training
    if options.data == PROCEDURAL:
        per_scene = 1 if task is Task.SCENE else 2
        first = FIRST_SCENE + SCENES_APART * options.seed

        def draw(start: int, number: int) -> list[Sample]:
            scenes = range(start, start + -(-number // per_scene))
            return procedural_samples(scenes, (task,), prompts_per_scene=per_scene)[:number]

        return Frames(draw(first, n_training), draw(first + SCENES_APART // 2, options.frames), [])
    errors: list[SampleError] = []
    reader = DATASETS[options.data](options.folder, errors)
    samples = list(islice((s for s in reader if s.task is task), n_training + options.frames))
    if len(samples) < n_training + 2:
        raise ProfileError(
            f"{options.data} in {options.folder} holds {len(samples)} {task.value} samples; the gate alone takes "
            f"{n_training}: set training and frames lower, or name another task"
        )
    return Frames(samples[:n_training], samples[n_training:], errors)


def gate_hash(gate: CalibratedGate) -> str:
    """SHA-256 over the gate's settings, weights and isotonic maps."""
    digest = hashlib.sha256(json.dumps(asdict(gate.config), sort_keys=True).encode())
    for name, value in sorted(gate.gate.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    for fitted in gate.maps:
        digest.update(
            fitted.raw.astype(np.float64).tobytes() + fitted.calibrated.astype(np.float64).tobytes()
        )
    return digest.hexdigest()


def provenance(
    options: ProfileOptions, small: VisionLanguageModel, large: VisionLanguageModel, frames: Frames
) -> dict[str, Any]:
    """Everything the figures depend on; equal provenance, equal profile. Where files lie is no part of it."""
    settings = asdict(options)
    for name in ("out", "folder", "calibration"):
        del settings[name]
    gate = "fitted on the training samples"
    if options.calibration:
        gate = gate_hash(_calibrated(options, small, large))
    return {
        "small": small.fingerprint(),
        "large": large.fingerprint(),
        "encoder": small.fingerprint() if options.attention == "own" else f"clip {options.clip_weights}",
        "gate": gate,
        "training_data": data_hash(frames.training),
        "data": data_hash(frames.profiled),
        "levels": {name: [repr(one) for one in ladder.compressors] for name, ladder in LADDERS.items()},
        "workload": repr(Workload()),
        "formats": [CODING, FORMAT],
        "settings": settings,
    }


def _calibrated(
    options: ProfileOptions, small: VisionLanguageModel, large: VisionLanguageModel
) -> CalibratedGate:
    calibration = load_calibration(Path(options.calibration))
    calibration.check(small.fingerprint(), large.fingerprint())
    return calibration.gate


def _gate(
    options: ProfileOptions, small: VisionLanguageModel, large: VisionLanguageModel, frames: Frames
) -> CalibratedGate:
    if options.calibration:
        return _calibrated(options, small, large)
    train, _ = record(small, large, frames.training)
    config = GateConfig(stages=2)
    target = torch.tensor(train.agreement, dtype=torch.float32)
    return fit_calibrated(gate_inputs(train.traces, config), target, config, seed=options.seed)[0]


def _encodings(options: ProfileOptions, known: Record) -> list[Any]:
    if options.attention == "own":
        return [trace.encoding for trace in known.traces]
    from models.clip import ClipEncoder

    encoder: Encoder = ClipEncoder.load(options.clip_weights)
    return [encoder.encode(sample.image, sample.prompt) for sample in known.samples]


def measure_coding(
    ladder: Ladder,
    large: VisionLanguageModel,
    samples: Sequence[Sample],
    encodings: Sequence[Any],
    say: Callable[[str], None] = lambda line: None,
) -> Coding:
    """Code and decode every sample at every level, and ask the large model about what arrived."""
    sizes, scores = [], []
    for label, compressor in zip(ladder.labels, ladder.compressors, strict=True):
        coded = [
            compressor.compress(Request(sample.image, encoding))
            for sample, encoding in zip(samples, encodings, strict=True)
        ]
        seen = [replace(sample, image=restore(data)) for sample, data in zip(samples, coded, strict=True)]
        answers = large.answers(seen)
        scores.append([quality(a or "", s.target, s.task) for a, s in zip(answers, samples, strict=True)])
        sizes.append([len(data) for data in coded])
        say(f"{label}: {np.mean(sizes[-1]):.0f} bytes, score {np.mean(scores[-1]):.4f}")
    return Coding(ladder.labels, np.array(sizes, np.int64).T, np.array(scores, np.float64).T)


def _phase_seconds(work: Workload, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """[3] seconds on board and of the large model, for a frame of the size that the task's data set has."""
    both = []
    for timing in (work.onboard, work.ground):
        times = timing.phases(FRAME_PX[task], FRAME_PX[task])
        both.append([times.vision_s, times.prefill_s, work.answer_tokens * times.decode_token_s])
    assert len(PHASES) == len(both[0])
    return np.array(both[0]), np.array(both[1])


def measure_profile(
    options: ProfileOptions,
    small: VisionLanguageModel,
    large: VisionLanguageModel,
    frames: Frames,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[Profile, list[SampleError]]:
    """Measure; samples that a model cannot use are left out and reported."""
    say("both models and the gate")
    gate = _gate(options, small, large, frames)
    known, errors = record(small, large, frames.profiled)
    if len(known) < 2:
        raise ProfileError(f"no frame could be used, the first error: {(errors or ['none'])[0]}")
    encodings = _encodings(options, known)
    onboard_s, large_s = _phase_seconds(Workload(), Task(options.task))
    profile = Profile(
        confidence=gate.confidences(gate_inputs(known.traces, gate.config)).astype(np.float64),
        small_score=known.small_score.astype(np.float64),
        large_score=known.large_score.astype(np.float64),
        pixels=np.array([s.image.shape[0] * s.image.shape[1] for s in known.samples], np.int64),
        onboard_s=np.tile(onboard_s, (len(known), 1)),
        large_s=np.tile(large_s, (len(known), 1)),
        codings={
            name: measure_coding(
                ladder, large, known.samples, encodings, lambda line, n=name: say(f"{n}, {line}")
            )
            for name, ladder in LADDERS.items()
        },
        provenance=provenance(options, small, large, frames) | {"fitted_gate": gate_hash(gate)},
    )
    return profile, [*frames.errors, *errors]


def current_profile(
    options: ProfileOptions, say: Callable[[str], None] = print, *, measure: bool = True
) -> Profile:
    """The profile at options.out if it is what would be measured now; else measured again, and said why.

    Raises ProfileError, which says why, instead of measuring unless `measure`.
    """
    path = Path(options.out)
    small, large = load_model(options.small), load_model(options.large)
    frames = load_frames(options)
    wanted = provenance(options, small, large, frames)
    if path.is_file():
        try:
            stored = load_profile(path)
            known = {key: value for key, value in stored.provenance.items() if key != "fitted_gate"}
            changed = difference(known, wanted)
            if changed is None:
                return stored
            problem = f"{path} is of other models, data, codec or settings: {changed}"
        except ProfileError as error:
            problem = str(error)
        if measure:
            say(f"{problem}: measured again")
    else:
        problem = f"{path}: there is no such profile"
    if not measure:
        raise ProfileError(f"{problem}; measure it with `python -m models.profile`")
    started = time.perf_counter()
    profile, errors = measure_profile(options, small, large, frames, say)
    for error in errors:
        say(f"left out: {error}")
    save_profile(profile, path)
    say(f"{len(profile)} frames profiled in {time.perf_counter() - started:.0f} s, written to {path}")
    return profile


def main(words: Sequence[str]) -> None:
    try:
        profile = current_profile(read_options(ProfileOptions, words))
    except (ValueError, FileNotFoundError, ModelUnavailable, DatasetError, CalibrationMismatch) as error:
        raise SystemExit(f"error: {error}") from error
    print(f"{len(profile)} frames: onboard score {profile.small_score.mean():.4f}, ", end="")
    print(f"large model's on untouched frames {profile.large_score.mean():.4f}")
    for name, coding in profile.codings.items():
        for j, label in enumerate(coding.labels):
            bpp = 8 * coding.coded_bytes[:, j].sum() / profile.pixels.sum()
            print(f"{name:9s} {label:32s} {bpp:6.3f} bit/pixel  score {coding.score[:, j].mean():.4f}")


if __name__ == "__main__":
    main(sys.argv[1:])
