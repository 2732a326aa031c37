"""The globe: satellites with their roles and links, replays of chosen worlds, stations and when they see whom."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import torch
from torch import Tensor

from envs.constellation import FORE, RIGHT, Fleet
from envs.ground_track import earth_fixed_km
from envs.orbit import DAY_START
from envs.rendering.sun import subsolar_point_deg
from envs.topology import Topology
from envs.worlds import Worlds
from report.choice import Chosen
from report.config import GlobeConfig, Station
from report.contacts import SAMPLE_S, elevations_deg, sample_times_s, windows
from report.episodes import Episodes
from report.fleet import fleet_title, fleet_words, satellite_names
from report.replay import Replay, replay

KEYFRAME_S = 1200.0
"""Between two positions of a satellite in the page, which turns it from one to the next as on a circular orbit."""
EARTH_RATE_RAD_S = 7.292_115_9e-5
"""Turning rate of the Earth against the stars."""


@dataclass(frozen=True)
class Contacts:
    """Contact windows of a world's sensing and computing satellites; N windows, times in s after the world's slot.

    station, satellite: [N] uint16. start_s, end_s: [N] float32.
    """

    station: np.ndarray
    satellite: np.ndarray
    start_s: np.ndarray
    end_s: np.ndarray


@dataclass(frozen=True)
class WorldScene:
    """One world: its slot's network, its packets, what every router made of them.

    name, words: which world it is, and why it is here. time: of its slot, UTC.
    keyframe_s: [K] float32, s after the slot; keyframes: [K, V, 3] int16 in units of unit_km, in the frame that is
    Earth-fixed at the slot and then stands still while the Earth turns by earth_rate_rad_s.
    links: [L, 2] uint16, pairs of satellites whose ISL is up; length_km, rate_mbps: [L] float32.
    source, destination: [P] uint16; size_mbit: [P] float32; present: [P] uint8. Packets of the first half carry
    models, of the second half data; packets p and p + P / 2 are of one task.
    sun: [3], direction of the Sun, Earth-fixed, at the slot.
    """

    name: str
    words: str
    time: str
    unit_km: float
    earth_rate_rad_s: float
    keyframe_s: np.ndarray
    keyframes: np.ndarray
    links: np.ndarray
    length_km: np.ndarray
    rate_mbps: np.ndarray
    source: np.ndarray
    destination: np.ndarray
    size_mbit: np.ndarray
    present: np.ndarray
    sun: list[float]
    contacts: Contacts
    replays: dict[str, Replay]


@dataclass(frozen=True)
class Scene:
    """All that the globe shows.

    constellation, words: what the fleet is called and what it is. names: of the satellites, V or none. plane, slot: [V]
    uint16. left, right: routers shown at first.
    """

    constellation: str
    words: str
    names: tuple[str, ...]
    plane: np.ndarray
    slot: np.ndarray
    stations: tuple[Station, ...]
    mask_deg: float
    routers: tuple[str, ...]
    left: str
    right: str
    worlds: tuple[WorldScene, ...]


def build_scene(
    episodes: Episodes,
    chosen: Sequence[Chosen],
    config: GlobeConfig,
    *,
    left: str,
    propagator: str,
    on_start: Callable[[str], None] = lambda what: None,
) -> Scene:
    """The globe of the `chosen` worlds, with all routers of `episodes`; it starts with `left` and `config.right`."""
    constellation = episodes.ephemeris.topology.constellation
    worlds = []
    for one in chosen:
        on_start(f"globe: world {one.index}")
        worlds.append(_world_scene(episodes, one, config, propagator))
    return Scene(
        constellation=fleet_title(constellation),
        words=fleet_words(constellation),
        names=satellite_names(constellation),
        plane=constellation.plane.numpy().astype(np.uint16),
        slot=constellation.slot.numpy().astype(np.uint16),
        stations=config.stations,
        mask_deg=config.mask_deg,
        routers=tuple(episodes.routes),
        left=left,
        right=config.right,
        worlds=tuple(worlds),
    )


def _world_scene(episodes: Episodes, chosen: Chosen, config: GlobeConfig, propagator: str) -> WorldScene:
    world, routes = episodes.world(chosen.index)
    ephemeris, topology = episodes.ephemeris, episodes.ephemeris.topology
    slot = int(world.slot)
    start_s = float(topology.time_s[slot])
    time_s = sample_times_s(start_s, config.contact_hours, KEYFRAME_S)
    frames_km = standing(
        earth_fixed(topology.constellation, time_s, propagator).numpy(), time_s.numpy() - start_s
    )
    unit_km = float(np.abs(frames_km).max()) / 32_000
    pairs, length_km, rate_mbps = _links(topology, slot)
    return WorldScene(
        name=f"World {chosen.index}: {chosen.why}",
        words=chosen.words,
        time=f"{topology.constellation.day_start + timedelta(seconds=start_s):%Y-%m-%d %H:%M:%S} UTC",
        unit_km=unit_km,
        earth_rate_rad_s=EARTH_RATE_RAD_S,
        keyframe_s=(time_s - start_s).numpy().astype(np.float32),
        keyframes=np.rint(frames_km / unit_km).astype(np.int16),
        links=pairs,
        length_km=length_km,
        rate_mbps=rate_mbps,
        source=world.source[0].numpy().astype(np.uint16),
        destination=world.destination[0].numpy().astype(np.uint16),
        size_mbit=world.size_mbit[0].numpy().astype(np.float32),
        present=world.present[0].numpy().astype(np.uint8),
        sun=sun_direction(start_s, topology.constellation.day_start),
        contacts=_contacts(topology.constellation, world, start_s, config, propagator),
        replays={
            name: replay(ephemeris, world, route, episodes.charged_s(name)[chosen.index])
            for name, route in routes.items()
        },
    )


def earth_fixed(constellation: Fleet, time_s: Tensor, propagator: str) -> Tensor:
    """Positions [T, V, 3] at `time_s` [T], s since the start of the day, in the frame that turns with the Earth."""
    return earth_fixed_km(constellation.positions_km(time_s, propagator), time_s, constellation.day_start)


def standing(position_km: np.ndarray, time_s: np.ndarray) -> np.ndarray:
    """Earth-fixed positions [T, V, 3] at `time_s` [T] in the frame that is Earth-fixed at time 0 and does not turn."""
    angle = EARTH_RATE_RAD_S * time_s[:, None]
    x, y, z = np.moveaxis(position_km, -1, 0)
    return np.stack(
        [x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle), z], axis=-1
    )


def _links(topology: Topology, slot: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ISLs that are up, each once: satellites [L, 2], length_km [L], rate_mbps [L]."""
    directions = [FORE, RIGHT]  # the other two are the same links seen from the far end
    here, column = topology.up[slot][:, directions].nonzero(as_tuple=True)
    direction = torch.tensor(directions)[column]
    pairs = torch.stack([here, topology.neighbours[here, direction]], 1).numpy().astype(np.uint16)
    length_km, rate_mbps = (
        table[slot, here, direction].numpy().astype(np.float32)
        for table in (topology.length_km, topology.rate_mbps)
    )
    return pairs, length_km, rate_mbps


