"""Walker constellations: who flies where, who is linked to whom, and whether they would hit each other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import torch
from sgp4.api import Satrec
from torch import Tensor

from envs.config import require
from envs.constellation.fleet import (
    FORE,
    OPPOSITE,
    RIGHT,
    SAFE_APPROACH_KM,
    CircularElements,
    ConstellationError,
)
from envs.constellation.wiring import least_versine
from envs.earth import EARTH_RADIUS_KM
from envs.orbit import DAY_START, positions_km, satrecs


@dataclass(frozen=True)
class Constellation:
    """A Walker constellation (J. G. Walker, JBIS 37, 1984): equal circular orbits in evenly spread planes.

    Satellite `plane * satellites_per_plane + slot`; slots count in the direction of flight, planes eastward.

    delta: ascending nodes spread over 360 degrees; every plane is `phasing / n_satellites` of a turn ahead of
        the plane before it, hence plane P-1 slot s flies beside plane 0 slot s + phasing.
    star: ascending nodes spread over 180 degrees; phasing 1 sets odd planes half a slot ahead (as Iridium
        does), 0 none. The first and the last plane fly in opposite directions: no links across this seam.

    polar_cutoff_deg: links between planes are off while either end is above this latitude; None: never.

    It is a `Fleet`: equal circular `elements`, propagated with J2 or SGP4.

    Raises `ConfigError` naming the field for impossible values.
    """

    name: str
    pattern: Literal["delta", "star"]
    planes: int
    satellites_per_plane: int
    altitude_km: float
    inclination_deg: float
    phasing: int
    polar_cutoff_deg: float | None = None

    def __post_init__(self) -> None:
        require(self.pattern in ("delta", "star"), "constellation.pattern", self.pattern, "'delta' or 'star'")
        require(self.planes >= 1, "constellation.planes", self.planes, "at least 1")
        require(
            self.satellites_per_plane >= 1,
            "constellation.satellites_per_plane",
            self.satellites_per_plane,
            "at least 1",
        )
        require(
            self.planes * self.satellites_per_plane >= 2,
            "constellation.satellites_per_plane",
            self.satellites_per_plane,
            "a constellation has at least 2 satellites",
        )
        require(
            160 <= self.altitude_km <= 2000,
            "constellation.altitude_km",
            self.altitude_km,
            "160 to 2000 (low Earth orbit)",
        )
        require(
            0 <= self.inclination_deg <= 180,
            "constellation.inclination_deg",
            self.inclination_deg,
            "0 to 180",
        )
        if self.pattern == "delta":
            most, meaning = self.planes - 1, f"0 to planes - 1 = {self.planes - 1}"
        else:
            most, meaning = 1, "in a star 0 (planes level) or 1 (odd planes half a slot ahead)"
        require(0 <= self.phasing <= most, "constellation.phasing", self.phasing, meaning)
        require(
            self.polar_cutoff_deg is None or 0 < self.polar_cutoff_deg <= 90,
            "constellation.polar_cutoff_deg",
            self.polar_cutoff_deg,
            "a latitude above 0 and up to 90, or null for none",
        )

    @property
    def n_satellites(self) -> int:
        """V."""
        return self.planes * self.satellites_per_plane

    @property
    def plane(self) -> Tensor:
        """[V] int64, the plane of every satellite."""
        return torch.arange(self.planes).repeat_interleave(self.satellites_per_plane)

    @property
    def slot(self) -> Tensor:
        """[V] int64, the place of every satellite within its plane."""
        return torch.arange(self.satellites_per_plane).repeat(self.planes)

    @property
    def turns(self) -> Tensor:
        """[V, 2] float32: plane over planes, and slot over slots."""
        return torch.stack([self.plane / self.planes, self.slot / self.satellites_per_plane], 1)

    @property
    def day_start(self) -> datetime:
        """Start of the simulated day, the same for all Walker constellations."""
        return DAY_START

    @property
    def max_link_km(self) -> None:
        """None: a link is as long as its line of sight allows."""
        return None

    @property
    def warnings(self) -> tuple[str, ...]:
        """None: what does not fit is an error."""
        return ()

    def elements(self) -> CircularElements:
        """Mean elements of every satellite at the start of the simulated day."""
        turn = 2 * math.pi
        plane, slot = self.plane.double(), self.slot.double()
        if self.pattern == "delta":
            raan = turn * plane / self.planes
            ahead = turn * self.phasing * plane / self.n_satellites
        else:
            raan = turn / 2 * plane / self.planes
            ahead = turn / 2 * self.phasing * (plane % 2) / self.satellites_per_plane
        return CircularElements(
            semi_major_axis_km=torch.full_like(plane, EARTH_RADIUS_KM + self.altitude_km),
            inclination_rad=torch.full_like(plane, math.radians(self.inclination_deg)),
            raan_rad=raan,
            argument_of_latitude_rad=turn * slot / self.satellites_per_plane + ahead,
        )

    def neighbours(self) -> Tensor:
        """[V, 4] int64: the satellite in each direction. Links that `wired` rules out still have an index."""
        plane, slot = self.plane, self.slot
        shift = self.phasing if self.pattern == "delta" else 0
        beyond_first = shift * (plane == 0).long()
        beyond_last = shift * (plane == self.planes - 1).long()
        return torch.stack(
            [
                self._index(plane, slot + 1),
                self._index(plane, slot - 1),
                self._index(plane - 1, slot - beyond_first),
                self._index(plane + 1, slot + beyond_last),
            ],
            dim=1,
        )

    def wired(self) -> Tensor:
        """[V, 4] bool: the links that can ever be up.

        False across a star's seam, from a satellite to itself (one plane, or one slot), and for all but the
        first of several links between the same two satellites (two planes, or two slots). True iff true from
        the far end.
        """
        neighbours = self.neighbours()
        wired = torch.zeros_like(neighbours, dtype=torch.bool)
        seen: set[tuple[int, int]] = set()
        for direction in (FORE, RIGHT):  # the other two are the same links seen from the far end
            for here, there in enumerate(neighbours[:, direction].tolist()):
                pair = (min(here, there), max(here, there))
                if here == there or pair in seen or self._crosses_seam(here, direction):
                    continue
                seen.add(pair)
                wired[here, direction] = wired[there, OPPOSITE[direction]] = True
        return wired

    def closest_approach(self) -> tuple[float, int, int]:
        """Smallest distance two satellites ever have, and who they are: (km, satellite, satellite).

        By `least_versine`; it stays so: J2 moves all nodes, and all phases, alike. A plane looks the same from
        each of its satellites: the first one stands for all.
        """
        elements = self.elements()
        raan = elements.raan_rad.numpy()
        phase = elements.argument_of_latitude_rad.numpy()
        first = np.arange(0, self.n_satellites, self.satellites_per_plane)  # [planes]
        cos_i = math.cos(math.radians(self.inclination_deg))
        versine = least_versine(raan[None, :] - raan[first, None], phase[None, :] - phase[first, None], cos_i)
        versine[np.arange(self.planes), first] = np.inf  # not to itself
        row, other = np.unravel_index(np.argmin(versine), versine.shape)
        chord = math.sqrt(max(2 * float(versine[row, other]), 0.0))  # in radii
        return (EARTH_RADIUS_KM + self.altitude_km) * chord, int(first[row]), int(other)

    def check(self) -> None:
        """Raise `ConstellationError` if two satellites ever come closer than `SAFE_APPROACH_KM`."""
        distance_km, a, b = self.closest_approach()
        if distance_km < SAFE_APPROACH_KM:
            raise ConstellationError(
                f"constellation {self.name!r}: satellites {a} ({self._place(a)}) and {b} ({self._place(b)}) "
                f"come within {distance_km:.1f} km of each other (allowed: {SAFE_APPROACH_KM:g} km or more); "
                f"choose another constellation.phasing (now {self.phasing}) or "
                f"constellation.inclination_deg (now {self.inclination_deg:g})"
            )

    def satrecs(self) -> list[Satrec]:
        """One SGP4 model per satellite, of the mean elements and without drag."""
        return satrecs(self)

    def positions_km(self, time_s: Tensor, propagator: str = "j2") -> Tensor:
        """Positions [T, V, 3] float32 in km (TEME) at `time_s` [T]; propagator: one of `envs.orbit.PROPAGATORS`."""
        return positions_km(self, time_s, propagator)

    def _index(self, plane: Tensor, slot: Tensor) -> Tensor:
        return (plane % self.planes) * self.satellites_per_plane + slot % self.satellites_per_plane

    def _place(self, satellite: int) -> str:
        plane, slot = divmod(satellite, self.satellites_per_plane)
        return f"plane {plane} slot {slot}"

    def _crosses_seam(self, satellite: int, direction: int) -> bool:
        last = satellite // self.satellites_per_plane == self.planes - 1
        return self.pattern == "star" and direction == RIGHT and last


CONSTELLATIONS: dict[str, Constellation] = {
    preset.name: preset
    for preset in (
        Constellation("walker_12x24", "delta", 12, 24, 1000.0, 53.0, 1),
        Constellation("iridium_star", "star", 6, 11, 780.0, 86.4, 1, polar_cutoff_deg=70.0),
        Constellation("starlink_72x22", "delta", 72, 22, 550.0, 53.0, 39),
        Constellation("star_8x12", "star", 8, 12, 1000.0, 87.0, 1, polar_cutoff_deg=70.0),
        Constellation("walker_36x20", "delta", 36, 20, 570.0, 70.0, 25),
    )
}
"""Presets by name; `walker_12x24` is the default everywhere."""
