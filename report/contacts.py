"""Contact windows of many satellites and stations at once, from the orbits that everything else uses.

Elevations are sampled and the crossings of the mask interpolated between samples, which is good to a fraction of a
second. `models.link.contact_windows` does the same for one satellite by skyfield's search.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from envs.earth import EARTH_FLATTENING, EARTH_RADIUS_KM
from report.config import Station

SAMPLE_S = 10.0
"""Between two samples of an elevation, which crosses a mask for some minutes."""


def station_positions_km(stations: Sequence[Station]) -> tuple[np.ndarray, np.ndarray]:
    """Earth-fixed positions [S, 3] on the WGS 84 ellipsoid, and the directions straight up [S, 3] there."""
    latitude = np.radians([station.latitude_deg for station in stations])
    longitude = np.radians([station.longitude_deg for station in stations])
    up = np.stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], -1
    )
    eccentricity2 = EARTH_FLATTENING * (2 - EARTH_FLATTENING)
    curvature_km = EARTH_RADIUS_KM / np.sqrt(1 - eccentricity2 * np.sin(latitude) ** 2)
    scale_km = np.stack([curvature_km, curvature_km, curvature_km * (1 - eccentricity2)], -1)
    return up * scale_km, up


def elevations_deg(position_km: Tensor, stations: Sequence[Station]) -> np.ndarray:
    """Elevations [T, V, S] of satellites at Earth-fixed `position_km` [T, V, 3] above the stations' horizons."""
    place_km, up = station_positions_km(stations)
    to_satellite = position_km.double().numpy()[:, :, None, :] - place_km  # [T, V, S, 3]
    sine = (to_satellite * up).sum(-1) / np.linalg.norm(to_satellite, axis=-1)
    return np.degrees(np.arcsin(np.clip(sine, -1, 1)))


def windows(time_s: Tensor, elevation_deg: np.ndarray, mask_deg: float) -> list[tuple[float, float]]:
    """Spans (start, end) in the range of `time_s` [T] in which `elevation_deg` [T] is at least the mask."""
    time, above = time_s.double().numpy(), elevation_deg - mask_deg
    change = np.nonzero((above[:-1] >= 0) != (above[1:] >= 0))[0]
    share = above[change] / (above[change] - above[change + 1])
    crossing = list(time[change] + share * (time[change + 1] - time[change]))
    if above[0] >= 0:
        crossing.insert(0, time[0])
    if above[-1] >= 0:
        crossing.append(time[-1])
    return [(float(start), float(end)) for start, end in zip(crossing[::2], crossing[1::2], strict=True)]


def sample_times_s(start_s: float, hours: float, step_s: float) -> Tensor:
    """[T] float64 from `start_s` on, equally spaced by at most `step_s`, its last exactly `hours` later."""
    n = max(int(np.ceil(hours * 3600 / step_s)), 1)
    return start_s + torch.linspace(0, hours * 3600, n + 1, dtype=torch.float64)
