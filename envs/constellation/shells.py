"""Which satellites of a fleet fly together: shells by inclination and altitude, planes by ascending node.

Angles are those of one moment, so that precession since the elements' epochs is behind us.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree


@dataclass(frozen=True)
class Shell:
    """Satellites of nearly the same inclination and altitude (medians), by their numbers in the file's order."""

    inclination_deg: float
    altitude_km: float
    members: np.ndarray  # [n] int

    @property
    def name(self) -> str:
        """Inclination in degrees / altitude in km."""
        return f"{self.inclination_deg:.1f}/{self.altitude_km:.0f}"


def find_shells(
    inclination_deg: np.ndarray, altitude_km: np.ndarray, within_deg: float, within_km: float, fewest: int
) -> list[Shell]:
    """Shells of at least `fewest` satellites, the largest first; inclination_deg, altitude_km: [n].

    The densest place comes first: around the satellite with most others within the tolerances, moved to their
    median, everybody within the tolerances is a shell. Then the same among the rest.
    """
    place = np.stack([inclination_deg / within_deg, altitude_km / within_km], 1)
    left = np.arange(len(place))
    shells = []
    while len(left) >= fewest:
        crowd = KDTree(place[left]).query_ball_point(place[left], 1.0, p=np.inf, return_length=True)
        centre = place[left[np.argmax(crowd)]]
        near = (np.abs(place[left] - centre) <= 1).all(1)
        centre = np.median(place[left[near]], axis=0)
        member = (np.abs(place[left] - centre) <= 1).all(1)
        members = left[member]
        if len(members) < fewest:
            break
        shells.append(
            Shell(float(np.median(inclination_deg[members])), float(np.median(altitude_km[members])), members)
        )
        left = left[~member]
    return sorted(shells, key=lambda shell: -len(shell.members))


def find_planes(raan_rad: np.ndarray, gap_rad: float) -> list[np.ndarray]:
    """Planes of satellites with ascending nodes at `raan_rad` [n], eastward: the members of each, int.

    A plane ends where the next node is more than `gap_rad` east. The first plane follows the widest gap.
    """
    east = np.argsort(raan_rad, kind="stable")
    node = raan_rad[east]
    gap = np.diff(node, append=node[0] + 2 * np.pi)  # [n] to the next one east
    east, gap = (np.roll(x, -1 - int(np.argmax(gap))) for x in (east, gap))
    ends = np.flatnonzero(gap[:-1] > gap_rad) + 1
    return np.split(east, ends)


def in_flight_order(planes: list[np.ndarray], latitude_argument_rad: np.ndarray) -> Iterator[np.ndarray]:
    """The members of each plane by their angle from the ascending node, in the direction of flight."""
    for members in planes:
        yield members[np.argsort(latitude_argument_rad[members], kind="stable")]
