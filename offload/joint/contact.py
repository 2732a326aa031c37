"""When satellites of the constellation see a ground station, and when data that waits for that has come down."""

from __future__ import annotations

import numpy as np
import torch
from skyfield.api import EarthSatellite, load
from torch import Tensor

from envs.config import ConfigError
from envs.constellation import Fleet
from envs.earth import EARTH_RADIUS_KM
from envs.ground_track import subpoints
from models.link import Downlink, GroundStation, RateTrace, contact_windows
from offload.joint.config import StationConfig


class Contacts:
    """When each satellite of a constellation sees the station; looked for when asked, and then kept."""

    def __init__(self, constellation: Fleet, config: StationConfig) -> None:
        self._day_start, self._hours = constellation.day_start, config.hours
        self._station = GroundStation("station", config.latitude_deg, config.longitude_deg, config.mask_deg)
        self._timescale, self._records = load.timescale(builtin=True), constellation.satrecs()
        self._rate = RateTrace(np.zeros(1), np.array([config.downlink_mbps]))
        self._found: dict[int, Downlink] = {}

    def downlink(self, satellite: int) -> Downlink:
        """Its times are seconds since the start of the simulated day."""
        if satellite not in self._found:
            record = EarthSatellite.from_satrec(self._records[satellite], self._timescale)
            windows = contact_windows(record, self._station, self._hours, start=self._day_start)
            self._found[satellite] = Downlink(windows, self._rate)
        return self._found[satellite]


def arrival_s(link: Downlink, ready_s: np.ndarray, size_mbit: np.ndarray) -> np.ndarray:
    """When data of `size_mbit` [M] that is ready at `ready_s` [M] has come down: `Downlink.send` for many at once.

    For links of one rate. inf where no contact is left; nothing to send is down at once.
    """
    if len(link.rate.mbps) != 1:
        raise ValueError("arrival_s needs a downlink of one rate")
    rise, fall = link.windows[:, 0], link.windows[:, 1]
    before = np.concatenate([[0.0], np.cumsum(fall - rise)])  # [W + 1] seconds of contact before each window
    current = np.searchsorted(fall, ready_s, side="right")  # the first window not over
    inside = np.clip(ready_s - np.append(rise, np.inf)[current], 0.0, None)
    needed = before[current] + inside + size_mbit / float(link.rate.mbps[0])
    window = np.searchsorted(before[1:], needed, side="left")
    down = np.append(rise, np.inf)[window] + needed - before[window]
    return np.where(size_mbit > 0, down, ready_s)


def gateways(constellation: Fleet, time_s: Tensor, busy: Tensor, config: StationConfig) -> Tensor:
    """[E] long, the satellite highest above the station at `time_s` [E] that is none of `busy` [E, n].

    Raises ConfigError when at some time none is above the mask.
    """
    elevation = elevations_deg(constellation, time_s, config)
    elevation.scatter_(1, busy, -90.0)
    highest, satellite = elevation.max(1)
    if bool((highest < config.mask_deg).any()):
        raise ConfigError(
            f"joint.station: at times no satellite of {constellation.name} is above {config.mask_deg:g} degrees there; "
            "lower joint.station.mask_deg or choose another place"
        )
    return satellite


def elevations_deg(constellation: Fleet, time_s: Tensor, config: StationConfig) -> Tensor:
    """[E, V] elevation of every satellite as seen from the station at `time_s` [E]; on a round Earth, to a degree."""
    below = subpoints(constellation.positions_km(time_s), time_s, constellation.day_start)
    latitude, longitude = torch.deg2rad(below.latitude_deg), torch.deg2rad(below.longitude_deg)
    here, there = np.radians(config.latitude_deg), np.radians(config.longitude_deg)
    cosine = latitude.sin() * np.sin(here) + latitude.cos() * np.cos(here) * (longitude - there).cos()
    ratio = EARTH_RADIUS_KM / (EARTH_RADIUS_KM + below.altitude_km)
    return torch.rad2deg(torch.atan2(cosine - ratio, (1 - cosine**2).clamp(min=0).sqrt()))
