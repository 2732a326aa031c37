"""A fleet as it really flies: one shell of the satellites in a file of two-line elements, moved by SGP4."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import compress
from pathlib import Path

import numpy as np
import torch
from sgp4.api import SGP4_ERRORS, WGS72, Satrec, SatrecArray, jday
from torch import Tensor

from envs.config import ConfigError, require
from envs.constellation.fleet import CircularElements
from envs.constellation.shells import Shell, find_planes, find_shells, in_flight_order
from envs.constellation.tle_file import BrokenLine, TleRecord, read_tle
from envs.constellation.wiring import least_versine, wire_planes
from envs.earth import EARTH_RADIUS_KM

FEWEST_SATELLITES = 4
"""A shell of fewer is none."""
WIDE_PLANE_DEG = 2.0
"""A plane whose nodes spread over more than this is worth a warning."""

_SHOWN = 5  # names listed in a warning


@dataclass(frozen=True)
class TleFleet:
    """The satellites of one shell in a TLE file; missing and drifting ones are as the file has them.

    name: in tables.
    file: path of the TLE file (lines of names are optional).
    shell: `inclination/altitude` in degrees and km, such as `53/550`: the shell nearest to it; None: the largest.
    date: the simulated day (UTC, `YYYY-MM-DD`); None: the day of the elements' median epoch.
    max_age_days: satellites whose elements are older or newer at noon of that day are left out.
    skip_broken: go on without the satellites whose lines are broken, instead of refusing the file.
    inclination_within_deg, altitude_within_km: satellites this near to the middle of a shell belong to it.
    plane_gap_deg: a plane ends where the next ascending node is further east than this.
    max_link_km: longer links are off, and planes further apart are not linked.
    polar_cutoff_deg: links between planes are off while either end is above this latitude; None: never.

    The planes and the order in them are those of noon of the simulated day and hold all day. Whatever `propagator`
    is asked for, satellites move by SGP4, the only model in which two-line elements mean anything.

    Raises `ConfigError` naming the field for impossible values; the file is read once in a
    process, at the first use (`check` is one).
    """

    file: str | None = None
    name: str = "tle"
    shell: str | None = None
    date: str | None = None
    max_age_days: float = 7.0
    skip_broken: bool = False
    inclination_within_deg: float = 0.1
    altitude_within_km: float = 6.0
    plane_gap_deg: float = 1.0
    max_link_km: float = 5000.0
    polar_cutoff_deg: float | None = None

    def __post_init__(self) -> None:
        for field in (
            "max_age_days",
            "inclination_within_deg",
            "altitude_within_km",
            "plane_gap_deg",
            "max_link_km",
        ):
            require(getattr(self, field) > 0, f"constellation.{field}", getattr(self, field), "positive")
        require(
            self.polar_cutoff_deg is None or 0 < self.polar_cutoff_deg <= 90,
            "constellation.polar_cutoff_deg",
            self.polar_cutoff_deg,
            "a latitude above 0 and up to 90, or null for none",
        )
        if self.date is not None:
            _day(self.date)
        if self.shell is not None:
            _shell_wanted(self.shell)

    @property
    def n_satellites(self) -> int:
        """V."""
        return len(self._flying.records)

    @property
    def plane(self) -> Tensor:
        """[V] int64, the plane of every satellite."""
        return self._flying.plane

    @property
    def slot(self) -> Tensor:
        """[V] int64, the place of every satellite within its plane."""
        return self._flying.slot

    @property
    def planes(self) -> int:
        """How many planes there are."""
        return int(self.plane[-1]) + 1

    @property
    def turns(self) -> Tensor:
        """[V, 2] float32: ascending node and angle from it at noon, in turns."""
        elements = self.elements()
        angles = torch.stack([elements.raan_rad, elements.argument_of_latitude_rad], 1)
        return (angles / (2 * math.pi)).float()

    def elements(self) -> CircularElements:
        """Mean elements of every satellite at noon of the simulated day; eccentricities are left out."""
        return self._flying.elements

    def closest_approach(self) -> tuple[float, int, int]:
        """Smallest distance two satellites have on an orbit, by their mean elements at noon, and who they are.

        A few km beside the truth: orbits are not quite circles, nor of one inclination.
        """
        elements = self.elements()
        axis, raan, phase = (
            x.numpy()
            for x in (
                elements.semi_major_axis_km,
                elements.raan_rad,
                elements.argument_of_latitude_rad,
            )
        )
        cos_i = math.cos(math.radians(self.chosen_shell.inclination_deg))
        versine = least_versine(raan[None] - raan[:, None], phase[None] - phase[:, None], cos_i)  # [V, V]
        squared = (axis[None] - axis[:, None]) ** 2 + 2 * axis[None] * axis[:, None] * np.clip(
            versine, 0, None
        )
        np.fill_diagonal(squared, np.inf)
        a, b = np.unravel_index(np.argmin(squared), squared.shape)
        return math.sqrt(squared[a, b]), int(a), int(b)

    @property
    def records(self) -> tuple[TleRecord, ...]:
        """What the file says of every satellite."""
        return self._flying.records

    @property
    def chosen_shell(self) -> Shell:
        """The shell that flies; its members are V satellites in the order of the file."""
        return self._flying.shell

    @property
    def shells(self) -> tuple[Shell, ...]:
        """All shells of the file, the largest first."""
        return self._flying.shells

    @property
    def day_start(self) -> datetime:
        """Start of the simulated day (UTC)."""
        return self._flying.day_start

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out, and what looks odd."""
        return self._flying.warnings

    def neighbours(self) -> Tensor:
        """[V, 4] int64; a satellite that has no neighbour in a direction has itself there."""
        return self._flying.neighbours

    def wired(self) -> Tensor:
        """[V, 4] bool: the links that can ever be up. True iff true from the far end."""
        return self._flying.wired

    def check(self) -> None:
        """Read the file; raises `ConfigError` where it cannot be used."""
        _ = self._flying

    def satrecs(self) -> list[Satrec]:
        """One SGP4 model per satellite, of the file's elements."""
        return list(self._flying.satrecs)

    def positions_km(self, time_s: Tensor, propagator: str = "j2") -> Tensor:
        """Positions [T, V, 3] float32 in km (TEME) at `time_s` [T], by SGP4 whatever the `propagator`.

        Raises `ConfigError` where SGP4 reports an error.
        """
        seconds = time_s.double().numpy()
        error, position = _propagate(self._flying.model, self.day_start, seconds)
        if error.any():
            satellite, slot = np.argwhere(error)[0]
            record = self.records[satellite]
            raise ConfigError(
                f"time_s[{slot}]={seconds[slot]}: SGP4 fails for {_label(record)}: "
                f"{SGP4_ERRORS[int(error[satellite, slot])]}"
            )
        return torch.from_numpy(position.astype(np.float32)).transpose(0, 1).contiguous()

    @property
    def _flying(self) -> _Flying:
        return _fly(self)


