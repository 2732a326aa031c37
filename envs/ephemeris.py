"""What every satellite knows on board: the slots' links, and the uncongested cost of every way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from torch import Tensor

from envs.config import require
from envs.connectivity import components
from envs.links import LIGHT_KM_S
from envs.neighbourhood import Neighbourhood
from envs.topology import Topology

DOWN_S_PER_MBIT = 1e4
"""Stands for 'never': s per Mbit of a link that is down."""
UNREACHABLE_S = 1e3
"""Cost of the way to an unreachable destination, whatever the packet: more than any way takes, and yet bounded."""
UNREACHABLE_HOPS = 1e4
"""Hops to an unreachable destination: more than any packet may make."""
REFERENCE_MBIT = 100.0
"""Routes are the best for a packet of this size."""
TRANSMISSION, PROPAGATION, HOPS, DIRECTION = range(4)
"""Columns of `Ephemeris.cost_to_go`; a row is 16 bytes, one gather."""

_DESTINATIONS_AT_ONCE = 128  # keeps the working set of 1584 satellites within a few MB


@dataclass(frozen=True)
class Ephemeris:
    """Flat tables over T slots and V satellites, made to be gathered from; all on one device.

    Row of satellite v in slot t: t * V + v. Row of the way from v to destination d: (t * V + d) * V + v.

    cost_to_go: s per Mbit (of all links, and of the relays between the ends) and s of propagation, both along
        the path that is best for a `REFERENCE_MBIT` packet alone in the network; the *smallest* number of
        hops of any path; the direction of the best path's first hop. Unreachable: 0, `UNREACHABLE_S`,
        `UNREACHABLE_HOPS`. At the destination and where it is unreachable the direction means nothing.
    component: satellites of a slot have a way to each other iff this is equal (`envs.connectivity`).
    """

    topology: Topology
    relay_s_per_mbit: float
    link_s_per_mbit: Tensor  # [T*V, 4] float32, DOWN_S_PER_MBIT where down
    link_propagation_s: Tensor  # [T*V, 4] float32, 0 where down
    link_up: Tensor  # [T*V, 4] bool
    cost_to_go: Tensor  # [T*V*V, 4] float32
    component: Tensor  # [T, V] int64

    @property
    def n_slots(self) -> int:
        """T."""
        return self.topology.n_slots

    @property
    def n_satellites(self) -> int:
        """V."""
        return self.topology.n_satellites

    @property
    def device(self) -> torch.device:
        """Where the tables are."""
        return self.cost_to_go.device

    @cached_property
    def hops_to_go(self) -> Tensor:
        """[T*V*V] the column HOPS of `cost_to_go` on its own, for those who gather nothing else."""
        return self.cost_to_go[:, HOPS].contiguous()

    @cached_property
    def neighbourhood(self) -> Neighbourhood:
        """Who is within three hops of whom."""
        return Neighbourhood.of(self.topology.neighbours)

    def row(self, slot: Tensor, destination: Tensor, satellite: Tensor) -> Tensor:
        """Rows of `cost_to_go`; the arguments broadcast."""
        return (slot * self.n_satellites + destination) * self.n_satellites + satellite

    def hops(self, slot: Tensor, destination: Tensor, satellite: Tensor) -> Tensor:
        """Fewest hops from `satellite` to `destination`; the arguments broadcast."""
        return self.cost_to_go[self.row(slot, destination, satellite), HOPS]

    def cost_to_go_s(self, slot: Tensor, destination: Tensor, satellite: Tensor, size_mbit: Tensor) -> Tensor:
        """Uncongested delay, in s, of a packet from `satellite` to `destination`; the arguments broadcast."""
        costs = self.cost_to_go[self.row(slot, destination, satellite)]
        return costs[..., TRANSMISSION] * size_mbit + costs[..., PROPAGATION]

    def to(self, device: torch.device | str) -> Ephemeris:
        """The same ephemeris on another device."""
        return replace(
            self,
            topology=self.topology.to(device),
            link_s_per_mbit=self.link_s_per_mbit.to(device),
            link_propagation_s=self.link_propagation_s.to(device),
            link_up=self.link_up.to(device),
            cost_to_go=self.cost_to_go.to(device),
            component=self.component.to(device),
        )


def ephemeris_gib(n_slots: int, n_satellites: int) -> float:
    """Memory of `Ephemeris.cost_to_go` in GiB: 16 bytes for each slot and ordered pair of satellites."""
    return n_slots * n_satellites**2 * 16 / 2**30


def build_ephemeris(
    topology: Topology, relay_s_per_mbit: float, *, memory_limit_gib: float = 8.0
) -> Ephemeris:
    """Tables for all slots of `topology`, on its device.

    Pick the slots in use first (`Topology.slots`): one of 1584 satellites takes 38 MiB and 0.4 s.

    relay_s_per_mbit: rho, time that a relay takes per Mbit.
    Raises `ConfigError` if the tables would be larger than `memory_limit_gib`.
    """
    n_slots, n_satellites = topology.n_slots, topology.n_satellites
    require(relay_s_per_mbit >= 0, "relay_s_per_mbit", relay_s_per_mbit, "zero or more")
    need_gib = ephemeris_gib(n_slots, n_satellites)
    require(
        need_gib <= memory_limit_gib,
        "number of slots",
        n_slots,
        f"the cost tables of {n_satellites} satellites would take {need_gib:.1f} GiB "
        f"and memory_limit_gib is {memory_limit_gib:g}; "
        f"use at most {int(n_slots * memory_limit_gib / need_gib)} slots, or raise the limit",
    )
    device, topology = topology.device, topology.to("cpu")
    s_per_mbit = torch.where(topology.up, 1 / topology.rate_mbps, DOWN_S_PER_MBIT)  # [T, V, 4]
    propagation_s = torch.where(topology.up, topology.length_km / LIGHT_KM_S, 0.0)
    neighbours, up = topology.neighbours.numpy(), topology.up.numpy()
    cost_to_go = torch.zeros(n_slots, n_satellites, n_satellites, 4)
    for slot in range(n_slots):
        _fill_costs(
            cost_to_go[slot].numpy(),
            neighbours,
            up[slot],
            s_per_mbit[slot].numpy(),
            propagation_s[slot].numpy(),
            relay_s_per_mbit,
        )
    return Ephemeris(
        topology=topology,
        relay_s_per_mbit=relay_s_per_mbit,
        link_s_per_mbit=s_per_mbit.flatten(0, 1),
        link_propagation_s=propagation_s.flatten(0, 1),
        link_up=topology.up.flatten(0, 1),
        cost_to_go=cost_to_go.flatten(0, 2),
        component=components(topology),
    ).to(device)


def _fill_costs(
    table: np.ndarray,
    neighbours: np.ndarray,
    up: np.ndarray,
    s_per_mbit: np.ndarray,
    propagation_s: np.ndarray,
    relay_s_per_mbit: float,
) -> None:
    """Write one slot's `cost_to_go` into `table` [destination, satellite, 4], which is zero.

    neighbours, up, s_per_mbit, propagation_s: [V, 4].
    """
    n = len(neighbours)
    here, direction = np.nonzero(up)
    there = neighbours[here, direction]
    hop_propagation_s = propagation_s[here, direction].astype(np.float64)
    hop_s_per_mbit = s_per_mbit[here, direction].astype(np.float64) + relay_s_per_mbit
    hop_s = REFERENCE_MBIT * hop_s_per_mbit + hop_propagation_s
    # Searched from the destination against the links, a predecessor is a satellite's next hop.
    backward = csr_array((hop_s, (there, here)), shape=(n, n))
    hop_table = np.zeros(n * n)
    hop_table[here * n + there] = hop_propagation_s
    direction_table = np.zeros(n * n, np.uint8)
    direction_table[here * n + there] = direction
    least_hops = _least_hops(neighbours, up)
    satellite = np.arange(n)
    for destinations in np.split(satellite, range(_DESTINATIONS_AT_ONCE, n, _DESTINATIONS_AT_ONCE)):
        cost_s, next_hop = dijkstra(backward, indices=destinations, return_predecessors=True)  # [D, V]
        # Negative at the destination and where unreachable: stay where you are.
        next_hop = np.where(next_hop >= 0, next_hop, satellite)
        first_hop = satellite * n + next_hop
        propagation = hop_table.take(first_hop)
        # Sums along the trees by pointer doubling: each round adds the way from where the last one ended.
        # Pointers address the flat block, which makes a gather one `take`.
        pointer = np.arange(len(destinations))[:, None] * n + next_hop
        while not np.array_equal(further := pointer.take(pointer), pointer):
            propagation += propagation.take(pointer)
            pointer = further
        # The search charged a relay for every hop; the last one ends at the destination, which is none.
        relays = relay_s_per_mbit * (satellite != destinations[:, None])
        block = table[destinations[0] : destinations[-1] + 1]
        block[..., TRANSMISSION] = (cost_s - propagation) / REFERENCE_MBIT - relays
        block[..., PROPAGATION] = propagation
        block[..., HOPS] = least_hops[destinations]
        block[..., DIRECTION] = direction_table.take(first_hop)
        block[np.isinf(cost_s), : HOPS + 1] = (0.0, UNREACHABLE_S, UNREACHABLE_HOPS)


def _least_hops(neighbours: np.ndarray, up: np.ndarray) -> np.ndarray:
    """[V, V] uint16: fewest hops, all pairs (either way: links are symmetric); wrong where there is no way.

    A breadth-first search from everywhere at once: a satellite keeps one bit per destination within reach,
    and takes over its neighbours' bits once a round. The rounds during which a bit was missing are the hops.
    """
    n = len(neighbours)
    reach = np.packbits(np.eye(n, dtype=bool), axis=1)  # [V, V / 8]
    hops = np.zeros((n, n), np.uint16)
    while True:
        wider = reach.copy()
        for direction in range(4):
            ends = up[:, direction]
            wider[ends] |= reach[neighbours[ends, direction]]
        if np.array_equal(wider, reach):
            return hops
        hops += np.unpackbits(~reach, axis=1, count=n)
        reach = wider
