"""A dark map of the Earth in Robinson's projection, by day and by night."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path

import cartopy
import numpy as np
from cartopy.crs import PlateCarree, Robinson
from matplotlib.image import imread

from envs.rendering.sun import subsolar_point_deg

OCEAN, LAND, COAST = np.array([[12, 26, 50], [46, 64, 86], [104, 132, 162]]) / 255
NIGHT = 0.6
"""Brightness of the night side; the day side has 1."""


class WorldMap:
    """A map `width` pixels wide. x and y are Robinson's metres.

    The relief is Natural Earth's (public domain), as it comes with cartopy.
    """

    def __init__(self, width: int) -> None:
        self._projection = Robinson()
        west, east = self._projection.x_limits
        south, north = self._projection.y_limits
        self.extent = (west, east, south, north)
        height = round(width * (north - south) / (east - west))
        x = np.linspace(west, east, width)
        y = np.linspace(north, south, height)
        grid = PlateCarree().transform_points(self._projection, *np.meshgrid(x, y))
        longitude, latitude = grid[..., 0], grid[..., 1]  # [H, W]
        with np.errstate(invalid="ignore"):
            inside = np.isfinite(longitude) & np.isfinite(latitude) & (np.abs(longitude) <= 180)
            # Robinson's inverse repeats the world beyond its edge: what does not come back is outside.
            again = self._projection.transform_points(
                PlateCarree(), np.where(inside, longitude, 0), np.where(inside, latitude, 0)
            )
            inside &= np.abs(again[..., 0] - x) < (east - west) / width
        self._inside = inside
        self._longitude, self._latitude = np.where(inside, longitude, 0.0), np.where(inside, latitude, 0.0)

    def project(self, longitude_deg: np.ndarray, latitude_deg: np.ndarray) -> np.ndarray:
        """Points on the map, [..., 2]."""
        points = self._projection.transform_points(
            PlateCarree(), np.asarray(longitude_deg, float), np.asarray(latitude_deg, float)
        )
        return points[..., :2]

    def image(self, time_s: float) -> np.ndarray:
        """The map at `time_s`, seconds since the start of the simulated day: [H, W, 4] in 0..1, clear outside."""
        sun_longitude, sun_latitude = np.radians(subsolar_point_deg(time_s))
        latitude, from_sun = np.radians(self._latitude), np.radians(self._longitude) - sun_longitude
        height = np.sin(latitude) * np.sin(sun_latitude) + np.cos(latitude) * np.cos(sun_latitude) * np.cos(
            from_sun
        )
        day = np.clip((height + 0.1) / 0.2, 0, 1)[..., None]  # six degrees of twilight on either side
        colour = self._ground * (NIGHT + (1 - NIGHT) * day)
        return np.concatenate([colour, self._inside[..., None]], -1)

    def graticule(self) -> list[np.ndarray]:
        """Meridians and parallels every 30 degrees and the edge of the map, each [N, 2]."""
        latitudes, longitudes = np.linspace(-90, 90, 91), np.linspace(-180, 180, 181)
        meridians = [
            self.project(np.full_like(latitudes, degrees), latitudes) for degrees in range(-180, 181, 30)
        ]
        return meridians + [
            self.project(longitudes, np.full_like(longitudes, degrees))
            for degrees in (*range(-60, 61, 30), -90, 90)
        ]

    @cached_property
    def _ground(self) -> np.ndarray:
        """[H, W, 3] in 0..1, lit from everywhere: sea, land with its relief, coasts."""
        relief = _relief()
        rows, columns, _ = relief.shape
        row = np.clip((90 - self._latitude) / 180 * rows - 0.5, 0, rows - 1.001)
        column = np.clip((self._longitude + 180) / 360 * columns - 0.5, 0, columns - 1.001)
        colour = _bilinear(relief, row, column)  # [H, W, 3]
        land = np.clip((colour[..., 0] - colour[..., 2] + 0.16) / 0.10, 0, 1)[..., None]
        shade = colour.mean(-1, keepdims=True)
        ground = (OCEAN * (0.55 + 0.75 * shade)) * (1 - land) + (LAND * (0.35 + 0.9 * shade)) * land
        coast = 4 * land * (1 - land)
        return np.clip(ground * (1 - 0.6 * coast) + COAST * 0.6 * coast, 0, 1)


def split_at_date_line(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Short lines from `start` to `end`, both [N, 2] (longitude, latitude in degrees), cut at the date line.

    Returns lines [M, 2, 2], M >= N, none of which crosses it, and for each the line it is a part of, [M].
    """
    turn = np.where(
        end[:, 0] - start[:, 0] > 180, -360.0, np.where(end[:, 0] - start[:, 0] < -180, 360.0, 0.0)
    )
    crossing = np.flatnonzero(turn)
    whole = np.stack([start, end], 1)  # [N, 2, 2]
    a, b, way = start[crossing], end[crossing], turn[crossing]
    edge = np.copysign(180.0, way)  # where the line leaves the map
    span = b[:, 0] + way - a[:, 0]
    share = np.where(span == 0, 0.5, (edge - a[:, 0]) / np.where(span == 0, 1.0, span))
    latitude = a[:, 1] + share * (b[:, 1] - a[:, 1])
    leaving, entering = np.stack([edge, latitude], 1), np.stack([-edge, latitude], 1)
    kept = np.flatnonzero(turn == 0)
    lines = np.concatenate([whole[kept], np.stack([a, leaving], 1), np.stack([entering, b], 1)])
    return lines, np.concatenate([kept, crossing, crossing])


def _relief() -> np.ndarray:
    """Natural Earth's shaded relief in a plate carree, [180 * k, 360 * k, 3] in 0..1."""
    folder = Path(cartopy.__file__).parent / "data" / "raster" / "natural_earth"
    file = json.loads((folder / "images.json").read_text())["ne_shaded"]["low"]
    return imread(folder / file)[..., :3]


def _bilinear(image: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Values of `image` [R, C, 3] between its pixels: at `row`, `column` [H, W], [H, W, 3]."""
    top, left = row.astype(int), column.astype(int)
    down, right = (row - top)[..., None], (column - left)[..., None]
    above = image[top, left] * (1 - right) + image[top, left + 1] * right
    below = image[top + 1, left] * (1 - right) + image[top + 1, left + 1] * right
    return above * (1 - down) + below * down
