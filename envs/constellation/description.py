"""What a constellation amounts to: planes, links over a day, how near its satellites come, what hangs together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.connectivity import Connectivity, components, connectivity
from envs.constellation.fleet import FORE, RIGHT, SAFE_APPROACH_KM, Fleet
from envs.constellation.tle_fleet import TleFleet
from envs.earth import EARTH_MU_KM3_S2, EARTH_RADIUS_KM
from envs.links import LinkModel
from envs.orbit import slot_times_s
from envs.topology import Topology, build_topology

Spread = tuple[float, float, float]
"""Smallest, mean, largest."""
SLOTS, SLOT_S = 144, 600.0
"""A day is looked at in this many moments."""
HIGH = 0.9
"""Latitudes above this share of the highest one count as near the poles."""


@dataclass(frozen=True)
class LinkStatistics:
    """Links of one kind over the day; lengths and rates are of those that are up, None where none ever is.

    links: how many there can be. missing: satellites that have none in this direction. up: share of the time that a
    link is up; up_near_poles, up_elsewhere: the same by the latitude of its end, None where nobody flies.
    """

    links: int
    missing: int
    up: float
    up_near_poles: float | None
    up_elsewhere: float | None
    length_km: Spread | None
    rate_mbps: Spread | None


@dataclass(frozen=True)
class Description:
    """What a constellation amounts to.

    satellites_per_plane: of every plane, eastward. altitude_km: smallest, mean and largest mean altitude.
    closest_approach: km, and the two satellites that come so near. shells: of the file, where there is one: name and
    how many satellites.
    """

    name: str
    day: str
    n_satellites: int
    satellites_per_plane: tuple[int, ...]
    altitude_km: Spread | None
    inclination_deg: float
    period_s: float
    within_planes: LinkStatistics
    between_planes: LinkStatistics
    closest_approach: tuple[float, int, int]
    connectivity: Connectivity
    shells: tuple[tuple[str, int], ...]
    warnings: tuple[str, ...]


def describe(fleet: Fleet, link: LinkModel) -> Description:
    """Look at `fleet` with the links of `link` every ten minutes of its day.

    Raises ConfigError where satellites would collide, or the file of a fleet cannot be used.
    """
    topology = build_topology(fleet, link, slot_times_s(SLOTS, SLOT_S))
    elements = fleet.elements()
    axis = elements.semi_major_axis_km
    approach = fleet.closest_approach()
    warnings = list(fleet.warnings)
    if approach[0] < SAFE_APPROACH_KM:
        warnings.append(
            f"by their mean elements satellites {approach[1]} and {approach[2]} come within {approach[0]:.1f} km of "
            "each other"
        )
    return Description(
        name=fleet.name,
        day=f"{fleet.day_start:%Y-%m-%d}",
        n_satellites=fleet.n_satellites,
        satellites_per_plane=tuple(fleet.plane.bincount().tolist()),
        altitude_km=_spread(axis - EARTH_RADIUS_KM),
        inclination_deg=math.degrees(float(elements.inclination_rad.median())),
        period_s=2 * math.pi * math.sqrt(float(axis.mean()) ** 3 / EARTH_MU_KM3_S2),
        within_planes=_statistics(topology, FORE),
        between_planes=_statistics(topology, RIGHT),
        closest_approach=approach,
        connectivity=connectivity(components(topology)),
        shells=tuple((shell.name, len(shell.members)) for shell in fleet.shells)
        if isinstance(fleet, TleFleet)
        else (),
        warnings=tuple(warnings),
    )


def _statistics(topology: Topology, direction: int) -> LinkStatistics:
    """Of the links that leave in `direction`; with those of the opposite one they are the same links again."""
    wired = topology.constellation.wired()[:, direction]  # [V]
    up, length_km, rate_mbps = (
        values[:, wired, direction] for values in (topology.up, topology.length_km, topology.rate_mbps)
    )  # [T, links]
    assert topology.position_km is not None
    position = topology.position_km[:, wired]
    latitude = torch.asin(position[..., 2] / position.norm(dim=-1)).abs()
    highest = topology.constellation.elements().inclination_rad.sin().amax().asin()
    near_poles = latitude > HIGH * highest
    return LinkStatistics(
        links=int(wired.sum()),
        missing=int((~wired).sum()),
        up=_share(up) or 0.0,
        up_near_poles=_share(up[near_poles]),
        up_elsewhere=_share(up[~near_poles]),
        length_km=_spread(length_km[up]),
        rate_mbps=_spread(rate_mbps[up]),
    )


def _spread(values: Tensor) -> Spread | None:
    """Smallest, mean and largest; None of nothing."""
    if not values.numel():
        return None
    return float(values.amin()), float(values.double().mean()), float(values.amax())


def _share(flags: Tensor) -> float | None:
    """Share that is true; None of nothing."""
    return float(flags.double().mean()) if flags.numel() else None
