"""BS-MARL with uniform frames and plain coding, with a gate, with a compressor, and with both, on the same frames.

`both` sends frames as the compressor makes them, whatever that costs in answers; `either` has the plain ladder besides,
so that the compressor is used where it pays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from agents.evaluation import ratio_interval
from agents.routers import Router
from models.profile_file import EITHER
from offload.accuracy import RequirementError
from offload.experiments.result import Row, mean_interval
from offload.joint.frontier import saved_at_equal_accuracy
from offload.joint.problem import JointProblem
from offload.joint.setting import Setting
from offload.schemes import FixedRatio, Scheme, Searched
from offload.search import Decision


@dataclass(frozen=True)
class Variant:
    """A way to size packets. coding: the ladder. gated: whether a gate orders the frames. scheme: None: it searches."""

    name: str
    coding: str
    gated: bool
    scheme: Scheme | None = None


ALL_OFFLOADED = "all offloaded"
UNIFORM = "uniform"
VARIANTS = (
    Variant(ALL_OFFLOADED, "plain", False, FixedRatio("centralised", 1.0)),
    Variant(UNIFORM, "plain", False),
    Variant("gate", "plain", True),
    Variant("compressor", "attention", False),
    Variant("both", "attention", True),
    Variant(EITHER, EITHER, True),
)


@dataclass(frozen=True)
class Outcome:
    """What was decided in E worlds; every field [E], means over a world's tasks.

    met: share of tasks whose measured accuracy is at least the required one.
    """

    delay_s: np.ndarray
    ratio: np.ndarray
    data_mbit: np.ndarray
    expected: np.ndarray
    measured: np.ndarray
    met: np.ndarray

    @classmethod
    def of(cls, problem: JointProblem, decision: Decision) -> Outcome:
        chosen, tasks, joint = decision.chosen, problem.tasks, problem.joint
        measured = joint.measured_accuracy(chosen.offloaded)
        met = (measured >= joint.accuracy - 1e-9).double()
        values = (
            decision.ratio,
            chosen.data.size_mbit,
            joint.expected_accuracy(chosen.offloaded),
            measured,
            met,
        )
        return cls(chosen.mean_s.numpy(), *(tasks.mean(value).numpy() for value in values))


Found = dict[tuple[int, float, str], Outcome | str]
"""By pixels, required accuracy and variant: the outcome, or why there is none."""


def compare_schemes(
    setting: Setting, router: Router, on_start: Callable[[str], None] = lambda what: None
) -> Found:
    """Decide with every variant, for every frame size and requirement, in all worlds of `setting`."""
    config, found = setting.config, {}
    for (coding, gated), alike in groupby(VARIANTS, lambda one: (one.coding, one.gated)):
        on_start(f"packets of {coding} frames{', ranked' if gated else ''}")
        designs, variants = setting.designs(coding, gated=gated), tuple(alike)
        for pixels in config.pixels:
            for accuracy, design in designs.items():
                for variant in variants:
                    on_start(f"{pixels} pixels, accuracy {accuracy:g}: {variant.name}")
                    scheme = variant.scheme or Searched(setting.offload.search)
                    try:
                        problem = setting.problem(design, gated=gated, pixels=pixels)
                        outcome = Outcome.of(problem, scheme.decide(problem, router))
                    except RequirementError as error:
                        outcome = str(error)
                    found[pixels, accuracy, variant.name] = outcome
    return {
        (pixels, accuracy, variant.name): found[pixels, accuracy, variant.name]
        for pixels in config.pixels
        for accuracy in setting.accuracies
        for variant in VARIANTS
    }


def scheme_rows(found: Found) -> list[Row]:
    """One row for each variant; NaN where the requirement cannot be expected to be met. 95% intervals over worlds.

    saved: of the delay of uniform frames with the same requirement. saved_equal: at the same measured accuracy.
    """
    rows: list[Row] = []
    for (pixels, accuracy, name), outcome in found.items():
        row: Row = {"pixels": pixels, "required": accuracy, "scheme": name}
        base = found[pixels, accuracy, UNIFORM]
        if isinstance(outcome, str):
            rows.append(row | dict.fromkeys(_FIGURES, float("nan")) | {"note": outcome})
            continue
        delay, measured = mean_interval(outcome.delay_s), mean_interval(outcome.measured)
        saved = [float("nan")] * 3
        if not isinstance(base, str):
            bounds = ratio_interval(outcome.delay_s, base.delay_s)
            ratio = outcome.delay_s.sum() / base.delay_s.sum()
            saved = [100 * (1 - float(x)) for x in (ratio, bounds.high, bounds.low)]
        uniform = [
            one
            for (size, _, scheme), one in found.items()
            if size == pixels and scheme == UNIFORM and not isinstance(one, str)
        ]
        equal = [float("nan")] * 3
        if name == UNIFORM:
            equal = [0.0] * 3  # it is what others are compared with
        elif uniform:
            equal = saved_at_equal_accuracy(
                [one.measured for one in uniform],
                [one.delay_s for one in uniform],
                outcome.measured,
                outcome.delay_s,
            )
        values = (
            float(outcome.delay_s.mean()),
            delay.low,
            delay.high,
            *saved,
            *(100 * share for share in equal),
            float(outcome.ratio.mean()),
            float(outcome.data_mbit.mean()),
            float(outcome.expected.mean()),
            float(outcome.measured.mean()),
            measured.low,
            measured.high,
            100 * float(outcome.met.mean()),
        )
        rows.append(row | dict(zip(_FIGURES, values, strict=True)) | {"note": ""})
    return rows


_FIGURES = (
    "delay_s",
    "low_s",
    "high_s",
    "saved_%",
    "saved_low_%",
    "saved_high_%",
    "saved_equal_%",
    "saved_equal_low_%",
    "saved_equal_high_%",
    "ratio",
    "data_Mbit",
    "expected",
    "measured",
    "measured_low",
    "measured_high",
    "tasks_met_%",
)
SHOWN = ("required", "scheme", "delay_s", "saved_%", "saved_equal_%", "ratio", "data_Mbit", "measured")


def onboard_rows(setting: Setting) -> list[Row]:
    """What both models alone are measured to do on the frames that tasks are made of."""
    rows: list[Row] = []
    for half in setting.halves:
        asked = half.asked
        row: Row = {
            "seed": int(asked.provenance["settings"]["seed"]),
            "frames": len(asked),
            "onboard_model": float(asked.small_score.mean()),
            "large_model_untouched": float(asked.large_score.mean()),
        }
        for name, coding in asked.codings.items():
            row[f"large_model_{name}_coarsest"] = float(coding.score[:, 0].mean())
            row[f"large_model_{name}_finest"] = float(coding.score[:, -1].mean())
        rows.append(row)
    return rows
