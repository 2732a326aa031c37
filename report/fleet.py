"""How the report calls a fleet and its satellites."""

from __future__ import annotations

import math
from pathlib import Path

from envs.constellation import Fleet, TleFleet
from envs.earth import EARTH_RADIUS_KM


def fleet_title(fleet: Fleet) -> str:
    """The fleet's name; of one that is only called `tle`, its file and shell: a reader wants to know whose it is."""
    if isinstance(fleet, TleFleet) and fleet.name == TleFleet.name:
        return f"{Path(fleet.file or '').stem} (shell {fleet.chosen_shell.name})"
    return fleet.name


def fleet_words(fleet: Fleet) -> str:
    """How many satellites in how many planes, how high, how inclined."""
    elements = fleet.elements()
    altitude_km = float(elements.semi_major_axis_km.mean()) - EARTH_RADIUS_KM
    inclination_deg = math.degrees(float(elements.inclination_rad.mean()))
    planes = len(fleet.plane.unique())
    return (
        f"{fleet.n_satellites} satellites in {planes} plane{'' if planes == 1 else 's'}, {altitude_km:.0f} km high, "
        f"inclined by {inclination_deg:.3g}°"
    )


def satellite_names(fleet: Fleet) -> tuple[str, ...]:
    """What the satellites are called, V names or none: those of a file, where it has any."""
    if not isinstance(fleet, TleFleet) or not any(record.name for record in fleet.records):
        return ()
    return tuple(record.name or f"satellite {record.catalogue_number}" for record in fleet.records)
