"""Fit a gate, and find its thresholds and how hard to compress: `python -m models.calibrate target_offload=0.3`.

Options are key=value: small, large (models, see models.sources), data, folder, samples (the built-in procedural set by
default, a question, a scene label and boxes by turns), target_offload (share of samples sent to the ground),
target_loss (relative loss of accuracy that compression may cost on the samples sent), training_share (part of the
samples that fits the gate and chooses the compression; the paper: 0.05), predicts (agreement of the models as in
eq. (1), or gain, the accuracy that sending wins, which is learned from the right answers), stages, chunk, early (part
of the offloads to decide before the last stage), attention (own: the small model's encoder, or clip), clip_weights,
seed, out (file).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models.calibration_file import OWN, Calibration, save_calibration
from models.compression_choice import choose_per_task
from models.datasets import DatasetError
from models.delivery import Delivery
from models.gate import GateConfig
from models.gate_training import fit_calibrated, gate_inputs
from models.interface import Encoder, ModelUnavailable, VisionLanguageModel
from models.methods import agreement, no_gain
from models.metrics import expected_calibration_error
from models.options import read_options
from models.record import record
from models.sample import Sample
from models.sources import ATTENTIONS, load_encoder, load_model, load_samples
from models.thresholds import KEPT, decide, thresholds_for_share, would_send

PREDICTS = {"agreement": agreement, "gain": no_gain}
"""What a gate's confidence may predict."""
FEWEST_TO_FIT = 50
"""Samples that a gate can be fitted on at all; the more, the better."""


@dataclass(frozen=True)
class CalibrateOptions:
    """See the module's text."""

    small: str = "pair-small"
    large: str = "pair-large"
    data: str = "procedural"
    folder: str = ""
    samples: int = 24_000
    target_offload: float = 0.3
    target_loss: float = 0.05
    training_share: float = 0.05
    predicts: str = "agreement"
    stages: int = 2
    chunk: int = 2
    early: float = 0.55
    attention: str = "own"
    clip_weights: str = "openai"
    seed: int = 0
    out: str = "outputs/gate.safetensors"

    def __post_init__(self) -> None:
        for name in ("target_offload", "target_loss", "training_share", "early"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} is {value}; it must lie in 0..1")
        fitting = self.samples * self.training_share
        if fitting < FEWEST_TO_FIT:
            raise ValueError(
                f"samples={self.samples} and training_share={self.training_share:g} leave {fitting:.0f} samples to fit "
                f"the gate on, it takes {FEWEST_TO_FIT}: raise one of them"
            )
        for name, allowed in (("predicts", tuple(PREDICTS)), ("attention", ATTENTIONS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be {' or '.join(allowed)}")


def calibrate(
    small: VisionLanguageModel,
    large: VisionLanguageModel,
    samples: Sequence[Sample],
    config: GateConfig,
    *,
    target_offload: float,
    training_share: float,
    early: float,
    seed: int,
    predicts: str = "agreement",
    target_loss: float | None = None,
    encoder: Encoder | None = None,
) -> tuple[Calibration, dict[str, float]]:
    """Fit the gate on a random `training_share` of the samples and set thresholds on the rest.

    The ground model answers the training part only; the rest needs no label and no ground answer, since a share
    of offloads is a quantile of confidences. target_loss None: no compression is chosen; else it is on the training
    samples that the gate, not having seen them, would send. `encoder` None: attention from the small model itself.
    Returns the calibration and a report. Raises ValueError when too few samples are usable.
    """
    order = np.random.default_rng(seed).permutation(len(samples))
    cut = round(training_share * len(samples))
    train, errors = record(small, large, [samples[i] for i in order[:cut]])
    if not len(train):
        raise ValueError(
            f"the models could use none of the samples, for example: {errors[0] if errors else ''}"
        )
    target = torch.tensor(PREDICTS[predicts](train), dtype=torch.float32)
    inputs = gate_inputs(train.traces, config)
    gate, held_out = fit_calibrated(inputs, target, config, seed=seed)
    traces, more = small.traces([samples[i] for i in order[cut:]])
    usable = [trace for trace in traces if trace is not None]
    if len(usable) < 2:
        raise ValueError(
            f"{len(usable)} samples are left to set thresholds on; give more or lower training_share"
        )
    confidence = gate.confidences(gate_inputs(usable, config))
    half = len(usable) // 2  # thresholds on one half, the report on the other
    threshold = thresholds_for_share(confidence[:half], target_offload, early)
    stage = decide(confidence[half:], threshold)
    fitted = gate.confidences(inputs)[:, -1]
    report = {
        "training_samples": float(len(train)),
        "offloaded_share": float((stage != KEPT).mean()),
        "offloads_before_last_stage": float((stage[stage != KEPT] < config.stages - 1).mean()),
        "training_ece": expected_calibration_error(fitted, target.numpy()),
        "unusable_samples": float(len(errors) + len(more)),
    }
    compressors = {}
    if target_loss is not None:
        sent = would_send(held_out, target_offload, early)
        deliver = Delivery(large, encoder).judge
        for task, choice in choose_per_task(train, deliver, target_loss, sent, held_out[:, -1]).items():
            compressors[task] = choice.compressor
            report[f"{task.value}_would_be_sent"] = float(sent[train.rows_of(task)].sum())
            report[f"{task.value}_compression_judged_on"] = float(choice.samples)
            report[f"{task.value}_relative_loss"] = choice.loss
            report[f"{task.value}_loss_error"] = choice.error
            report[f"{task.value}_target_met"] = float(choice.met)
            report[f"{task.value}_coded_bytes"] = choice.coded_bytes
            report[f"{task.value}_quality"] = float(choice.compressor.codec.quality)
            report[f"{task.value}_alpha"] = choice.compressor.alpha
            report[f"{task.value}_beta"] = choice.compressor.beta
    return (
        Calibration(
            gate,
            threshold,
            target_offload,
            small.fingerprint(),
            large.fingerprint(),
            compressors,
            predicts,
            OWN if encoder is None else encoder.fingerprint(),
        ),
        report,
    )


def main(words: Sequence[str]) -> None:
    try:
        options = read_options(CalibrateOptions, words)
        small, large = load_model(options.small), load_model(options.large)
        samples, errors = load_samples(options.data, options.folder, options.samples, seed=2 + options.seed)
        calibration, report = calibrate(
            small,
            large,
            samples,
            GateConfig(stages=options.stages, chunk=options.chunk),
            target_offload=options.target_offload,
            training_share=options.training_share,
            early=options.early,
            seed=options.seed,
            predicts=options.predicts,
            target_loss=options.target_loss,
            encoder=load_encoder(options.attention, options.clip_weights),
        )
    except (ValueError, ModelUnavailable, DatasetError) as error:
        raise SystemExit(f"error: {error}") from error
    save_calibration(calibration, Path(options.out))
    print(f"thresholds {np.round(calibration.threshold, 4).tolist()} written to {options.out}")
    for name, value in report.items():
        print(f"{name:30s} {value:.3f}".removesuffix(".000"))
    for error in errors:
        print(f"left out: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
