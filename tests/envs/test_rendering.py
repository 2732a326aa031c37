"""Pictures of a world: shape, what must change and what must not, the map's geometry. Looks are for people to judge."""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from envs.config import ConfigError
from envs.joint_env import RoutingJointEnv
from envs.parallel_env import RoutingParallelEnv
from envs.rendering.picture import HEIGHT, WIDTH
from envs.rendering.sun import subsolar_point_deg
from envs.rendering.world_map import WorldMap, split_at_date_line
from envs.simulator import HOLD
from envs.vector_env import RoutingVectorEnv

DAY_S = 86400.0


def test_a_picture_changes_when_a_packet_moves_and_only_then(small_scenario, small_ephemeris):
    env = RoutingJointEnv(small_scenario, ephemeris=small_ephemeris, render_mode="rgb_array")
    observation, _ = env.reset(seed=2)
    first, again = env.render(), env.render()
    assert first is not None and first.dtype == np.uint8 and first.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(first, again)
    env.step(observation["action_mask"].argmax(1))
    moved = env.render()
    assert moved is not None and 0.001 < (moved != first).any(-1).mean() < 0.5

    env.reset(seed=2)
    np.testing.assert_array_equal(env.render(), first)


def test_every_view_draws_the_same_picture(small_scenario, small_ephemeris):
    common = {"ephemeris": small_ephemeris, "render_mode": "rgb_array"}
    joint, parallel = RoutingJointEnv(small_scenario, **common), RoutingParallelEnv(small_scenario, **common)
    vector = RoutingVectorEnv(2, small_scenario, **common)
    joint.reset(seed=4)
    parallel.reset(seed=4)
    vector.reset(seed=[3, 4])
    frames = vector.render()
    assert len(frames) == 2 and (frames[0] != frames[1]).any()
    np.testing.assert_array_equal(joint.render(), frames[1])
    np.testing.assert_array_equal(parallel.render(), frames[1])


def test_gymnasium_checks_it_and_collects_its_frames(small_scenario, small_ephemeris):
    settings = {"scenario": small_scenario, "ephemeris": small_ephemeris}
    env = gymnasium.make("leomix/Routing-v0", render_mode="rgb_array", **settings)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*")
        check_env(env.unwrapped, skip_render_check=True)
    film = gymnasium.wrappers.RenderCollection(env)
    film.reset(seed=1)
    for _ in range(2):
        film.step(np.full(6, HOLD))
    frames = film.render()
    assert frames is not None and len(frames) == 3
    assert {np.asarray(frame).shape for frame in frames} == {(HEIGHT, WIDTH, 3)}


def test_clear_errors(small_scenario, small_ephemeris, monkeypatch):
    env = RoutingJointEnv(small_scenario, ephemeris=small_ephemeris)
    env.reset(seed=0)
    with pytest.raises(RuntimeError, match="render_mode='rgb_array'"):
        env.render()
    with pytest.raises(ConfigError, match="render_mode='ansi' is not possible: rgb_array, human or None"):
        RoutingParallelEnv(small_scenario, ephemeris=small_ephemeris, render_mode="ansi")
    with pytest.raises(ConfigError, match="many worlds have no window"):
        RoutingVectorEnv(2, small_scenario, ephemeris=small_ephemeris, render_mode="human")
    blind = replace(small_ephemeris, topology=replace(small_ephemeris.topology, position_km=None))
    with pytest.raises(ConfigError, match="without positions"):
        RoutingJointEnv(small_scenario, ephemeris=blind, render_mode="rgb_array")
    monkeypatch.setattr("matplotlib.pyplot.get_backend", lambda: "agg")
    with pytest.raises(ConfigError, match="cannot open a window"):
        RoutingJointEnv(small_scenario, ephemeris=small_ephemeris, render_mode="human")


def test_who_does_not_look_loads_nothing():
    program = "import sys, envs.joint_env, envs.parallel_env, envs.vector_env; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert not {"matplotlib", "cartopy"} & set(out.split())


