"""TLE files of fleets that fly nowhere: Walker constellations with satellites missing, nudged, of several epochs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sgp4.api import WGS72, Satrec, jday
from sgp4.exporter import export_tle

from envs.constellation import Constellation
from envs.orbit import DAY_START, satrecs

NOON_DAYS = 0.5
"""From the start of the day to the moment at which fleets are put in order."""


def tle_lines(
    constellation: Constellation,
    *,
    missing: Collection[int] = (),
    ahead_deg: Mapping[int, float] | None = None,
    age_days: Sequence[float] = (0.0,),
    first_number: int = 10000,
) -> list[str]:
    """Three lines a satellite: its name `SAT 5`, line 1, line 2. Satellites not `missing`, in the order of numbers.

    ahead_deg: degrees by which a satellite is ahead of its place. age_days: satellite i has elements of
    `age_days[i % len]` before the noon of the simulated day, of an orbit on which it is in its place that noon.
    """
    lines = []
    for number, perfect in enumerate(satrecs(constellation)):
        if number in missing:
            continue
        age = age_days[number % len(age_days)]
        back_min = -1440 * (age - NOON_DAYS)  # from the start of the day to the epoch
        ahead = 0.01745329252 * (ahead_deg or {}).get(number, 0.0)
        satellite = _satrec(
            perfect,
            epoch_days=NOON_DAYS - age,
            number=first_number + number,
            phase=perfect.argpo + perfect.mo + ahead + (perfect.mdot + perfect.argpdot) * back_min,
            node=perfect.nodeo + perfect.nodedot * back_min,
        )
        lines += [f"SAT {number}", *export_tle(satellite)]
    return lines


def write_tle(path: Path, lines: Sequence[str]) -> Path:
    """`path`, with `lines` in it."""
    path.write_text("\n".join(lines) + "\n")
    return path


def _satrec(perfect: Satrec, *, epoch_days: float, number: int, phase: float, node: float) -> Satrec:
    satellite = Satrec()
    turn = 6.283185307179586
    satellite.sgp4init(
        WGS72,
        "i",
        number,
        _start_days(DAY_START) + epoch_days,
        0.0,
        0.0,
        0.0,
        1e-4,  # no orbit is a circle
        0.0,
        perfect.inclo,
        phase % turn,
        perfect.no_kozai,
        node % turn,
    )
    satellite.classification, satellite.intldesg = "U", "25001A"
    return satellite


def _start_days(moment: datetime) -> float:
    whole, fraction = jday(moment.year, moment.month, moment.day, 0, 0, 0)
    return whole + fraction - 2433281.5  # since 1949 December 31