@dataclass(frozen=True)
class _Flying:
    """What a `TleFleet` comes to."""

    records: tuple[TleRecord, ...]
    satrecs: tuple[Satrec, ...]
    model: SatrecArray
    shell: Shell
    shells: tuple[Shell, ...]
    day_start: datetime
    plane: Tensor  # [V] int64
    slot: Tensor  # [V] int64
    elements: CircularElements
    neighbours: Tensor  # [V, 4] int64
    wired: Tensor  # [V, 4] bool
    warnings: tuple[str, ...]


@lru_cache(maxsize=4)
def _fly(fleet: TleFleet) -> _Flying:
    if fleet.file is None:
        raise ConfigError("constellation.file is missing: name a file of two-line elements")
    path, warnings = Path(fleet.file), []
    records, satrecs, day_start = _usable(fleet, path, warnings)
    shells = find_shells(
        np.degrees([one.inclo for one in satrecs]),
        np.array([one.a * one.radiusearthkm - EARTH_RADIUS_KM for one in satrecs]),
        fleet.inclination_within_deg,
        fleet.altitude_within_km,
        FEWEST_SATELLITES,
    )
    shell = _choose(path, shells, fleet.shell, len(records))
    raan, phase = _orbit_angles(SatrecArray([satrecs[i] for i in shell.members]), day_start)
    planes = find_planes(raan, math.radians(fleet.plane_gap_deg))
    spread = [np.degrees((raan[plane[-1]] - raan[plane[0]]) % (2 * np.pi)) for plane in planes]
    order = list(in_flight_order(planes, phase))
    sizes = np.array([len(plane) for plane in order])
    for k in np.flatnonzero(np.array(spread) > WIDE_PLANE_DEG):
        warnings.append(
            f"the ascending nodes of plane {k} ({sizes[k]} satellites) spread over {spread[k]:.1f} degrees"
        )
    if (alone := int((sizes == 1).sum())) and len(sizes) > 1:
        warnings.append(f"{alone} planes have a single satellite")
    # Renumber: plane by plane, in the direction of flight.
    flight = np.concatenate(order)
    raan, phase = raan[flight], phase[flight]
    member = [int(i) for i in shell.members[flight]]
    flying = [satrecs[i] for i in member]
    starts = np.cumsum(sizes) - sizes
    neighbours, wired = wire_planes(
        [np.arange(start, start + size) for start, size in zip(starts, sizes, strict=True)],
        raan,
        phase,
        math.cos(math.radians(shell.inclination_deg)),
        EARTH_RADIUS_KM + shell.altitude_km,
        fleet.max_link_km,
    )
    return _Flying(
        records=tuple(records[i] for i in member),
        satrecs=tuple(flying),
        model=SatrecArray(flying),
        shell=shell,
        shells=tuple(shells),
        day_start=day_start,
        plane=torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes)),
        slot=torch.from_numpy(np.concatenate([np.arange(size) for size in sizes])),
        elements=CircularElements(
            semi_major_axis_km=torch.tensor([s.a * s.radiusearthkm for s in flying], dtype=torch.float64),
            inclination_rad=torch.tensor([s.inclo for s in flying], dtype=torch.float64),
            raan_rad=torch.from_numpy(raan),
            argument_of_latitude_rad=torch.from_numpy(phase),
        ),
        neighbours=torch.from_numpy(neighbours),
        wired=torch.from_numpy(wired),
        warnings=tuple(warnings),
    )


