"""Accuracy models f and h: what a model's accuracy is worth in bits, fitted to measurements (BS-MARL section IV-A).

    accuracy(x) = ceiling - span exp(-rate x)

rises from ceiling - span without any x towards its ceiling, so it has an inverse. For f, x is the bits per pixel of a
frame's residuals; for h, the share of the small model's weights that the update replaces.
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import OptimizeWarning, curve_fit
from torch import Tensor

from envs.config import ConfigError

_FORMAT = "leomix-accuracy-1"
_FEWEST = 4  # points for three parameters and an error
_LEAST_RISE = (
    1e-3  # of accuracy over the measured range; measurements that are all the same rise by rounding alone
)


class Quantity(str, Enum):
    """What accuracy depends on; the name of the column in a measurements file."""

    residual_bits_per_pixel = "residual_bits_per_pixel"
    update_share = "update_share"


class MeasurementError(ConfigError):
    """Measurements cannot be used; the message names the file, what is wrong and the remedy."""


class RequirementError(ConfigError):
    """An accuracy is required that cannot be reached; the message names the highest that can."""


@dataclass(frozen=True)
class AccuracyModel:
    """A fitted accuracy model and where it comes from.

    quantity: what x is. ceiling, span, rate: of the curve above. rmse: of the fit, over `points` measurements.
    metric: what was measured. source: where and how.
    """

    quantity: Quantity
    ceiling: float
    span: float
    rate: float
    rmse: float
    points: int | None
    metric: str
    source: str

    def __post_init__(self) -> None:
        if not (self.span > 0 and self.rate > 0 and self.ceiling - self.span >= 0 and self.ceiling <= 1):
            raise MeasurementError(
                f"an accuracy model with ceiling={self.ceiling:g}, span={self.span:g}, rate={self.rate:g} is not "
                "possible: 0 <= ceiling - span < ceiling <= 1 and rate > 0"
            )

    def __call__(self, x: Tensor) -> Tensor:
        """Accuracy at `x`, any shape."""
        return self.ceiling - self.span * torch.exp(-self.rate * x)

    def inverse(self, accuracy: Tensor) -> Tensor:
        """Least x >= 0 that reaches `accuracy`; inf at or above the ceiling."""
        left = ((self.ceiling - accuracy) / self.span).clamp(min=0.0)
        return (-left.log() / self.rate).clamp(min=0.0)

    def require_reachable(self, accuracy: Tensor, largest: float, field: str, remedy: str) -> None:
        """Raise RequirementError unless every one of `accuracy` is reached at x = `largest`."""
        reachable = float(self(torch.tensor(largest, dtype=torch.float64)))
        highest = float(accuracy.max())
        if highest > reachable:
            raise RequirementError(
                f"{field}={highest:g} is not possible: at most {reachable:.4f} "
                f"({self.quantity.value} = {largest:g}); {remedy}"
            )

    def save(self, path: Path) -> None:
        """Write the model to `path` as JSON."""
        content = {"format": _FORMAT} | asdict(self) | {"quantity": self.quantity.value}
        path.write_text(json.dumps(content, indent=2) + "\n")

    @classmethod
    def load(cls, path: Path, quantity: Quantity) -> AccuracyModel:
        """Read the model of `quantity` at `path`.

        Raises MeasurementError when there is none, or one of something else.
        """
        remedy = "write one with `python -m offload.fit measurements.csv`"
        if not path.is_file():
            raise MeasurementError(f"{path}: there is no such accuracy model; {remedy}")
        try:
            content = json.loads(path.read_text())
            if content.pop("format") != _FORMAT:
                raise ValueError(f"not {_FORMAT}")
            model = cls(**content | {"quantity": Quantity(content["quantity"])})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MeasurementError(f"{path} is no accuracy model ({error}); {remedy}") from error
        if model.quantity is not quantity:
            raise MeasurementError(
                f"{path} is a model of accuracy by {model.quantity.value}, one by {quantity.value} is needed here"
            )
        return model


@dataclass(frozen=True)
class Measurements:
    """Measured accuracies: x [N] and accuracy [N], with the comments of their file as their source."""

    quantity: Quantity
    x: np.ndarray
    accuracy: np.ndarray
    metric: str
    source: str

    @classmethod
    def read(cls, path: Path) -> Measurements:
        """Read a CSV file of a column named for a `Quantity` and a column `accuracy`.

        Lines that begin with # say where the figures come from; one `# metric: ...` names what was measured.
        Raises MeasurementError naming the line.
        """
        if not path.is_file():
            raise MeasurementError(f"{path}: there is no such file of measurements")
        try:
            lines = path.read_text(
                encoding="utf-8-sig"
            ).splitlines()  # spreadsheets begin their files with a mark
        except UnicodeDecodeError as error:
            raise MeasurementError(f"{path} is no CSV file: it is not text ({error.reason})") from error
        comments = [line.lstrip("# ").strip() for line in lines if line.startswith("#")]
        metric = next((line.split(":", 1)[1].strip() for line in comments if line.startswith("metric:")), "")
        source = " ".join(line for line in comments if line and not line.startswith("metric:"))
        if not metric or not source:
            raise MeasurementError(
                f"{path} does not say where its figures come from: begin it with a line '# metric: ...' "
                "and lines '# ...' on what was measured on what data"
            )
        numbered = [(i, line) for i, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
        table = list(csv.reader(line for _, line in numbered))
        header = [name.strip() for name in table[0]] if table else []
        known = [quantity for quantity in Quantity if quantity.value in header]
        if len(known) != 1 or "accuracy" not in header:
            names = " or ".join(quantity.value for quantity in Quantity)
            raise MeasurementError(f"{path} has columns {header}: it needs accuracy and {names}")
        rows = []
        for (number, line), cells in zip(numbered[1:], table[1:], strict=True):
            try:
                row = [float(cells[header.index(name)]) for name in (known[0].value, "accuracy")]
            except (ValueError, IndexError) as error:
                raise MeasurementError(f"{path} line {number} is {line!r}: two numbers are needed") from error
            if not (0 <= row[0] < np.inf and 0 <= row[1] <= 1):
                raise MeasurementError(
                    f"{path} line {number} is {line!r}: {known[0].value} is zero or more and finite, "
                    "accuracy from 0 to 1"
                )
            rows.append(row)
        if len({x for x, _ in rows}) < _FEWEST:
            raise MeasurementError(
                f"{path} has {len(rows)} measurements: at least {_FEWEST} different x are needed"
            )
        x, accuracy = np.array(rows).T
        return cls(known[0], x, accuracy, metric, source)


def fit(measurements: Measurements) -> AccuracyModel:
    """Least-squares fit of the curve.

    Raises MeasurementError when accuracy does not rise with x, so that there is nothing to invert.
    """
    x, accuracy = measurements.x, measurements.accuracy
    span = max(float(accuracy.max() - accuracy.min()), 1e-3)
    start = (float(accuracy.max()), span, 2.0 / float(x.max()))
    try:
        (ceiling, span, rate), _ = curve_fit(
            lambda x, ceiling, span, rate: ceiling - span * np.exp(-rate * x),
            x,
            accuracy,
            p0=start,
            bounds=([0.0, 0.0, 1e-3 / x.max()], [1.0, 1.0, 1e3 / x.max()]),
        )
    except (RuntimeError, OptimizeWarning) as error:
        raise MeasurementError(f"no curve fits these measurements: {error}") from error
    span = min(span, ceiling)
    rises = span * (np.exp(-rate * x.min()) - np.exp(-rate * x.max()))
    residual = accuracy - (ceiling - span * np.exp(-rate * x))
    rmse = float(np.sqrt(np.mean(residual**2)))
    if rises <= max(rmse, _LEAST_RISE):
        raise MeasurementError(
            f"accuracy does not rise with {measurements.quantity.value}: over its range the fit gains {rises:.4f} "
            f"and misses by {rmse:.4f}; measure a wider range or more samples"
        )
    return AccuracyModel(
        quantity=measurements.quantity,
        ceiling=float(ceiling),
        span=float(span),
        rate=float(rate),
        rmse=rmse,
        points=len(x),
        metric=measurements.metric,
        source=measurements.source,
    )
