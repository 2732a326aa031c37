"""Typed configuration of the learning algorithm, with its limits checked where it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from agents.schedules import ramp
from envs.config import Extension, require


class UtilityKind(str, Enum):
    """Utility networks (agents/networks.py)."""

    flat = "flat"
    direction_shared = "direction_shared"


class MixerKind(str, Enum):
    """Mixing networks (agents/mixers.py); `none` learns every agent by itself."""

    none = "none"
    vdn = "vdn"
    qmix = "qmix"
    set = "set"
    link = "link"


class Credit(str, Enum):
    """What each agent learns from beside the mixer.

    own: what its decision cost all packets, as the environment says (Decisions' outcome: `credit`).
    team: the whole team's reward from its decision to its next; with the mixer `none` this is independent Q-learning
        on a shared reward (Tan 1993), the yardstick of every mixer.
    """

    own = "own"
    team = "team"


class Precision(str, Enum):
    """What matrix products are computed in while training; weights, targets and losses are always float32.

    auto: bfloat16 where the device multiplies it natively (agents/precision.py), else float32.
    """

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


@dataclass(frozen=True)
class UtilityConfig:
    """The network Q_i(o_i, .) that all agents share.

    kind: `flat` reads any observation and is the best on one constellation and load; `direction_shared`
    encodes the four directions alike and transfers to other constellations.
    residual_on_prior: learn the correction of the known cost of each direction instead of Q from nothing.
    """

    kind: UtilityKind = UtilityKind.direction_shared
    width: int = 64
    residual_on_prior: bool = True

    def __post_init__(self) -> None:
        require(self.width >= 1, "algorithm.utility.width", self.width, "at least 1")


@dataclass(frozen=True)
class MixerConfig:
    """How the utilities of a step become the team's value Q_tot.

    kind: one of the built-in mixers, or `module:Class` of your own (docs/extending.md).
    width: hidden units of `set` and `link`. hypernetwork_width, embedding: of `qmix` (64, 32 as PyMARL).
    """

    kind: MixerKind | Extension = MixerKind.set
    width: int = 32
    hypernetwork_width: int = 64
    embedding: int = 32

    def __post_init__(self) -> None:
        for name in ("width", "hypernetwork_width", "embedding"):
            require(getattr(self, name) >= 1, f"algorithm.mixer.{name}", getattr(self, name), "at least 1")


@dataclass(frozen=True)
class AlgorithmConfig:
    """QMIX with mixed credit: TD(lambda) of Q_tot on the team reward, and of each agent on its own credit.

    The budget is counted in iterations, so that a run can be repeated: an iteration plays
    `worlds_per_rollout` episodes side by side and makes `updates_per_rollout` gradient steps on
    `batch_episodes` replayed episodes each.
    """

    utility: UtilityConfig = field(default_factory=UtilityConfig)
    mixer: MixerConfig = field(default_factory=MixerConfig)

    iterations: int = 600
    worlds_per_rollout: int = 128
    updates_per_rollout: int = 15
    batch_episodes: int = 32
    replay_episodes: int = 2048
    warmup_episodes: int = 256  # collected before the first gradient step

    gamma: float = 1.0
    td_lambda: float = 0.8
    joint_weight: float = 10.0  # of the TD loss of Q_tot; ignored by the mixer `none`
    credit: Credit = Credit.own
    credit_weight: float = 1.0  # of the TD loss of each agent on its credit; 0 leaves it all to the mixer
    credit_huber: float = (
        2.0  # in units of the credit (seconds); the joint loss is Huber(1) in units of its scale
    )

    learning_rate: float = 1e-3
    learning_rate_decay: float = 0.1  # what is left of it at the end; linear over the second half
    gradient_clip: float = 10.0
    target_tau: float = 0.02  # share of the online weights that enters the target networks per update

    precision: Precision = Precision.auto

    epsilon_first: float = 0.2  # mean over worlds; each world draws its own from [0, 2 epsilon]
    epsilon_last: float = 0.03
    epsilon_until: float = 0.6  # share of training after which epsilon stays at epsilon_last

    def __post_init__(self) -> None:
        counts = (
            "iterations",
            "worlds_per_rollout",
            "updates_per_rollout",
            "batch_episodes",
            "replay_episodes",
        )
        for name in counts:
            require(getattr(self, name) >= 1, f"algorithm.{name}", getattr(self, name), "at least 1")
        for name in (
            "gamma",
            "td_lambda",
            "epsilon_first",
            "epsilon_last",
            "epsilon_until",
            "learning_rate_decay",
        ):
            require(
                0 <= getattr(self, name) <= 1, f"algorithm.{name}", getattr(self, name), "between 0 and 1"
            )
        for name in ("learning_rate", "gradient_clip", "credit_huber"):
            require(getattr(self, name) > 0, f"algorithm.{name}", getattr(self, name), "positive")
        for name in ("joint_weight", "credit_weight"):
            require(getattr(self, name) >= 0, f"algorithm.{name}", getattr(self, name), "zero or more")
        require(0 < self.target_tau <= 1, "algorithm.target_tau", self.target_tau, "above 0, at most 1")
        limit = f"at most algorithm.replay_episodes={self.replay_episodes}"
        for name in ("worlds_per_rollout", "batch_episodes", "warmup_episodes"):
            require(
                getattr(self, name) <= self.replay_episodes, f"algorithm.{name}", getattr(self, name), limit
            )
        if self.mixer.kind is MixerKind.none:
            needed = "positive with algorithm.mixer.kind=none, which learns from the credit alone"
            require(self.credit_weight > 0, "algorithm.credit_weight", self.credit_weight, needed)
        else:
            needed = "positive, or joint_weight is: nothing would be learned"
            require(
                self.credit_weight + self.joint_weight > 0,
                "algorithm.credit_weight",
                self.credit_weight,
                needed,
            )

    @property
    def uses_mixer(self) -> bool:
        """Whether a mixing network takes part in the loss at all."""
        return self.mixer.kind is not MixerKind.none and self.joint_weight > 0

    def epsilon(self, progress: float) -> float:
        """Mean exploration rate after the share `progress` of the training."""
        return ramp(progress, self.epsilon_first, self.epsilon_last, end=self.epsilon_until)

    def learning_rate_at(self, progress: float) -> float:
        """Step size after the share `progress` of the training."""
        return ramp(progress, self.learning_rate, self.learning_rate * self.learning_rate_decay, begin=0.5)