def _usable(
    fleet: TleFleet, path: Path, warnings: list[str]
) -> tuple[list[TleRecord], list[Satrec], datetime]:
    """The satellites of the file that can fly, in its order, each once, and the day: records, SGP4 models, its start.

    Adds to `warnings` what is left out. Raises ConfigError where nothing is left, or lines are broken that must not be.
    """
    records, broken = read_tle(path)
    if broken:
        _refuse_broken(path, broken, fleet.skip_broken)
        warnings.append(f"{len(broken)} broken lines left out: {_listed([str(line) for line in broken])}")
    if not records:
        raise ConfigError(f"constellation.file={str(path)!r} is not possible: it holds no two-line elements")
    satrecs = [Satrec.twoline2rv(record.line1, record.line2, WGS72) for record in records]
    epoch = np.array([one.jdsatepoch + one.jdsatepochF for one in satrecs])

    newest: dict[str, int] = {}
    for i, record in enumerate(records):
        known = newest.setdefault(record.catalogue_number, i)
        if epoch[i] > epoch[known]:
            newest[record.catalogue_number] = i
    older = np.ones(len(records), dtype=bool)
    older[list(newest.values())] = False
    if older.any():
        names = _names(list(compress(records, older)))
        warnings.append(f"{older.sum()} older elements of satellites listed twice left out: {names}")
    records, satrecs, epoch = list(compress(records, ~older)), list(compress(satrecs, ~older)), epoch[~older]

    day_start = _day(fleet.date) if fleet.date else _day_of(float(np.median(epoch)))
    stale = np.asarray(np.abs(_julian(day_start) + 0.5 - epoch) > fleet.max_age_days)
    if stale.all():
        raise ConfigError(
            f"constellation.file={str(path)!r} is not possible on {day_start:%Y-%m-%d}: all its elements are more "
            f"than {fleet.max_age_days:g} days from it (they are of {_day_of(epoch.min()):%Y-%m-%d} to "
            f"{_day_of(epoch.max()):%Y-%m-%d}); set constellation.date or constellation.max_age_days"
        )
    if stale.any():
        warnings.append(
            f"{stale.sum()} satellites left out, their elements are more than {fleet.max_age_days:g} days from "
            f"{day_start:%Y-%m-%d}: {_names(list(compress(records, stale)))}"
        )
    records, satrecs = list(compress(records, ~stale)), list(compress(satrecs, ~stale))

    error, _ = _propagate(SatrecArray(satrecs), day_start, np.array([0.0, 43200.0, 86400.0]))
    lost = np.asarray(error.any(1))
    if lost.any():
        warnings.append(f"SGP4 fails, left out: {_names(list(compress(records, lost)))}")
    return list(compress(records, ~lost)), list(compress(satrecs, ~lost)), day_start


