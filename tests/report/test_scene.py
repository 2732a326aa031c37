"""The globe's geometry: contact windows against skyfield, keyframes against the orbits, the Sun against an almanac."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skyfield.api import EarthSatellite, load

from envs.constellation import Constellation
from envs.orbit import DAY_START, satrecs
from models.link import GroundStation, contact_windows
from report.choice import choose
from report.config import STATIONS, Station
from report.contacts import elevations_deg, sample_times_s, station_positions_km, windows
from report.results import Results
from report.scene import EARTH_RATE_RAD_S, build_scene, earth_fixed, standing, sun_direction

FLEET = Constellation("walker_6x8", "delta", 6, 8, 1000.0, 53.0, 1)


def test_contact_windows_are_those_of_skyfield():
    station = Station("here", 31.3, 121.5)
    time_s = sample_times_s(0.0, 6.0, 10.0)
    elevation = elevations_deg(earth_fixed(FLEET, time_s, "sgp4")[:, :6], [station])
    timescale = load.timescale(builtin=True)
    for satellite, record in enumerate(satrecs(FLEET)[:6]):
        found = windows(time_s, elevation[:, satellite, 0], 25.0)
        place = GroundStation("here", station.latitude_deg, station.longitude_deg, 25.0)
        flying = EarthSatellite.from_satrec(record, timescale)
        expected = contact_windows(flying, place, 6.0, start=DAY_START)
        assert len(found) == len(expected)
        if found:  # skyfield's stations stand on the same ellipsoid; polar motion and sampling remain
            np.testing.assert_allclose(found, expected, atol=1.5)


@pytest.mark.parametrize(
    ("elevation", "expected"),
    [
        ([0.0, 10.0, 20.0, 10.0, 0.0], [(1.5, 2.5)]),
        ([20.0, 20.0, 20.0, 20.0, 20.0], [(0.0, 4.0)]),
        ([0.0, 0.0, 0.0, 0.0, 0.0], []),
        ([20.0, 10.0, 10.0, 10.0, 20.0], [(0.0, 0.5), (3.5, 4.0)]),
    ],
)
def test_windows_by_hand(elevation: list[float], expected: list[tuple[float, float]]):
    found = windows(torch.arange(5.0, dtype=torch.float64), np.array(elevation), 15.0)
    assert found == [pytest.approx(span) for span in expected]


def test_a_satellite_overhead_is_at_90_degrees():
    place_km, up = station_positions_km(STATIONS)
    overhead = torch.from_numpy(place_km + 700 * up)[None]  # [1, S, 3]
    elevation = elevations_deg(overhead, STATIONS)[0]
    np.testing.assert_allclose(np.diag(elevation), 90, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(place_km, axis=1), 6371, atol=15)


def test_between_keyframes_satellites_circle_among_the_stars():
    time_s = torch.tensor([0.0, 600.0, 1200.0], dtype=torch.float64)
    frames = standing(earth_fixed(FLEET, time_s, "sgp4").numpy(), time_s.numpy())
    first, middle, last = frames / np.linalg.norm(frames, axis=-1, keepdims=True)
    halfway = (first + last) / np.linalg.norm(first + last, axis=-1, keepdims=True)
    off_km = 7378 * np.arccos(np.clip((halfway * middle).sum(-1), -1, 1))
    assert off_km.max() < 15, "less than can be seen on a globe"


def test_the_standing_frame_turns_once_in_a_sidereal_day():
    point = np.array([[[7000.0, 0.0, 1000.0]]])
    turned = standing(point, np.array([2 * np.pi / EARTH_RATE_RAD_S / 4]))
    np.testing.assert_allclose(turned[0, 0], [0.0, 7000.0, 1000.0], atol=1e-9)


def test_the_sun_is_where_clocks_say():
    x, y, z = sun_direction(6 * 3600.0)
    assert np.degrees(np.arctan2(y, x)) == pytest.approx(90, abs=5), "at 6 UTC it is noon in the east"
    assert np.degrees(np.arcsin(z)) == pytest.approx(-9.7, abs=0.2), "the Sun's declination in mid October"
    assert x * x + y * y + z * z == pytest.approx(1)


def test_a_scene_has_what_the_worlds_have(results: Results):
    episodes = results.episodes
    chosen = choose(episodes, "look_ahead_3", "dijkstra", 2)
    scene = build_scene(episodes, chosen, results.globe, left="look_ahead_3", propagator="j2")
    assert scene.routers == tuple(episodes.routes) and len(scene.worlds) == 2
    for one, world in zip(chosen, scene.worlds, strict=True):
        slot = int(episodes.worlds.slot[one.index])
        topology = episodes.ephemeris.topology
        assert set(world.replays) == set(scene.routers)
        assert len(world.links) == int(topology.up[slot].sum()) // 2, "every link once"
        assert world.rate_mbps.min() > 0
        position_km = world.keyframes[0] * world.unit_km
        expected = earth_fixed(topology.constellation, topology.time_s[slot][None], "j2")[0].numpy()
        np.testing.assert_allclose(position_km, expected, atol=world.unit_km)
        ends = position_km[world.links.astype(int)]
        length_km = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
        np.testing.assert_allclose(length_km, world.length_km, atol=2)
        tasks = {*world.source[world.present > 0].tolist(), *world.destination[world.present > 0].tolist()}
        assert set(world.contacts.satellite.tolist()) <= tasks
        assert (world.contacts.start_s < world.contacts.end_s).all()
        assert (world.contacts.end_s <= 3600 + 1e-3).all()
