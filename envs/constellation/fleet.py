"""What a constellation is to the rest of the program: who is linked to whom in which direction, and where they fly."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sgp4.api import Satrec
from torch import Tensor

from envs.config import ConfigError

FORE, AFT, LEFT, RIGHT = range(4)
"""Directions of the four links: slot + 1, slot - 1 (same plane), plane - 1, plane + 1."""
OPPOSITE = (AFT, FORE, RIGHT, LEFT)
"""A link that leaves in direction d arrives from direction OPPOSITE[d]."""

SAFE_APPROACH_KM = 5.0
"""Two satellites that ever come closer than this are taken to be on a collision course."""


class ConstellationError(ConfigError):
    """The satellites of a constellation pass dangerously close to each other."""


@dataclass(frozen=True)
class CircularElements:
    """Mean orbital elements of V satellites on (nearly) circular orbits at one moment (TEME).

    The moment: the start of the simulated day for a Walker constellation, its noon for a fleet from a TLE file.
    """

    semi_major_axis_km: Tensor  # [V] float64
    inclination_rad: Tensor  # [V] float64
    raan_rad: Tensor  # [V] float64, right ascension of the ascending node
    argument_of_latitude_rad: Tensor  # [V] float64, angle from the ascending node


class Fleet(Protocol):
    """V satellites in planes, each with up to four neighbours.

    A fleet is a small value (frozen, hashable, picklable) that describes satellites; what is derived from it is
    found again in every process. Satellites are numbered plane by plane, planes eastward, and within a plane in the
    direction of flight.
    """

    @property
    def name(self) -> str:
        """Short name, in tables and file names."""
        ...

    @property
    def n_satellites(self) -> int:
        """V."""
        ...

    @property
    def plane(self) -> Tensor:
        """[V] int64, the plane of every satellite."""
        ...

    @property
    def slot(self) -> Tensor:
        """[V] int64, the place of every satellite within its plane."""
        ...

    @property
    def turns(self) -> Tensor:
        """[V, 2] float32: where in the ring of planes and where in its plane a satellite is, in turns (0 to 1)."""
        ...

    @property
    def day_start(self) -> datetime:
        """Start of the simulated day (UTC)."""
        ...

    @property
    def polar_cutoff_deg(self) -> float | None:
        """Links between planes are off while either end is above this latitude; None: never."""
        ...

    @property
    def max_link_km(self) -> float | None:
        """Links longer than this are off; None: there is no such limit."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know about this fleet, one sentence each."""
        ...

    def elements(self) -> CircularElements:
        """Mean elements of every satellite."""
        ...

    def closest_approach(self) -> tuple[float, int, int]:
        """Smallest distance two satellites have, by their mean elements, and who: (km, satellite, satellite)."""
        ...

    def neighbours(self) -> Tensor:
        """[V, 4] int64: the satellite in each direction. Links that `wired` rules out still have an index."""
        ...

    def wired(self) -> Tensor:
        """[V, 4] bool: the links that can ever be up. True iff true from the far end."""
        ...

    def check(self) -> None:
        """Raise `ConfigError` if the fleet cannot fly."""
        ...

    def satrecs(self) -> list[Satrec]:
        """One SGP4 model per satellite; skyfield takes them by `EarthSatellite.from_satrec`."""
        ...

    def positions_km(self, time_s: Tensor, propagator: str = "j2") -> Tensor:
        """Positions [T, V, 3] float32 in km (TEME) at `time_s` [T], seconds since the start of the day."""
        ...