def test_the_sun_stands_where_it_should():
    # 2025-10-18: 14.7 minutes ahead of the clock, 9.6 degrees south; solstice on 21 December at 23.44 degrees south.
    longitude, latitude = subsolar_point_deg(DAY_S / 2)
    assert longitude == pytest.approx(-3.68, abs=0.05) and latitude == pytest.approx(-9.71, abs=0.1)
    assert subsolar_point_deg(64.6 * DAY_S)[1] == pytest.approx(-23.44, abs=0.01)
    assert abs(subsolar_point_deg(0)[0]) > 175


def test_the_map_is_bright_by_day_clear_outside_and_knows_land(small_scenario):
    world_map = WorldMap(240)
    image = world_map.image(DAY_S / 2)  # noon in Greenwich
    west, east, south, north = world_map.extent

    def pixel(longitude: float, latitude: float) -> np.ndarray:
        x, y = world_map.project(np.array([longitude]), np.array([latitude]))[0]
        rows, columns, _ = image.shape
        return image[
            round((north - y) / (north - south) * (rows - 1)),
            round((x - west) / (east - west) * (columns - 1)),
        ]

    assert image[0, 0, 3] == 0 and pixel(0, 0)[3] == 1
    sahara, atlantic, pacific = pixel(10, 22), pixel(-30, 0), pixel(-175, 0)
    assert sahara[:3].mean() > 1.5 * atlantic[:3].mean() > 1.5 * pacific[:3].mean() > 0
    reach = np.concatenate(world_map.graticule())
    assert np.isfinite(reach).all()
    assert reach[:, 0].max() == pytest.approx(east, rel=0.01) and reach[:, 1].max() == pytest.approx(
        north, rel=0.01
    )


def test_lines_are_cut_at_the_date_line():
    start = np.array([[170.0, 10.0], [-175.0, 0.0], [20.0, 5.0]])
    end = np.array([[-170.0, 20.0], [175.0, 8.0], [30.0, 5.0]])
    lines, of = split_at_date_line(start, end)
    assert lines.shape == (5, 2, 2) and sorted(of) == [0, 0, 1, 1, 2]
    assert (np.abs(lines[:, 1, 0] - lines[:, 0, 0]) <= 180).all()
    by_line = {line: lines[of == line] for line in range(3)}
    np.testing.assert_allclose(by_line[0], [[[170, 10], [180, 15]], [[-180, 15], [-170, 20]]])
    np.testing.assert_allclose(by_line[1], [[[-175, 0], [-180, 4]], [[180, 4], [175, 8]]])
    np.testing.assert_allclose(by_line[2], [[[20, 5], [30, 5]]])
    random = torch.rand(1000, 4, generator=torch.Generator().manual_seed(0)).numpy() * 359 - 179.5
    lines, _ = split_at_date_line(random[:, :2], random[:, 2:])
    assert (np.abs(lines[..., 0]) <= 180).all() and (np.abs(lines[:, 1, 0] - lines[:, 0, 0]) <= 180).all()


def test_a_window_shows_every_step(small_scenario, small_ephemeris, monkeypatch):
    monkeypatch.setattr("matplotlib.pyplot.get_backend", lambda: "tkagg")  # as if there were a screen
    monkeypatch.setattr("envs.rendering.view.PAUSE_S", 0.01)
    watched = RoutingJointEnv(small_scenario, ephemeris=small_ephemeris, render_mode="human")
    pixels = RoutingJointEnv(small_scenario, ephemeris=small_ephemeris, render_mode="rgb_array")
    shown: list[np.ndarray] = []
    window = watched._view._image  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setattr(window, "set_data", shown.append)
    observation, _ = watched.reset(seed=5)
    pixels.reset(seed=5)
    first = pixels.render()
    for env in (watched, pixels):
        env.step(observation["action_mask"].argmax(1))
    np.testing.assert_array_equal(shown, [first, pixels.render()])
    watched.close()
