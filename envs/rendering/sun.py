"""Where the sun stands: good to a hundredth of a degree, which is plenty for the line between day and night."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from envs.orbit import DAY_START

_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


def subsolar_point_deg(time_s: float, day_start: datetime = DAY_START) -> tuple[float, float]:
    """Longitude (-180 to 180, east positive) and latitude of the point that has the sun in its zenith.

    time_s: seconds since `day_start`. The low-precision formulas of the Astronomical Almanac,
    section C.
    """
    days = (day_start + timedelta(seconds=time_s) - _J2000) / timedelta(days=1)
    anomaly = math.radians(357.528 + 0.9856003 * days)
    ecliptic = math.radians(
        280.460 + 0.9856474 * days + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly)
    )
    obliquity = math.radians(23.439 - 4e-7 * days)
    ascension = math.atan2(math.cos(obliquity) * math.sin(ecliptic), math.cos(ecliptic))
    declination = math.asin(math.sin(obliquity) * math.sin(ecliptic))
    sidereal_deg = 280.46062 + 360.98564737 * days  # Greenwich
    longitude = (math.degrees(ascension) - sidereal_deg + 180) % 360 - 180
    return longitude, math.degrees(declination)
