"""Whether a graph decides as the network that it was made from does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.export.decisions import RecordedDecisions
from agents.export.onboard import OnboardPolicy
from envs.config import ConfigError

TOLERANCE = 1e-5
"""Of a value, relative to the largest of its decision (or to one second, if that is more)."""


class ExportError(ConfigError):
    """A policy cannot be exported; the message says what is wrong."""


@dataclass(frozen=True)
class Parity:
    """How a graph compares with torch on recorded decisions.

    agreement: share of the decisions in which the same direction is chosen.
    largest_error: of the values of legal directions, relative as TOLERANCE is.
    ties: decisions whose two best values are closer to each other than the tolerance: rounding may decide them.
    """

    decisions: int
    agreement: float
    largest_error: float
    ties: int


def compare(onboard: OnboardPolicy, recorded: RecordedDecisions) -> Parity:
    """Decide the recorded decisions with `onboard`."""
    action, q = onboard.decide(recorded.observation, recorded.legal)
    same = (action == _best(recorded)) | _tied(recorded, action)
    error = np.abs(q - recorded.q) / _scale(recorded)[:, None]
    ordered = np.sort(np.where(recorded.legal, recorded.q, -np.inf), axis=1)
    ties = ordered[:, 3] - ordered[:, 2] <= TOLERANCE * _scale(recorded)
    return Parity(
        decisions=len(recorded),
        agreement=float(same.mean()),
        largest_error=float(error[recorded.legal].max()),
        ties=int(ties.sum()),
    )


def require_parity(parity: Parity, name: str) -> None:
    """Raise ExportError unless all actions are identical and all values within TOLERANCE."""
    if parity.agreement < 1 or not parity.largest_error <= TOLERANCE:
        different = round((1 - parity.agreement) * parity.decisions)
        raise ExportError(
            f"{name} does not decide as torch does: {different} of {parity.decisions} actions differ, values by up to "
            f"{parity.largest_error:.1e} of their size (at most {TOLERANCE:g}); nothing was written. Other versions of "
            "torch, onnx or onnxruntime may help"
        )


def _scale(recorded: RecordedDecisions) -> np.ndarray:
    """[R] the largest value of each decision's legal directions, at least 1."""
    return np.maximum(np.where(recorded.legal, np.abs(recorded.q), 0).max(1), 1)


def _best(recorded: RecordedDecisions) -> np.ndarray:
    return np.where(recorded.legal, recorded.q, -np.inf).argmax(1)


def _tied(recorded: RecordedDecisions, action: np.ndarray) -> np.ndarray:
    """[R] whether torch, too, values `action` as the best but for rounding."""
    rows = np.arange(len(recorded))
    lead = recorded.q[rows, _best(recorded)] - recorded.q[rows, action]
    return recorded.legal[rows, action] & (lead <= TOLERANCE * _scale(recorded))
