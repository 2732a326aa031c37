"""Uncongested costs against networkx, and the tables' layout."""

from __future__ import annotations

import networkx as nx
import pytest
import torch
from torch import Tensor

from envs.config import ConfigError
from envs.constellation import CONSTELLATIONS, Constellation
from envs.ephemeris import (
    DOWN_S_PER_MBIT,
    HOPS,
    PROPAGATION,
    REFERENCE_MBIT,
    TRANSMISSION,
    UNREACHABLE_HOPS,
    UNREACHABLE_S,
    Ephemeris,
    build_ephemeris,
    ephemeris_gib,
)
from envs.links import LIGHT_KM_S, EbN0Link, FixedLink, LinkModel
from envs.orbit import slot_times_s
from envs.topology import build_topology

RELAY = 0.0005
FLEETS = [
    Constellation("delta", "delta", 5, 7, 1000.0, 53.0, 2),
    Constellation("star", "star", 4, 8, 1200.0, 87.0, 1, polar_cutoff_deg=60.0),
    Constellation("pair_of_planes", "delta", 2, 6, 1500.0, 53.0, 1),
    Constellation("ring", "delta", 1, 9, 1000.0, 53.0, 0),
    Constellation("apart", "star", 3, 9, 1000.0, 86.0, 1, polar_cutoff_deg=5.0),  # mostly rings of their own
]
SLOTS = slot_times_s(3, 1111.0)


def build(fleet: Constellation, link: LinkModel | None = None, relay: float = RELAY) -> Ephemeris:
    return build_ephemeris(build_topology(fleet, link or EbN0Link(), SLOTS), relay)


def costs(ephemeris: Ephemeris) -> Tensor:
    """[T, destination, satellite, 4]"""
    n = ephemeris.n_satellites
    return ephemeris.cost_to_go.reshape(ephemeris.n_slots, n, n, 4)


@pytest.mark.parametrize("link", [EbN0Link(), FixedLink(5000.0)], ids=["eb_n0", "fixed"])
@pytest.mark.parametrize("fleet", FLEETS, ids=lambda fleet: fleet.name)
def test_costs_are_networkxs(fleet: Constellation, link: LinkModel):
    ephemeris = build(fleet, link)
    table = costs(ephemeris)
    some_unreachable = False
    for slot in range(ephemeris.n_slots):
        graph = ephemeris.topology.to_networkx(slot)
        for _, _, edge in graph.edges(data=True):
            transmission = REFERENCE_MBIT * (1 / edge["rate_mbps"] + RELAY)
            edge["cost_s"] = transmission + edge["length_km"] / LIGHT_KM_S
        for satellite in graph:
            best = nx.single_source_dijkstra_path_length(graph, satellite, weight="cost_s")
            least = nx.single_source_shortest_path_length(graph, satellite)
            for destination in graph:
                row = table[slot, destination, satellite]
                if destination not in best:
                    some_unreachable = True
                    assert row.tolist() == [0, UNREACHABLE_S, UNREACHABLE_HOPS, 0]
                    continue
                last_relay = RELAY * REFERENCE_MBIT if destination != satellite else 0
                found = REFERENCE_MBIT * row[TRANSMISSION] + row[PROPAGATION]
                assert float(found) == pytest.approx(best[destination] - last_relay, rel=1e-5, abs=1e-7)
                assert row[HOPS] == least[destination]
    assert some_unreachable or fleet.name != "apart"


@pytest.mark.parametrize("fleet", FLEETS, ids=lambda fleet: fleet.name)
def test_both_parts_of_a_cost_add_up_along_one_path(fleet: Constellation):
    """Some neighbour's transmission and propagation, plus the link to it, make this satellite's."""
    ephemeris = build(fleet)
    table, n = costs(ephemeris).double(), ephemeris.n_satellites
    neighbours = ephemeris.topology.neighbours
    s_per_mbit = ephemeris.link_s_per_mbit.reshape(-1, n, 4).double()
    propagation_s = ephemeris.link_propagation_s.reshape(-1, n, 4).double()
    destination = torch.arange(n)[:, None, None]
    relays = RELAY * (neighbours != destination)  # [destination, satellite, 4]
    onward = table[:, :, neighbours]  # [T, destination, satellite, 4 directions, 4 columns]
    transmission = onward[..., TRANSMISSION] + s_per_mbit[:, None] + relays
    propagation = onward[..., PROPAGATION] + propagation_s[:, None]
    gap = (transmission - table[..., None, TRANSMISSION]).abs() + (
        propagation - table[..., None, PROPAGATION]
    ).abs()
    reachable = (table[..., HOPS] > 0) & (table[..., HOPS] < UNREACHABLE_HOPS)
    assert gap.amin(-1)[reachable].max() < 1e-6


