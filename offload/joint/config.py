"""Settings of the joint experiment: which frames, how accurate, and where the ground station is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from agents.routers import ROUTERS
from envs.config import ConfigError, require
from models.profile import ProfileOptions
from models.profile_file import ProfileError


@dataclass(frozen=True)
class StationConfig:
    """The ground station of the comparison, and its downlink.

    latitude_deg, longitude_deg: where it is. mask_deg: the elevation below which it hears nothing.
    downlink_mbps: rate in contact. hours: how far contacts are looked for.
    """

    latitude_deg: float = 31.3
    longitude_deg: float = 121.5
    mask_deg: float = 25.0
    downlink_mbps: float = 110.67
    hours: float = 96.0

    def __post_init__(self) -> None:
        for name, low, high in (("latitude_deg", -90, 90), ("longitude_deg", -180, 360), ("mask_deg", 0, 90)):
            value = getattr(self, name)
            require(low <= value <= high, f"joint.station.{name}", value, f"{low} to {high}")
        require(self.downlink_mbps > 0, "joint.station.downlink_mbps", self.downlink_mbps, "positive")
        require(
            self.hours > 24, "joint.station.hours", self.hours, "more than 24, the day that tasks arise in"
        )


@dataclass(frozen=True)
class JointConfig:
    """Settings of `evaluate.py experiment=joint`.

    small, large, data, folder, task, calibration: as `python -m models.profile` takes them. gate_samples: samples that
    fit the gate. profiled: frames measured; in half of the worlds tasks are made of one half of them and the other
    teaches what to expect, in the other worlds it is the other way round. profiles: folder where profiles are kept.
    seeds: each has its own samples, gate, frames and worlds.
    frames: fewest and most frames of a task. pixels: of a frame, every value is an experiment of its own.
    accuracies: required of a whole task. classes: of confidence that are told apart.
    router: routes where there is no policy. other_routers: carry data to the computing satellite as well.
    """

    small: str = "pair-small"
    large: str = "pair-large"
    data: str = "procedural"
    folder: str = ""
    task: str = "question"
    calibration: str = ""
    gate_samples: int = 800
    profiled: int = 2000
    profiles: str = "outputs/profiles"
    seeds: tuple[int, ...] = (0, 1)
    frames: tuple[int, int] = (100, 600)
    pixels: tuple[int, ...] = (65536, 1048576)
    accuracies: tuple[float, ...] = (0.9, 0.93, 0.94, 0.95, 0.96)
    classes: int = 8
    router: str = "look_ahead_3"
    other_routers: tuple[str, ...] = ("dijkstra",)
    station: StationConfig = field(default_factory=StationConfig)

    def __post_init__(self) -> None:
        require(len(self.seeds) > 0 and min(self.seeds) >= 0, "joint.seeds", self.seeds, "numbers from 0 on")
        low, high = self.frames
        asked = self.profiled // 2
        require(
            1 <= low <= high <= asked,
            "joint.frames",
            self.frames,
            f"1 <= fewest <= most <= {asked}, half of the frames profiled",
        )
        for name in ("pixels", "accuracies"):
            values = getattr(self, name)
            require(
                len(values) > 0 and min(values) > 0, f"joint.{name}", values, "at least one, all positive"
            )
        require(max(self.accuracies) < 1, "joint.accuracies", self.accuracies, "below 1")
        most = asked // 20
        require(1 <= self.classes <= most, "joint.classes", self.classes, f"1 to {most}, profiled / 40")
        for name in (self.router, *self.other_routers):
            require(name in ROUTERS, "joint.router or joint.other_routers", name, f"of {', '.join(ROUTERS)}")
        for seed in self.seeds:
            self.profile(seed)

    def profile(self, seed: int) -> ProfileOptions:
        """What is profiled for `seed`, and the file where it is kept."""
        try:
            return ProfileOptions(
                small=self.small,
                large=self.large,
                data=self.data,
                folder=self.folder,
                task=self.task,
                frames=self.profiled,
                training=self.gate_samples,
                calibration=self.calibration,
                seed=seed,
                out=str(Path(self.profiles) / f"{self.task}-{seed}.safetensors"),
            )
        except ProfileError as error:
            raise ConfigError(f"joint.{error}") from error
