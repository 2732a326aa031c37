"""The downlink: when a satellite sees its ground station, and how long bytes take under those windows.

Windows come from real orbits (TLE files or circular shells) through skyfield; the rate inside a window is a constant
or a measured trace. Everything is in seconds after the start of the simulated span.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from skyfield.api import EarthSatellite

DEFAULT_RATE_MBPS = 110.67  # SpaceVerse section 4.1.4, measured at a Starlink ground station
START = datetime(2025, 10, 18, tzinfo=UTC)
TLE_COLUMNS = 69
EARTH_MU_KM3_S2 = 398_600.4418
EARTH_RADIUS_KM = 6_378.137


class LinkError(ValueError):
    """A link cannot be built from this, or never carries these bytes."""


@dataclass(frozen=True)
class GroundStation:
    """A place on Earth and the elevation below which it hears nothing."""

    name: str = "shanghai"
    latitude_deg: float = 31.3
    longitude_deg: float = 121.5
    mask_deg: float = 25.0

    def __post_init__(self) -> None:
        for name, low, high in (("latitude_deg", -90, 90), ("longitude_deg", -180, 360), ("mask_deg", 0, 90)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise LinkError(f"ground station {name} is {value}; it must lie in {low}..{high}")


@dataclass(frozen=True)
class RateTrace:
    """A rate that holds from each time on: time_s [k] ascending from 0, mbps [k] > 0."""

    time_s: np.ndarray = field(default_factory=lambda: np.zeros(1))
    mbps: np.ndarray = field(default_factory=lambda: np.full(1, DEFAULT_RATE_MBPS))

    def __post_init__(self) -> None:
        if len(self.time_s) != len(self.mbps) or len(self.time_s) == 0:
            raise LinkError("a rate trace needs as many rates as times, and at least one")
        if self.time_s[0] != 0 or np.any(np.diff(self.time_s) <= 0):
            raise LinkError("the times of a rate trace must start at 0 and rise")
        if not np.all(np.isfinite(self.mbps)) or np.any(self.mbps <= 0):
            raise LinkError(
                "the rates of a trace must be finite and above 0 Mb/s; leave outages to the windows"
            )


def read_rate_trace(path: str | Path) -> RateTrace:
    """Read a CSV with the columns time_s and mbps."""
    path = Path(path)
    if not path.is_file():
        raise LinkError(f"{path}: there is no such rate trace")
    with path.open(newline="") as opened:
        reader = csv.DictReader(opened)
        if not {"time_s", "mbps"} <= set(reader.fieldnames or ()):
            raise LinkError(f"{path}: the columns are {reader.fieldnames}; expected time_s and mbps")
        try:
            rows = [(float(row["time_s"]), float(row["mbps"])) for row in reader]
        except (TypeError, ValueError) as error:
            raise LinkError(f"{path}: line {reader.line_num} is not two numbers") from error
    if not rows:
        raise LinkError(f"{path}: the trace is empty")
    try:
        return RateTrace(*(np.array(column) for column in zip(*rows, strict=True)))
    except LinkError as error:
        raise LinkError(f"{path}: {error}") from error


def read_tle(path: str | Path) -> list[EarthSatellite]:
    """Satellites of a TLE file (name lines optional)."""
    from sgp4.io import verify_checksum
    from skyfield.api import EarthSatellite, load

    path = Path(path)
    if not path.is_file():
        raise LinkError(f"{path}: there is no such TLE file")
    lines = [line.rstrip() for line in path.read_text().splitlines() if line.strip()]
    timescale, satellites, name = load.timescale(builtin=True), [], ""
    for index, line in enumerate(lines):
        if line.startswith("1 ") and index + 1 < len(lines) and lines[index + 1].startswith("2 "):
            title = name or f"satellite {len(satellites)}"
            try:
                if min(len(line), len(lines[index + 1])) < TLE_COLUMNS:
                    raise ValueError(f"a line has fewer than {TLE_COLUMNS} columns")
                verify_checksum(line, lines[index + 1])
                satellites.append(EarthSatellite(line, lines[index + 1], title, timescale))
            except (ValueError, IndexError) as error:
                raise LinkError(f"{path}: the elements of {title} cannot be read ({error})") from error
            name = ""
        elif not line.startswith(("1 ", "2 ")):
            name = line.strip()
    if not satellites:
        raise LinkError(f"{path}: no pair of TLE lines found")
    return satellites


def shell_satellites(
    number: int = 10, *, altitude_km: float = 570.0, inclination_deg: float = 70.0, start: datetime = START
) -> list[EarthSatellite]:
    """Evenly spread circular orbits, for runs without a TLE file (the default: the paper's 570 km shell)."""
    from sgp4.api import WGS84, Satrec
    from skyfield.api import EarthSatellite, load

    timescale = load.timescale(builtin=True)
    epoch = (start - datetime(1949, 12, 31, tzinfo=UTC)).total_seconds() / 86_400.0
    motion = np.sqrt(EARTH_MU_KM3_S2 / (EARTH_RADIUS_KM + altitude_km) ** 3) * 60.0  # rad/min
    satellites = []
    for index in range(number):
        record = Satrec()
        node, anomaly = 2 * np.pi * index / number, 2 * np.pi * ((index * 0.382) % 1.0)
        record.sgp4init(
            WGS84,
            "i",
            index + 1,
            epoch,
            0.0,
            0.0,
            0.0,
            1e-4,
            0.0,
            np.radians(inclination_deg),
            anomaly,
            motion,
            node,
        )
        satellite = EarthSatellite.from_satrec(record, timescale)
        satellite.name = f"shell {index}"
        satellites.append(satellite)
    return satellites


def contact_windows(
    satellite: EarthSatellite, station: GroundStation, hours: float, *, start: datetime = START
) -> np.ndarray:
    """Spans [n, 2] in seconds after `start` in which the satellite is above the station's mask."""
    from datetime import timedelta

    from skyfield.api import load, wgs84

    if hours <= 0:
        raise LinkError(f"hours is {hours}; it must be above 0")
    timescale = load.timescale(builtin=True)
    place = wgs84.latlon(station.latitude_deg, station.longitude_deg)
    begin, end = timescale.from_datetime(start), timescale.from_datetime(start + timedelta(hours=hours))
    times, kinds = satellite.find_events(place, begin, end, altitude_degrees=station.mask_deg)
    seconds = (np.asarray(times.tt) - begin.tt) * 86_400.0 if len(kinds) else np.zeros(0)
    elevation = (satellite - place).at(begin).altaz()[0].degrees
    up = float(np.asarray(elevation)) >= station.mask_deg
    windows, rise = [], 0.0 if up else None
    for moment, kind in zip(seconds, kinds, strict=True):
        if kind == 0:
            rise = moment
        elif kind == 2 and rise is not None:
            windows.append((rise, moment))
            rise = None
    if rise is not None:
        windows.append((rise, hours * 3600.0))
    return np.array(windows).reshape(-1, 2)


@dataclass(frozen=True)
class Downlink:
    """Contact windows [n, 2] in seconds, disjoint and ascending, and the rate inside them."""

    windows: np.ndarray
    rate: RateTrace = field(default_factory=RateTrace)

    def __post_init__(self) -> None:
        if self.windows.ndim != 2 or self.windows.shape[1] != 2:
            raise LinkError(f"windows have shape {self.windows.shape}; expected [n, 2]")
        flat = self.windows.ravel()
        if np.any(np.diff(flat) < 0):
            raise LinkError("contact windows must be ascending and must not overlap")

    @classmethod
    def always(cls, rate: RateTrace | None = None) -> Downlink:
        """A link that never breaks (latency without orbits), at the default rate or a trace's."""
        return cls(np.array([[0.0, np.inf]]), RateTrace() if rate is None else rate)

    def send(self, ready_s: float, size_bytes: float) -> tuple[float, float, float]:
        """Send bytes from `ready_s` on: (first bit's time, last bit's time, seconds the link was sending).

        A transfer that outlasts its window goes on in the next one. LinkError when the windows end before it does.
        """
        left = size_bytes * 8.0 / 1e6  # Mbit
        first, sending = None, 0.0
        for rise, fall in self.windows[np.searchsorted(self.windows[:, 1], ready_s, side="right") :]:
            now = max(float(rise), ready_s)
            while now < fall:
                index = int(np.searchsorted(self.rate.time_s, now, side="right")) - 1
                until = self.rate.time_s[index + 1] if index + 1 < len(self.rate.time_s) else np.inf
                span = min(float(until), float(fall)) - now
                first = now if first is None else first
                needed = left / float(self.rate.mbps[index])
                if needed <= span:
                    return first, now + needed, sending + needed
                left -= span * float(self.rate.mbps[index])
                sending, now = sending + span, now + span
        raise LinkError(
            f"the contact windows end before {size_bytes:.0f} bytes ready at {ready_s:.0f} s are sent"
        )


def constellation_downlinks(
    number: int, station: GroundStation, *, tle: str = "", rate_trace: str = "", hours: float = 96.0
) -> tuple[Downlink, ...]:
    """Downlinks of `number` satellites over a station: contact windows and nothing between.

    tle         a file of real elements, evenly spread through it, propagated from the epoch of its first satellite;
                empty: the default circular shell
    rate_trace  a CSV of the rate; its last value holds to the end; empty: the default rate
    Raises LinkError naming the file when it cannot be read or holds too few satellites.
    """
    if number < 1:
        raise LinkError(f"satellites is {number}; at least one is needed")
    rate = read_rate_trace(rate_trace) if rate_trace else RateTrace()
    satellites, start = shell_satellites(number), START
    if tle:
        known = read_tle(tle)
        if len(known) < number:
            raise LinkError(f"{tle} holds {len(known)} satellites; {number} are wanted: set satellites lower")
        satellites = known[:: len(known) // number][:number]
        start = cast(datetime, known[0].epoch.utc_datetime())
    return tuple(Downlink(contact_windows(s, station, hours, start=start), rate) for s in satellites)
