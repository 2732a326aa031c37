"""The network over time: which inter-satellite links are up in every slot, how long and how fast they are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import networkx as nx
import torch
from torch import Tensor

from envs.config import require
from envs.constellation import AFT, FORE, LEFT, RIGHT, Fleet
from envs.earth import EARTH_RADIUS_KM
from envs.links import LinkModel

_SLOTS_AT_ONCE = 32  # keeps the working set of 1584 satellites within a few MB


@dataclass(frozen=True)
class Topology:
    """Links of V satellites in T slots; every tensor on one device. Links are symmetric, bit for bit.

    length_km is the distance to the neighbour whether or not the link is up; rate_mbps is 0 where it is down.
    """

    constellation: Fleet
    time_s: Tensor  # [T] float64, seconds since the start of the simulated day
    neighbours: Tensor  # [V, 4] int64
    up: Tensor  # [T, V, 4] bool
    length_km: Tensor  # [T, V, 4] float32
    rate_mbps: Tensor  # [T, V, 4] float32
    position_km: Tensor | None  # [T, V, 3] float32, TEME; None where it was not kept

    @property
    def n_slots(self) -> int:
        """T."""
        return self.time_s.shape[0]

    @property
    def n_satellites(self) -> int:
        """V."""
        return self.neighbours.shape[0]

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.up.device

    def to(self, device: torch.device | str) -> Topology:
        """The same topology on another device."""
        return replace(
            self,
            time_s=self.time_s.to(device),
            neighbours=self.neighbours.to(device),
            up=self.up.to(device),
            length_km=self.length_km.to(device),
            rate_mbps=self.rate_mbps.to(device),
            position_km=None if self.position_km is None else self.position_km.to(device),
        )

    def slots(self, index: Tensor | slice | list[int]) -> Topology:
        """The topology of some slots only, in the order of `index`."""
        return replace(
            self,
            time_s=self.time_s[index],
            up=self.up[index],
            length_km=self.length_km[index],
            rate_mbps=self.rate_mbps[index],
            position_km=None if self.position_km is None else self.position_km[index],
        )

    def to_networkx(self, slot: int) -> nx.DiGraph:
        """One slot as a directed graph of the links that are up.

        Nodes carry `plane`, `slot` and, where kept, `position_km`; edges `direction`, `length_km`,
        `rate_mbps`.
        """
        graph = nx.DiGraph(name=self.constellation.name, time_s=float(self.time_s[slot]))
        places = zip(self.constellation.plane.tolist(), self.constellation.slot.tolist(), strict=True)
        for satellite, (plane, place) in enumerate(places):
            graph.add_node(satellite, plane=plane, slot=place)
            if self.position_km is not None:
                graph.nodes[satellite]["position_km"] = tuple(self.position_km[slot, satellite].tolist())
        here, direction = self.up[slot].nonzero(as_tuple=True)
        columns = (
            here,
            self.neighbours[here, direction],
            direction,
            self.length_km[slot, here, direction],
            self.rate_mbps[slot, here, direction],
        )
        for a, b, d, length, rate in zip(*(column.tolist() for column in columns), strict=True):
            graph.add_edge(a, b, direction=d, length_km=length, rate_mbps=rate)
        return graph


def build_topology(
    constellation: Fleet,
    link: LinkModel,
    time_s: Tensor,
    *,
    propagator: str = "j2",
    clearance_km: float = 80.0,
    keep_positions: bool = True,
) -> Topology:
    """Links of a constellation at `time_s` [T] (see `slot_times_s`), on the CPU.

    A link is up if the constellation has it (`Fleet.wired`), it is not longer than the constellation's
    `max_link_km`, the straight line between its ends clears the Earth by `clearance_km` (Hypatia's rule: above
    the weather) and, between planes, both ends are below the polar cut-off.

    Raises `ConstellationError` if the satellites would collide, `ConfigError` for impossible arguments.
    """
    require(
        time_s.ndim == 1 and len(time_s) >= 1, "time_s", tuple(time_s.shape), "one or more times, shape [T]"
    )
    require(bool(time_s.isfinite().all()), "time_s", time_s.tolist(), "finite numbers")
    require(clearance_km >= 0, "clearance_km", clearance_km, "zero or more")
    constellation.check()
    neighbours, wired = constellation.neighbours(), constellation.wired()
    n_slots, n_satellites = len(time_s), constellation.n_satellites
    satellite = torch.arange(n_satellites)
    up = torch.empty(n_slots, n_satellites, 4, dtype=torch.bool)
    length_km = torch.empty(n_slots, n_satellites, 4)
    rate_mbps = torch.empty(n_slots, n_satellites, 4)
    position_km = torch.empty(n_slots, n_satellites, 3) if keep_positions else None
    for start in range(0, n_slots, _SLOTS_AT_ONCE):
        some = slice(start, start + _SLOTS_AT_ONCE)
        position = constellation.positions_km(time_s[some], propagator)  # [t, V, 3]
        if position_km is not None:
            position_km[some] = position
        radius2 = position.square().sum(-1)  # [t, V]
        for direction, reverse in ((FORE, AFT), (RIGHT, LEFT)):
            there, back = neighbours[:, direction], neighbours[:, reverse]
            length = (position[:, there] - position).square().sum(-1).sqrt()  # [t, V]
            clear = _lowest_point_km(length, radius2, radius2[:, there]) > EARTH_RADIUS_KM + clearance_km
            usable = clear & wired[:, direction]
            if constellation.max_link_km is not None:
                usable &= length <= constellation.max_link_km
            if direction == RIGHT and constellation.polar_cutoff_deg is not None:
                sin2_cutoff = math.sin(math.radians(constellation.polar_cutoff_deg)) ** 2
                low = position[..., 2].square() <= sin2_cutoff * radius2
                usable &= low & low[:, there]
            rate = torch.where(usable, link.rate_mbps(length), 0.0)
            for target, value in ((up, usable), (length_km, length), (rate_mbps, rate)):
                target[some, :, direction] = value
                # The same link seen from its far end; zero where nobody is.
                target[some, :, reverse] = torch.where(back == satellite, 0, value[:, back])
    return Topology(constellation, time_s.double(), neighbours, up, length_km, rate_mbps, position_km)


def _lowest_point_km(length_km: Tensor, radius2_a: Tensor, radius2_b: Tensor) -> Tensor:
    """Distance of a segment from the Earth's centre, given its length and its ends' squared radii."""
    length2 = length_km.square().clamp_min(1e-6)
    along = ((radius2_a - radius2_b + length2) / (2 * length2)).clamp(0, 1)  # share of the way to the foot
    height2 = radius2_a - along * (radius2_a - radius2_b + length2) + along.square() * length2
    return height2.clamp_min(0).sqrt()