def test_no_direction_beats_the_cost_and_hops_differ_by_one():
    ephemeris = build(CONSTELLATIONS["iridium_star"])
    table, n = costs(ephemeris), ephemeris.n_satellites
    neighbours = ephemeris.topology.neighbours
    up = ephemeris.link_up.reshape(-1, 1, n, 4).expand(-1, n, -1, -1)
    total = REFERENCE_MBIT * table[..., TRANSMISSION] + table[..., PROPAGATION]  # [T, destination, satellite]
    relays = REFERENCE_MBIT * RELAY * (neighbours != torch.arange(n)[:, None, None])
    link = REFERENCE_MBIT * ephemeris.link_s_per_mbit + ephemeris.link_propagation_s
    via = total[:, :, neighbours] + relays + link.reshape(-1, 1, n, 4)
    here = torch.eye(n, dtype=torch.bool)[:, :, None]
    assert ((via - total[..., None])[up & ~here] > -1e-5).all()
    hops = table[..., HOPS]
    assert ((hops[:, :, neighbours] - hops[..., None]).abs()[up] <= 1).all()


def test_link_tables():
    ephemeris = build(CONSTELLATIONS["iridium_star"])
    topology = ephemeris.topology
    up = topology.up.reshape(-1, 4)
    assert torch.equal(ephemeris.link_up, up)
    assert (ephemeris.link_s_per_mbit[~up] == DOWN_S_PER_MBIT).all()
    assert (ephemeris.link_propagation_s[~up] == 0).all()
    torch.testing.assert_close(
        ephemeris.link_s_per_mbit[up] * topology.rate_mbps.reshape(-1, 4)[up], torch.ones(int(up.sum()))
    )
    torch.testing.assert_close(
        ephemeris.link_propagation_s[up] * LIGHT_KM_S, topology.length_km.reshape(-1, 4)[up]
    )


def test_look_ups_broadcast():
    ephemeris = build(FLEETS[0])
    slot, destination, satellite = torch.tensor([[0], [2]]), torch.tensor([3, 30, 9]), torch.tensor([4, 1, 9])
    row = costs(ephemeris)[slot, destination, satellite]
    assert torch.equal(ephemeris.cost_to_go[ephemeris.row(slot, destination, satellite)], row)
    assert torch.equal(ephemeris.hops(slot, destination, satellite), row[..., HOPS])
    size = torch.tensor([10.0, 50.0, 7.0])
    expected = size * row[..., TRANSMISSION] + row[..., PROPAGATION]
    assert torch.equal(ephemeris.cost_to_go_s(slot, destination, satellite, size), expected)
    assert (row[:, 2] == 0).all()  # at the destination


def test_moving_keeps_everything():
    ephemeris = build(FLEETS[0])
    moved = ephemeris.to("cpu")
    assert moved.device == torch.device("cpu")
    assert torch.equal(moved.cost_to_go, ephemeris.cost_to_go)
    assert (moved.n_slots, moved.n_satellites) == (3, 35)


def test_tables_too_large_are_refused_with_a_remedy():
    topology = build_topology(CONSTELLATIONS["walker_12x24"], EbN0Link(), slot_times_s(8))
    need = ephemeris_gib(8, 288)
    assert need * 2**30 == 8 * 288 * 288 * 4 * 4
    with pytest.raises(ConfigError, match=r"number of slots=8 .*memory_limit_gib.* at most 4 slots"):
        build_ephemeris(topology, RELAY, memory_limit_gib=need / 2)
    with pytest.raises(ConfigError, match="relay_s_per_mbit=-1"):
        build_ephemeris(topology, -1.0)