def _contacts(
    constellation: Fleet, world: Worlds, start_s: float, config: GlobeConfig, propagator: str
) -> Contacts:
    present = world.present[0]
    satellites = torch.cat([world.source[0][present], world.destination[0][present]]).unique()
    time_s = sample_times_s(start_s, config.contact_hours, SAMPLE_S)
    elevation_deg = np.concatenate(
        [
            elevations_deg(earth_fixed(constellation, some, propagator)[:, satellites], config.stations)
            for some in time_s.split(512)  # a day of a large constellation does not fit in memory at once
        ]
    )  # [T, satellites, S]
    rows = [
        (station, int(satellite), start - start_s, end - start_s)
        for station in range(len(config.stations))
        for column, satellite in enumerate(satellites)
        for start, end in windows(time_s, elevation_deg[:, column, station], config.mask_deg)
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Contacts(
        station=table[:, 0].astype(np.uint16),
        satellite=table[:, 1].astype(np.uint16),
        start_s=table[:, 2].astype(np.float32),
        end_s=table[:, 3].astype(np.float32),
    )


def sun_direction(time_s: float, day_start: datetime = DAY_START) -> list[float]:
    """Unit vector [3] to the Sun, Earth-fixed, at `time_s` since the start of the day."""
    longitude, latitude = map(math.radians, subsolar_point_deg(time_s, day_start))
    level = math.cos(latitude)
    return [level * math.cos(longitude), level * math.sin(longitude), math.sin(latitude)]
