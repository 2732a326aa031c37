"""Fitting and calibrating the progressive gate on a few samples that both models have answered.

The loss is eq. (1), the squared error of every stage against the similarity of the two outputs. The raw outputs of
a network fitted on a few hundred samples are over-confident, so each stage gets an isotonic map fitted on
out-of-fold predictions: a calibrated confidence of 0.7 then means that outputs agree by 0.7 on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.gate import GateConfig, ProgressiveGate, image_features, stage_features
from models.interface import Encoding, Step, Trace

TIE_BREAK = 1e-3  # share of the raw value kept in the calibrated one: isotonic plateaus stay ordered


@dataclass(frozen=True)
class Isotonic:
    """A monotone map: linear between knots (raw [k] -> calibrated [k])."""

    raw: np.ndarray
    calibrated: np.ndarray

    def __call__(self, values: np.ndarray | float) -> np.ndarray:
        smooth = np.interp(values, self.raw, self.calibrated)
        return (1 - TIE_BREAK) * smooth + TIE_BREAK * np.asarray(values)

    @classmethod
    def fit(cls, raw: np.ndarray, target: np.ndarray) -> Isotonic:
        from sklearn.isotonic import IsotonicRegression

        fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(raw, target)
        return cls(np.asarray(fitted.X_thresholds_), np.asarray(fitted.y_thresholds_))


@dataclass(frozen=True)
class CalibratedGate:
    """A gate with one isotonic map per stage."""

    gate: ProgressiveGate
    maps: tuple[Isotonic, ...]

    @property
    def config(self) -> GateConfig:
        return self.gate.config

    @torch.no_grad()
    def confidences(self, inputs: list[Tensor]) -> np.ndarray:
        """Calibrated confidence of every stage for stage inputs [n, F_i] -> [n, I]."""
        self.gate.eval()
        return np.stack([self.maps[i](self.gate(rows, i).numpy()) for i, rows in enumerate(inputs)], axis=1)

    def estimate(self, encoding: Encoding, steps: list[Step], stage: int) -> float:
        """Calibrated confidence of one stage while a model is decoding."""
        return float(self.maps[stage](self.gate.eval().estimate(encoding, steps, stage)))


def gate_inputs(
    traces: list[Trace], config: GateConfig, known: Sequence[Tensor] | None = None
) -> list[Tensor]:
    """Inputs of every stage, [n, F_i] each. known: the traces' `image_features`, when the caller has them already."""
    image = known or [image_features(trace.encoding, config.prompt_aware) for trace in traces]
    return [
        torch.stack([stage_features(t, config, stage, seen) for t, seen in zip(traces, image, strict=True)])
        for stage in range(config.stages)
    ]


def fit_members(
    gate: ProgressiveGate,
    inputs: list[Tensor],
    target: Tensor,
    rows_of: list[Tensor],
    *,
    seed: int,
    epochs: int = 12,
    rate: float = 2e-3,
    decay: float = 0.1,
) -> None:
    """Minimise eq. (1) for every member at once, each on batches of its own rows.

    inputs [n, F_i] per stage, already standardised by the gate; target [n]; rows_of: row numbers of each member.
    """
    generator = torch.Generator().manual_seed(seed)
    number = max(len(rows) for rows in rows_of)
    batch = min(64, number)
    steps = epochs * max(1, number // batch)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        gate.train()
        optimiser = torch.optim.AdamW(gate.parameters(), rate, weight_decay=decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(steps):
            rows = torch.stack(
                [own[torch.randint(len(own), (batch,), generator=generator)] for own in rows_of]
            )  # [M, B]
            wanted = target[rows]
            errors = [
                ((torch.sigmoid(gate.logits(x[rows], stage)) - wanted) ** 2).mean(1).sum()
                for stage, x in enumerate(inputs)
            ]
            optimiser.zero_grad()
            torch.stack(errors).sum().backward()
            optimiser.step()
            schedule.step()
    gate.eval()


def fit_calibrated(
    inputs: list[Tensor], target: Tensor, config: GateConfig, *, seed: int, epochs: int = 12
) -> tuple[CalibratedGate, np.ndarray]:
    """Fit every member on all but its own part of the samples, and the isotonic maps on the parts left out.

    So no sample is ever predicted by a network that has seen it, and the networks fitted for that are the gate.
    Returns the gate and what it says of the samples themselves, [n, I]: each one's calibrated confidences by the member
    that has not seen it, NaN where every member has (the half that a single member is fitted on).
    Raises ValueError when there are too few samples, or when both models always agree (nothing to learn).
    """
    number, folds = len(target), max(2, config.members)
    if number < 10 * folds:
        raise ValueError(
            f"{number} samples are too few to fit and calibrate a gate; give at least {10 * folds}"
        )
    if float(target.std()) < 1e-6:
        raise ValueError("both models agree equally on every sample; a gate has nothing to learn from these")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        gate = ProgressiveGate(config, [rows.shape[1] for rows in inputs])
    gate.standardise(inputs)
    fold = torch.randperm(number, generator=torch.Generator().manual_seed(seed)) % folds
    centred = [gate.centred(rows, stage) for stage, rows in enumerate(inputs)]
    trained_on = [torch.nonzero(fold != member)[:, 0] for member in range(config.members)]
    fit_members(gate, centred, target, trained_on, seed=seed, epochs=epochs)
    rows = torch.nonzero(fold < config.members)[:, 0]  # a single member leaves one half of the samples out
    with torch.no_grad():
        raw = [
            torch.sigmoid(gate.logits(x.expand(config.members, -1, -1), stage)[fold[rows], rows]).numpy()
            for stage, x in enumerate(centred)
        ]
    maps = tuple(Isotonic.fit(values, target[rows].numpy()) for values in raw)
    held_out = np.full((number, config.stages), np.nan)
    held_out[rows.numpy()] = np.stack([one(values) for one, values in zip(maps, raw, strict=True)], axis=1)
    return CalibratedGate(gate, maps), held_out
