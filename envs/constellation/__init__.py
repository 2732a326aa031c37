"""Constellations: Walker patterns, and fleets as they really fly, read from a file of two-line elements."""

from __future__ import annotations

from envs.constellation.fleet import (
    AFT,
    FORE,
    LEFT,
    OPPOSITE,
    RIGHT,
    SAFE_APPROACH_KM,
    CircularElements,
    ConstellationError,
    Fleet,
)
from envs.constellation.tle_fleet import TleFleet
from envs.constellation.walker import CONSTELLATIONS, Constellation

FLEETS: dict[str, type[Constellation | TleFleet]] = {"walker": Constellation, "tle": TleFleet}
"""Kinds of constellations by name."""

__all__ = [
    "AFT",
    "CONSTELLATIONS",
    "FLEETS",
    "FORE",
    "LEFT",
    "OPPOSITE",
    "RIGHT",
    "SAFE_APPROACH_KM",
    "CircularElements",
    "Constellation",
    "ConstellationError",
    "Fleet",
    "TleFleet",
]
