"""One routing world as a picture: satellites by role, links by load, packets with the way they came."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from envs.config import require
from envs.constellation import FORE, RIGHT
from envs.ephemeris import Ephemeris
from envs.ground_track import earth_fixed_km
from envs.orbit import DAY_START
from envs.rendering.world_map import WorldMap, split_at_date_line
from envs.simulator import LINK_PACKETS, RoutingSimulator

WIDTH, HEIGHT = 1280, 720
"""Pixels of a picture."""

SKY, INK, FAINT = "#060b16", "#dfe7f2", "#7d8fa8"
DATA, MODEL = "#5ce1ff", "#b8ff6a"  # a packet has the colour of the satellite that sends it
LOAD_COLOURS = LinearSegmentedColormap.from_list(
    "load", ["#5b4bb5", "#b5479d", "#f2605c", "#ffb144", "#fff3b0"]
)
MOST_PACKETS = 6
"""Loads from here on look alike."""
_PIECES = 6  # of a link: a straight line in space is a curve on the map


class Picture:
    """Draws worlds of an ephemeris; everything that stands still during an episode is drawn once for its slot.

    Raises ConfigError when the ephemeris keeps no positions.
    """

    def __init__(self, ephemeris: Ephemeris) -> None:
        topology = ephemeris.topology
        require(
            topology.position_km is not None, "ephemeris", "without positions", "build_topology keeps them"
        )
        self.ephemeris = ephemeris
        self.figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100, facecolor=SKY)
        self._canvas = FigureCanvasAgg(self.figure)
        self._map = WorldMap(WIDTH)
        self._slot: int | None = None
        neighbours = topology.neighbours.cpu().numpy()
        here = np.repeat(np.arange(len(neighbours)), 2)
        direction = np.tile([FORE, RIGHT], len(neighbours))
        self._link = here * 4 + direction  # [2V] every ISL once
        self._neighbours = neighbours.reshape(-1)  # [4V]

    def frame(self, simulator: RoutingSimulator, world: int = 0) -> np.ndarray:
        """World number `world` as it is now: [HEIGHT, WIDTH, 3] uint8."""
        slot = int(simulator.worlds.slot[world])
        if slot != self._slot:
            self._draw_still(slot)
        self._canvas.restore_region(self._still)
        axes = self._axes
        moving = [
            *self._loads(simulator, world),
            *self._trails(simulator, world),
            *self._satellites(simulator, world),
            *self._packets(simulator, world),
            *self._words(simulator, world),
        ]
        for artist in moving:
            axes.draw_artist(artist)
            artist.remove()
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()

    # ---------------------------------------------------------------- what stands still

    def _draw_still(self, slot: int) -> None:
        topology = self.ephemeris.topology
        assert topology.position_km is not None
        self._slot, self._time_s = slot, float(topology.time_s[slot])
        fixed = earth_fixed_km(
            topology.position_km[slot : slot + 1],
            topology.time_s[slot : slot + 1].cpu(),
            topology.constellation.day_start,
        )
        self._position_km = fixed[0].numpy()  # [V, 3]
        self._place = self._map.project(*_longitude_latitude(self._position_km).T)  # [V, 2]
        up = topology.up[slot].reshape(-1).cpu().numpy()  # [4V]

        self.figure.clear()
        axes = self._axes = self.figure.add_axes((0.015, 0.055, 0.97, 0.885))
        axes.set_axis_off()
        west, east, south, north = self._map.extent
        axes.set_xlim(west, east)
        axes.set_ylim(south, north)
        axes.set_aspect("equal")
        # The map counts from the day of the Walker constellations.
        later_s = (topology.constellation.day_start - DAY_START).total_seconds()
        axes.imshow(
            self._map.image(self._time_s + later_s),
            extent=self._map.extent,
            interpolation="bilinear",
            zorder=0,
        )
        axes.add_collection(
            LineCollection(self._map.graticule(), colors="#ffffff", linewidths=0.4, alpha=0.12)
        )
        lines, _ = self._lines(self._link[up[self._link]])
        crowd = min(1.0, 300 / len(up) * 4)  # fainter where there are many
        axes.add_collection(
            LineCollection(list(lines), colors="#8fb4e8", linewidths=0.5, alpha=0.10 + 0.20 * crowd)
        )
        axes.scatter(*self._place.T, s=3 + 5 * crowd, c="#9fb3cc", alpha=0.75, linewidths=0, zorder=3)
        self._draw_legend()
        self._canvas.draw()
        self._still = self._canvas.copy_from_bbox(self.figure.bbox)

    def _draw_legend(self) -> None:
        axes = self._axes
        entries = (
            ("^", DATA, "sensing satellite", 9),
            ("s", MODEL, "computing satellite", 8),
            ("o", "#9fb3cc", "relay", 5),
            ("o", DATA, "data packet and its way", 7),
            ("o", MODEL, "model packet and its way", 7),
            ("x", "#ff5a5a", "dropped packet", 7),
        )
        handles = [
            axes.plot([], [], marker, color=colour, markersize=size, label=label, linestyle="none")[0]
            for marker, colour, label, size in entries
        ]
        for handle in handles[3:5]:
            handle.set_linestyle("-")
            handle.set_linewidth(1.2)
        self.figure.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(0.012, 0.01),
            ncols=len(handles),
            frameon=False,
            labelcolor=FAINT,
            fontsize=9,
            handletextpad=0.4,
            columnspacing=1.4,
        )
        bar = self.figure.add_axes((0.845, 0.034, 0.14, 0.014))
        self.figure.colorbar(
            ScalarMappable(Normalize(1, MOST_PACKETS), LOAD_COLOURS), cax=bar, orientation="horizontal"
        )
        bar.set_xticks(range(1, MOST_PACKETS + 1), [*map(str, range(1, MOST_PACKETS)), f"{MOST_PACKETS}+"])
        bar.tick_params(labelsize=8, colors=FAINT, length=0, pad=2)
        bar.set_title("packets that used a link", fontsize=8.5, color=FAINT, pad=3)
        for spine in bar.spines.values():
            spine.set_visible(False)

    def _lines(self, link: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Links [N] (satellite * 4 + direction) on the map: lines [M, 2, 2], and for each which link it is of, [M]."""
        start = self._position_km[link // 4]
        end = self._position_km[self._neighbours[link]]
        share = np.linspace(0, 1, _PIECES + 1)[:, None]
        points = start[:, None] + share * (end - start)[:, None]  # [N, pieces + 1, 3]
        ground = _longitude_latitude(points)
        lines, piece = split_at_date_line(ground[:, :-1].reshape(-1, 2), ground[:, 1:].reshape(-1, 2))
        return self._map.project(lines[..., 0], lines[..., 1]), piece // _PIECES

    # ---------------------------------------------------------------- what moves

    def _loads(self, simulator: RoutingSimulator, world: int) -> list[LineCollection]:
        rows = slice(world * simulator.n_satellites, (world + 1) * simulator.n_satellites)
        packets = simulator.loads[rows, LINK_PACKETS].reshape(-1).cpu().numpy()  # [4V]
        link = np.flatnonzero(packets)
        if not len(link):
            return []
        lines, of = self._lines(link)
        colour = LOAD_COLOURS(Normalize(1, MOST_PACKETS, clip=True)(packets[link][of]))
        width = 2.4 + 1.1 * np.minimum(packets[link][of], MOST_PACKETS)
        order = np.argsort(packets[link][of], kind="stable")
        lines, colour, width = lines[order], colour[order], width[order]
        glow = self._collection(lines, colour, 2.6 * width, 0.16, ends="butt")
        return [glow, self._collection(lines, colour, width, 0.9)]

    def _trails(self, simulator: RoutingSimulator, world: int) -> list[LineCollection]:
        paths = simulator.paths[world].cpu().numpy()  # [P, H]
        packet, hop = np.nonzero(paths >= 0)
        if not len(packet):
            return []
        lines, of = self._lines(paths[packet, hop])
        hops = simulator.hops[world].cpu().numpy()
        age = (hops[packet] - 1 - hop)[of]  # 0: the last hop
        colour = self._colours(simulator)[packet[of]]
        colour[:, 3] = np.clip(0.95 * 0.75**age, 0.12, 1)
        return [self._collection(lines, colour, np.full(len(lines), 1.1), None)]

    def _satellites(self, simulator: RoutingSimulator, world: int) -> list:
        worlds = simulator.worlds
        n = worlds.n_tasks
        present = worlds.present[world, n:].cpu().numpy()
        sensing = worlds.source[world, n:].cpu().numpy()[present]
        computing = np.unique(worlds.destination[world, n:].cpu().numpy()[present])
        style = {"edgecolors": SKY, "linewidths": 0.9, "zorder": 6}
        return [
            self._axes.scatter(*self._place[sensing].T, s=90, marker="^", c=DATA, **style),
            self._axes.scatter(*self._place[computing].T, s=110, marker="s", c=MODEL, **style),
        ]

    def _packets(self, simulator: RoutingSimulator, world: int) -> list:
        place = self._place[simulator.satellite[world].cpu().numpy()]  # [P, 2]
        colour = self._colours(simulator)
        alive, lost = simulator.alive[world].cpu().numpy(), simulator.dropped[world].cpu().numpy()
        around = {"zorder": 7, "linewidths": 0}
        return [
            self._axes.scatter(*place[alive].T, s=230, c=colour[alive], alpha=0.22, **around),
            self._axes.scatter(
                *place[alive].T, s=46, c=colour[alive], edgecolors="white", linewidths=1.1, zorder=8
            ),
            self._axes.scatter(*place[lost].T, s=60, marker="x", c="#ff5a5a", linewidths=2.2, zorder=8),
        ]

    def _words(self, simulator: RoutingSimulator, world: int) -> list:
        name = self.ephemeris.topology.constellation.name
        moment = self.ephemeris.topology.constellation.day_start + timedelta(seconds=self._time_s)
        present = int(simulator.worlds.present[world].sum())
        delivered, dropped, alive = (
            int(packets[world].sum()) for packets in (simulator.delivered, simulator.dropped, simulator.alive)
        )
        now = (
            f"step {int(simulator.steps[world])}     {alive} packets on their way, {delivered} of {present} delivered"
            + (f", {dropped} dropped" if dropped else "")
            + f"     total delay {float(simulator.total_delay_s[world]):.1f} s"
        )
        where = f"{name}, {self.ephemeris.n_satellites} satellites, {moment:%Y-%m-%d %H:%M} UTC"
        write = {"transform": self.figure.transFigure, "va": "center"}
        return [
            self._axes.text(0.015, 0.968, where, color=INK, fontsize=12, fontweight="bold", **write),
            self._axes.text(0.985, 0.968, now, color=INK, fontsize=11, ha="right", **write),
        ]

    def _colours(self, simulator: RoutingSimulator) -> np.ndarray:
        """RGBA of every packet, [P, 4]."""
        is_data = np.arange(simulator.n_packets) >= simulator.n_packets // 2
        return np.where(is_data[:, None], _rgba(DATA), _rgba(MODEL))

    def _collection(self, lines, colours, widths, alpha, ends="round") -> LineCollection:
        collection = LineCollection(
            list(lines), colors=colours, linewidths=widths, alpha=alpha, capstyle=ends, zorder=4
        )
        self._axes.add_collection(collection, autolim=False)
        return collection


def _longitude_latitude(position_km: np.ndarray) -> np.ndarray:
    """Earth-fixed positions [..., 3] as longitude and geocentric latitude in degrees, [..., 2]."""
    x, y, z = np.moveaxis(position_km, -1, 0)
    return np.degrees(np.stack([np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))], -1))


def _rgba(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] + [1.0])
