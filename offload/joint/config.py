"""Settings of the joint experiment: which frames, how accurate, and where the ground station is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from agents.routers import ROUTERS
from envs.config import ConfigError, require
from models.profile import LEAST_TRAINING, ProfileOptions
from models.profile_file import ProfileError
from models.sample import Task


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
class AccuraciesConfig:
    """Accuracies required of a whole task, by the kind of its frames; every value is an experiment of its own."""

    question: tuple[float, ...] = (0.9, 0.93, 0.94, 0.95, 0.96)
    scene: tuple[float, ...] = (0.82, 0.83, 0.835, 0.84, 0.845)
    boxes: tuple[float, ...] = (0.6, 0.65, 0.7, 0.75, 0.78)

    def __post_init__(self) -> None:
        for task in Task:
            values, name = self.of(task.value), f"joint.accuracies.{task.value}"
            require(len(values) > 0, name, values, "at least one")
            require(min(values) > 0 and max(values) < 1, name, values, "between 0 and 1")
            require(list(values) == sorted(set(values)), name, values, "ascending, each once")

    def of(self, task: str) -> tuple[float, ...]:
        """Those of the kind `task`."""
        values: tuple[float, ...] = getattr(self, task)
        return values


@dataclass(frozen=True)
class JointConfig:
    """Settings of `evaluate.py experiment=joint`.

    small, large, data, folder, calibration: as `python -m models.profile` takes them. tasks: kinds of frames, each is
    an experiment of its own (`models.sample.Task`). gate_samples: samples that fit the gate. profiled: frames measured,
    at most; in half of the worlds tasks are made of one half of them and the other teaches what to expect, in the other
    worlds it is the other way round. profiles: folder where profiles are kept. measure: whether frames are measured
    where a profile is missing or stale; else that is an error.
    seeds: each has its own samples, gate, frames and worlds.
    frames: fewest and most frames of a task. pixels: of a frame, every value is an experiment of its own.
    accuracies: required of a whole task. classes: of confidence that are told apart.
    router: routes where there is no policy. other_routers: carry data to the computing satellite as well.
    """

    small: str = "pair-small"
    large: str = "pair-large"
    data: str = "procedural"
    folder: str = ""
    tasks: tuple[str, ...] = ("question", "scene", "boxes")
    calibration: str = ""
    gate_samples: int = 800
    profiled: int = 2000
    profiles: str = "outputs/profiles"
    measure: bool = True
    seeds: tuple[int, ...] = (0, 1, 2)
    frames: tuple[int, int] = (100, 600)
    pixels: tuple[int, ...] = (65536, 1048576)
    accuracies: AccuraciesConfig = field(default_factory=AccuraciesConfig)
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
        require(
            len(self.pixels) > 0 and min(self.pixels) > 0,
            "joint.pixels",
            self.pixels,
            "at least one, all positive",
        )
        kinds = [task.value for task in Task]
        known = set(self.tasks) <= set(kinds) and len(set(self.tasks)) == len(self.tasks)
        require(
            known and len(self.tasks) > 0, "joint.tasks", self.tasks, f"some of {', '.join(kinds)}, each once"
        )
        require(
            self.gate_samples >= LEAST_TRAINING or bool(self.calibration),
            "joint.gate_samples",
            self.gate_samples,
            f"{LEAST_TRAINING} or more, which fit a gate",
        )
        most = asked // 20
        require(1 <= self.classes <= most, "joint.classes", self.classes, f"1 to {most}, profiled / 40")
        for name in (self.router, *self.other_routers):
            require(name in ROUTERS, "joint.router or joint.other_routers", name, f"of {', '.join(ROUTERS)}")
        for task in self.tasks:
            for seed in self.seeds:
                self.profile(task, seed)

    def profile(self, task: str, seed: int) -> ProfileOptions:
        """What is profiled of frames of the kind `task` for `seed`, and the file where it is kept."""
        try:
            return ProfileOptions(
                small=self.small,
                large=self.large,
                data=self.data,
                folder=self.folder,
                task=task,
                frames=self.profiled,
                training=self.gate_samples,
                calibration=self.calibration,
                seed=seed,
                out=str(Path(self.profiles) / f"{task}-{seed}.safetensors"),
            )
        except ProfileError as error:
            raise ConfigError(f"joint.{error}") from error
