"""What the online optimisation is told: the frames of a task, what computing costs, and how to search."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from math import inf
from pathlib import Path

from envs.config import require

MEASUREMENTS = Path(__file__).parent / "measurements"
"""The accuracy models that come with LEOMix."""

POSITIVE = "positive and finite"


class Computing(str, Enum):
    """How a computing satellite serves several tasks.

    paper: each as if alone. shared: its capacity is split evenly among the tasks that send it data.
    """

    paper = "paper"
    shared = "shared"


class ModelPackets(str, Enum):
    """Who gets a model packet.

    always: every task, as (4b) is printed. needed: only tasks that leave frames to their small model.
    """

    always = "always"
    needed = "needed"


@dataclass(frozen=True)
class FramesConfig:
    """The frames of a task, what offloading one sends, and how accurate the answers must be.

    frames: fewest and most frames of a task, where tasks are drawn.
    pixels: P, pixels of a frame. bits_per_pixel: b, of a raw frame.
    feature_mbit: s_feat, features of an offloaded frame.
    quantisers: the discrete set of r, bits per pixel of a frame's residuals; a frame may also send none.
    large_accuracy: what the frames that are offloaded must reach on average (4c).
    small_accuracy: what the small model must reach on the others (4b).
    """

    frames: tuple[int, int] = (200, 1200)
    pixels: int = 65536
    bits_per_pixel: float = 24.0
    feature_mbit: float = 0.0246
    quantisers: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    large_accuracy: float = 0.93
    small_accuracy: float = 0.65

    def __post_init__(self) -> None:
        low, high = self.frames
        require(1 <= low <= high, "offload.frames.frames", self.frames, "two numbers, 1 <= fewest <= most")
        require(self.pixels >= 1, "offload.frames.pixels", self.pixels, "at least 1")
        for name in ("bits_per_pixel", "feature_mbit"):
            require(0 < getattr(self, name) < inf, f"offload.frames.{name}", getattr(self, name), POSITIVE)
        ascending = all(a < b for a, b in pairwise((0.0, *self.quantisers, inf)))
        require(
            0 < len(self.quantisers) <= 16 and ascending,
            "offload.frames.quantisers",
            self.quantisers,
            "1 to 16 positive numbers of bits per pixel, ascending",
        )
        for name in ("large_accuracy", "small_accuracy"):
            value = getattr(self, name)
            require(0 < value < 1, f"offload.frames.{name}", value, "between 0 and 1")

    @property
    def frame_mbit(self) -> float:
        """P b, a raw frame."""
        return self.pixels * self.bits_per_pixel / 1e6


@dataclass(frozen=True)
class ModelUpdateConfig:
    """The model packet: a share of the small model's weights, each sent as a difference with its position.

    parameters: weights of the small model. bits: of a weight.
    position_factor: a weight with its position takes this many times the bits of a weight alone; once the whole model
        is no larger, it is sent whole.
    smallest_mbit, largest_mbit: S_min and S_max of (4d).
    """

    parameters: int = 11_690_000
    bits: float = 8.0
    position_factor: float = 3.0
    smallest_mbit: float = 5.0
    largest_mbit: float = 94.0

    def __post_init__(self) -> None:
        for name in ("parameters", "bits"):
            require(0 < getattr(self, name) < inf, f"offload.model.{name}", getattr(self, name), POSITIVE)
        factor = self.position_factor
        require(1 <= factor < inf, "offload.model.position_factor", factor, "at least 1, and finite")
        bounds = (self.smallest_mbit, self.largest_mbit)
        allowed = "two finite sizes with 0 < smallest_mbit <= largest_mbit"
        require(
            0 < bounds[0] <= bounds[1] < inf,
            "offload.model.smallest_mbit, offload.model.largest_mbit",
            bounds,
            allowed,
        )

    @property
    def whole_mbit(self) -> float:
        """The whole model."""
        return self.parameters * self.bits / 1e6


@dataclass(frozen=True)
class ComputeConfig:
    """What computing takes.

    sensing_tops, computing_tops: C_n and C_k, in 10^12 op/s. utilisation: eta.
    small_gop, large_gop: O_S and O_L, 10^9 op of one frame. feature_cycles_per_bit: chi. sensing_ghz: f_n.
    computing: how tasks share a computing satellite. model_packets: who gets one.
    """

    sensing_tops: float = 1.0
    computing_tops: float = 20.0
    utilisation: float = 0.3
    small_gop: float = 4.74
    large_gop: float = 20.38
    feature_cycles_per_bit: float = 0.5
    sensing_ghz: float = 2.0
    computing: Computing = Computing.paper
    model_packets: ModelPackets = ModelPackets.always

    def __post_init__(self) -> None:
        for name in ("sensing_tops", "computing_tops", "small_gop", "large_gop", "sensing_ghz"):
            require(0 < getattr(self, name) < inf, f"offload.compute.{name}", getattr(self, name), POSITIVE)
        require(
            0 < self.utilisation <= 1, "offload.compute.utilisation", self.utilisation, "above 0, at most 1"
        )
        cycles = self.feature_cycles_per_bit
        require(
            0 <= cycles < inf, "offload.compute.feature_cycles_per_bit", cycles, "zero or more, and finite"
        )

    @property
    def small_frame_s(self) -> float:
        """A frame on the small model."""
        return self.small_gop / (1e3 * self.utilisation * self.sensing_tops)

    @property
    def large_frame_s(self) -> float:
        """A frame on the large model of an otherwise idle computing satellite."""
        return self.large_gop / (1e3 * self.utilisation * self.computing_tops)

    @property
    def feature_s_per_mbit(self) -> float:
        """Feature extraction from a raw Mbit."""
        return self.feature_cycles_per_bit / (1e3 * self.utilisation * self.sensing_ghz)


class ScheduleName(str, Enum):
    """How ratios change between two routings; see `offload.schedules`."""

    bisection = "bisection"
    balance = "balance"
    coordinate = "coordinate"


@dataclass(frozen=True)
class SearchConfig:
    """The search for allocation ratios; `PAPER_SEARCH` is Algorithm 1 as printed.

    schedule: how ratios change. iterations: K_max, routings at most. initial_ratio: a to start from.
    stop_when_worse: stop a world as soon as its mean service delay exceeds that of the iteration before. Either way the
        best iteration is returned.
    tolerance: a task is in balance when its branches differ by at most this share of the longer one.
    damping: part of the way to the balance that schedule `balance` goes (1: all of it).
    polish: after every routing, move every task to its best number of frames on the paths found, where that helps. It
        takes no routing.
    contested: with `polish`, a world is routed again only if a packet is to appear or vanish, or if its data packets
        lose at least this share of its mean service delay to others: there is little else to gain.
    """

    schedule: ScheduleName = ScheduleName.balance
    iterations: int = 2
    initial_ratio: float = 0.5
    stop_when_worse: bool = False
    tolerance: float = 0.01
    damping: float = 1.0
    polish: bool = True
    contested: float = 0.08

    def __post_init__(self) -> None:
        require(self.iterations >= 1, "offload.search.iterations", self.iterations, "at least 1")
        ratio = self.initial_ratio
        require(0 <= ratio <= 1, "offload.search.initial_ratio", ratio, "between 0 and 1")
        require(self.tolerance >= 0, "offload.search.tolerance", self.tolerance, "zero or more")
        require(0 < self.damping <= 1, "offload.search.damping", self.damping, "above 0, at most 1")
        require(0 <= self.contested < 1, "offload.search.contested", self.contested, "from 0 to below 1")


PAPER_SEARCH = SearchConfig(
    schedule=ScheduleName.bisection, iterations=12, stop_when_worse=True, polish=False, contested=0.0
)
"""Algorithm 1 as the paper has it."""


@dataclass(frozen=True)
class OffloadConfig:
    """Everything about deciding what to compute where.

    schemes: schemes of your own that are compared besides the built-in ones, as `module:maker` (docs/extending.md).
    large_model, small_model: files of the accuracy models f and h (`python -m offload.fit` writes such); null: those
        that come with LEOMix.
    """

    frames: FramesConfig = field(default_factory=FramesConfig)
    model: ModelUpdateConfig = field(default_factory=ModelUpdateConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    schemes: tuple[str, ...] = ()
    large_model: str | None = None
    small_model: str | None = None