def _propagate(model: SatrecArray, day_start: datetime, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """SGP4's error codes [V, T] and positions [V, T, 3] in km (TEME) at `seconds` [T] of the day."""
    error, position, _ = model.sgp4(np.full_like(seconds, _julian(day_start)), seconds / 86400)
    return error, position


def _orbit_angles(model: SatrecArray, day_start: datetime) -> tuple[np.ndarray, np.ndarray]:
    """Ascending node and angle from it [V], radians 0 to 2 pi, at noon: SGP4 takes all elements to one moment."""
    _, position, velocity = model.sgp4(np.array([_julian(day_start)]), np.array([0.5]))
    position, velocity = position[:, 0], velocity[:, 0]
    normal = np.cross(position, velocity)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    raan = np.arctan2(normal[:, 0], -normal[:, 1])
    node = np.stack([np.cos(raan), np.sin(raan), np.zeros_like(raan)], 1)
    ahead = np.cross(normal, node)  # a quarter turn on from the node
    phase = np.arctan2((position * ahead).sum(1), (position * node).sum(1))
    return raan % (2 * np.pi), phase % (2 * np.pi)


def _choose(path: Path, shells: Sequence[Shell], wanted: str | None, n_satellites: int) -> Shell:
    """The shell that `wanted` means; raises ConfigError where there is none."""
    if not shells:
        raise ConfigError(
            f"constellation.file={str(path)!r} is not possible: of its {n_satellites} satellites no "
            f"{FEWEST_SATELLITES} share inclination and altitude; widen constellation.inclination_within_deg or "
            "constellation.altitude_within_km"
        )
    if wanted is None:
        return shells[0]
    inclination, altitude = _shell_wanted(wanted)
    distance = [
        max(abs(shell.inclination_deg - inclination) / 0.5, abs(shell.altitude_km - altitude) / 20)
        for shell in shells
    ]
    nearest = int(np.argmin(distance))
    if distance[nearest] > 1:
        known = ", ".join(f"{shell.name} ({len(shell.members)} satellites)" for shell in shells[:12])
        more = f" and {len(shells) - 12} smaller ones" if len(shells) > 12 else ""
        raise ConfigError(f"constellation.shell={wanted!r} is not possible: the file has {known}{more}")
    return shells[nearest]


def _refuse_broken(path: Path, broken: Sequence[BrokenLine], skip: bool) -> None:
    if not skip:
        more = f" (and {len(broken) - 1} more broken lines)" if len(broken) > 1 else ""
        raise ConfigError(
            f"constellation.file={str(path)!r}, {broken[0]}{more}: get the file again, or set "
            "constellation.skip_broken=true to go on without"
        )


def _shell_wanted(shell: str) -> tuple[float, float]:
    """Inclination in degrees and altitude in km."""
    try:
        inclination, altitude = map(float, shell.split("/"))
    except ValueError as error:
        raise ConfigError(
            f"constellation.shell={shell!r} is not possible: inclination in degrees / altitude in km, such as 53/550"
        ) from error
    return inclination, altitude


def _day(text: str) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"constellation.date={text!r} is not possible: a day such as 2025-10-18") from error
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _julian(day_start: datetime) -> float:
    whole, fraction = jday(day_start.year, day_start.month, day_start.day, 0, 0, 0)
    return whole + fraction


def _day_of(julian: float) -> datetime:
    """Start of the day (UTC) that a Julian date lies in."""
    return datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=math.floor(julian - 2451544.5))


def _label(record: TleRecord) -> str:
    return record.name or f"satellite {record.catalogue_number}"


def _names(records: Sequence[TleRecord]) -> str:
    return _listed([_label(record) for record in records])


def _listed(items: Sequence[str]) -> str:
    shown = ", ".join(items[:_SHOWN])
    return shown if len(items) <= _SHOWN else f"{shown} and {len(items) - _SHOWN} more"
