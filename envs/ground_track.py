"""Where over the Earth a satellite is: from SGP4's inertial frame (TEME) to the turning Earth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np
import torch
from skyfield.api import load
from skyfield.framelib import itrs
from skyfield.sgp4lib import TEME
from skyfield.timelib import Time, Timescale
from torch import Tensor

from envs.config import require
from envs.earth import EARTH_FLATTENING, EARTH_RADIUS_KM
from envs.orbit import DAY_START


@dataclass(frozen=True)
class Subpoints:
    """The points straight below V satellites at T times, on the WGS 84 ellipsoid."""

    latitude_deg: Tensor  # [T, V] float64, geodetic
    longitude_deg: Tensor  # [T, V] float64, -180 to 180, east positive
    altitude_km: Tensor  # [T, V] float64, height of the satellite above the point


def skyfield_time(time_s: Tensor, day_start: datetime = DAY_START) -> Time:
    """`time_s` [T], seconds (UTC) since the start of the simulated day (`Fleet.day_start`), as skyfield times."""
    midnight = _timescale().from_datetime(day_start)
    return _timescale().tt_jd(midnight.whole, midnight.tt_fraction + time_s.double().cpu().numpy() / 86400)


def earth_fixed_km(position_km: Tensor, time_s: Tensor, day_start: datetime = DAY_START) -> Tensor:
    """TEME positions [T, V, 3] at `time_s` [T] in the frame that turns with the Earth (ITRS), float64.

    Raises `ConfigError` where the shapes do not match.
    """
    require(
        position_km.ndim == 3 and position_km.shape[0] == len(time_s) and position_km.shape[2] == 3,
        "position_km",
        tuple(position_km.shape),
        f"shape [T, V, 3] with T = {len(time_s)} times",
    )
    time = skyfield_time(time_s, day_start)
    # Between TEME and GCRS lie precession and nutation, between TEME and ITRS sidereal time: mind the frames.
    rotation = np.einsum("ijt,kjt->tik", itrs.rotation_at(time), TEME.rotation_at(time))
    return torch.einsum("tij,tvj->tvi", torch.from_numpy(rotation), position_km.double().cpu())


def subpoints(position_km: Tensor, time_s: Tensor, day_start: datetime = DAY_START) -> Subpoints:
    """Where the satellites at TEME positions [T, V, 3] are overhead at `time_s` [T].

    Geodetic latitude by the fixed-point iteration of the Astronomical Almanac, section K.
    """
    x, y, z = earth_fixed_km(position_km, time_s, day_start).unbind(-1)
    from_axis = torch.hypot(x, y)
    eccentricity2 = EARTH_FLATTENING * (2 - EARTH_FLATTENING)
    latitude = torch.atan2(z, from_axis)
    for _ in range(3):
        sin_latitude = latitude.sin()
        curvature_km = EARTH_RADIUS_KM / (1 - eccentricity2 * sin_latitude**2).sqrt()
        above_centre = z + curvature_km * eccentricity2 * sin_latitude
        latitude = torch.atan2(above_centre, from_axis)
    return Subpoints(
        latitude_deg=torch.rad2deg(latitude),
        longitude_deg=torch.rad2deg(torch.atan2(y, x)),
        altitude_km=torch.hypot(above_centre, from_axis) - curvature_km,
    )


@lru_cache(maxsize=1)
def _timescale() -> Timescale:
    return load.timescale(builtin=True)  # the tables that come with skyfield: no download
