"""Where every satellite is at every moment: a closed form with secular J2, and SGP4."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from sgp4.api import SGP4_ERRORS, WGS84, Satrec, SatrecArray, jday
from torch import Tensor

from envs.config import ConfigError, require
from envs.earth import EARTH_J2, EARTH_MU_KM3_S2, EARTH_RADIUS_KM

if TYPE_CHECKING:  # a constellation imports its propagators
    from envs.constellation.walker import Constellation

DAY_START = datetime(2025, 10, 18, tzinfo=UTC)
"""Start of the simulated day, and epoch of all elements."""


def slot_times_s(n_slots: int = 1440, slot_s: float = 60.0) -> Tensor:
    """[T] float64: start of every slot, in seconds since the start of the simulated day."""
    require(n_slots >= 1, "n_slots", n_slots, "at least 1")
    require(slot_s > 0, "slot_s", slot_s, "positive")
    return torch.arange(n_slots, dtype=torch.float64) * slot_s


def j2_positions_km(constellation: Constellation, time_s: Tensor) -> Tensor:
    """Positions of circular orbits whose node and phase drift at the secular J2 rates (Vallado, section 9.6).

    With k = 1.5 J2 (R / a)^2 and n = sqrt(mu / a^3), where `a` is Brouwer's mean semi-major axis, as inside
    SGP4: the node moves at -k n cos i, the argument of latitude at n (1 + k (4 cos^2 i - 1)).

    time_s: [T] float64, seconds since the start of the day. Returns [T, V, 3] float32, TEME.
    """
    elements = constellation.elements()
    axis, cos_i = elements.semi_major_axis_km, elements.inclination_rad.cos()
    n = (EARTH_MU_KM3_S2 / axis**3).sqrt()
    k = 1.5 * EARTH_J2 * (EARTH_RADIUS_KM / axis) ** 2
    time = time_s.double()[:, None]
    node = elements.raan_rad - k * n * cos_i * time  # [T, V]
    phase = elements.argument_of_latitude_rad + n * (1 + k * (4 * cos_i**2 - 1)) * time
    # Wrapped in float64, the angles are good to 2 m in float32 all day; unwrapped, to 30 m in the evening.
    node, phase = (torch.remainder(angle, 2 * math.pi).float() for angle in (node, phase))
    axis, cos_i, sin_i = axis.float(), cos_i.float(), elements.inclination_rad.sin().float()
    along, across = axis * phase.cos(), axis * phase.sin()
    cos_node, sin_node = node.cos(), node.sin()
    flat = across * cos_i
    return torch.stack(
        [along * cos_node - flat * sin_node, along * sin_node + flat * cos_node, across * sin_i], dim=-1
    )


def sgp4_positions_km(constellation: Constellation, time_s: Tensor) -> Tensor:
    """Positions by SGP4 without drag, from mean elements at `DAY_START`.

    Adds periodic terms to the closed form: about 10 km in position, 1 km in the length of a link.

    time_s: [T] float64, seconds since the start of the day. Returns [T, V, 3] float32, TEME.
    Raises `ConfigError` where SGP4 reports an error.
    """
    seconds = time_s.double().numpy()
    fleet = _satrec_array(constellation)
    day_jd = np.full_like(seconds, _day_start_jd())
    error, position, _ = fleet.sgp4(day_jd, seconds / 86400)  # [V, T], [V, T, 3]
    if error.any():
        satellite, slot = np.argwhere(error)[0]
        reason = SGP4_ERRORS[int(error[satellite, slot])]
        raise ConfigError(f"time_s[{slot}]={seconds[slot]}: SGP4 fails for satellite {satellite}: {reason}")
    return torch.from_numpy(position.astype(np.float32)).transpose(0, 1).contiguous()


def _day_start_jd() -> float:
    day_jd, fraction = jday(DAY_START.year, DAY_START.month, DAY_START.day, 0, 0, 0)
    return day_jd + fraction


def satrecs(constellation: Constellation) -> list[Satrec]:
    """One SGP4 model per satellite; skyfield takes them by `EarthSatellite.from_satrec`."""
    elements = constellation.elements()
    rows = zip(
        elements.semi_major_axis_km.tolist(),
        elements.inclination_rad.tolist(),
        elements.raan_rad.tolist(),
        elements.argument_of_latitude_rad.tolist(),
        strict=True,
    )
    return [
        _satrec(_kozai_rad_min(axis_km, inclination), inclination, node, phase)
        for axis_km, inclination, node, phase in rows
    ]


@lru_cache(maxsize=4)
def _satrec_array(constellation: Constellation) -> SatrecArray:
    return SatrecArray(satrecs(constellation))


def _satrec(mean_motion_rad_min: float, inclination: float, node: float, phase: float) -> Satrec:
    satellite = Satrec()
    no_drag = (0.0, 0.0, 0.0)  # B*, and the two derivatives of the mean motion that SGP4 ignores
    eccentricity = perigee = 0.0
    epoch_days = _day_start_jd() - 2433281.5  # since 1949 December 31
    satellite.sgp4init(
        WGS84,
        "i",
        0,
        epoch_days,
        *no_drag,
        eccentricity,
        perigee,
        inclination,
        phase,
        mean_motion_rad_min,
        node,
    )
    return satellite


@lru_cache(maxsize=1024)
def _kozai_rad_min(semi_major_axis_km: float, inclination: float) -> float:
    """Kozai's mean motion, which SGP4 is given, for Brouwer's semi-major axis, which it makes of it."""
    kozai = 60 * math.sqrt(EARTH_MU_KM3_S2 / semi_major_axis_km**3)
    for _ in range(4):  # each round gains three digits
        inside_km = _satrec(kozai, inclination, node=0.0, phase=0.0).a * EARTH_RADIUS_KM
        kozai *= (inside_km / semi_major_axis_km) ** 1.5
    return kozai


PROPAGATORS = {"j2": j2_positions_km, "sgp4": sgp4_positions_km}
"""Propagators by name: (constellation, time_s [T]) -> [T, V, 3] km, TEME."""


def positions_km(constellation: Constellation, time_s: Tensor, propagator: str = "j2") -> Tensor:
    """Positions [T, V, 3] float32 in km (TEME) at `time_s` [T], seconds since the start of the day."""
    require(propagator in PROPAGATORS, "propagator", propagator, f"one of {', '.join(PROPAGATORS)}")
    return PROPAGATORS[propagator](constellation, time_s)
