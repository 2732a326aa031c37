"""Where a packet can still get to if it enters no satellite twice."""

from __future__ import annotations

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.config import ConfigError, DeadEnds, EnvironmentConfig
from envs.dead_ends import hops_avoiding, way_remains
from envs.ephemeris import UNREACHABLE_HOPS, Ephemeris
from envs.simulator import RoutingSimulator
from tests.envs.random_networks import (
    RELAY_S_PER_MBIT,
    RandomPlayer,
    grid,
    play,
    random_ephemeris,
    random_worlds,
)

networks = st.builds(
    lambda planes, slots, up, seed: random_ephemeris(grid("delta", planes, slots, 1), up_share=up, seed=seed),
    st.integers(2, 5),
    st.integers(3, 6),
    st.sampled_from([0.5, 0.7, 0.9, 1.0]),
    st.integers(0, 50),
)


def least_hops(
    ephemeris: Ephemeris, slot: int, start: int, goal: int, closed: torch.Tensor, most: int
) -> float:
    graph = ephemeris.topology.to_networkx(slot)
    graph.remove_nodes_from(closed.nonzero().flatten().tolist())
    if start not in graph or not nx.has_path(graph, start, goal):
        return UNREACHABLE_HOPS
    hops = nx.shortest_path_length(graph, start, goal)
    return hops if hops <= most else UNREACHABLE_HOPS


@settings(max_examples=25, deadline=None, derandomize=True)
@given(networks, st.integers(0, 1000), st.integers(0, 12))
def test_hops_are_networkxs(ephemeris: Ephemeris, seed: int, most: int):
    generator = torch.Generator().manual_seed(seed)
    n, rows = ephemeris.n_satellites, 9
    slot = torch.randint(ephemeris.n_slots, (rows,), generator=generator)
    goal = torch.randint(n, (rows,), generator=generator)
    start = torch.randint(n, (rows, 4), generator=generator)
    closed = torch.rand(rows, n, generator=generator) < 0.3
    closed[torch.arange(rows), goal] = False
    found = hops_avoiding(ephemeris, slot * n, start, goal, closed, most)
    for row in range(rows):
        for i, here in enumerate(start[row].tolist()):
            expected = least_hops(ephemeris, int(slot[row]), here, int(goal[row]), closed[row], most)
            assert found[row, i] == expected


@settings(max_examples=50, deadline=None, derandomize=True)
@given(networks, st.integers(0, 1000), st.integers(0, 12), st.sampled_from([0.1, 0.3, 0.5]))
def test_a_way_remains_where_the_search_finds_one(
    ephemeris: Ephemeris, seed: int, most: int, closed_share: float
):
    generator = torch.Generator().manual_seed(seed)
    n, rows = ephemeris.n_satellites, 16
    slot_row = n * torch.randint(ephemeris.n_slots, (rows,), generator=generator)
    goal = torch.randint(n, (rows,), generator=generator)
    start = torch.randint(n, (rows, 4), generator=generator)
    closed = torch.rand(rows, n, generator=generator) < closed_share
    closed[torch.arange(rows), goal] = False
    asked = ~closed.gather(1, start) & (torch.rand(rows, 4, generator=generator) < 0.7)
    left = torch.randint(most + 1, (rows,), generator=generator)
    found = way_remains(ephemeris, slot_row, goal, start, asked, closed, left, most)
    expected = hops_avoiding(ephemeris, slot_row, start, goal, closed, n) <= left[:, None]
    assert torch.equal(found, expected & asked)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(networks, st.integers(0, 1000), st.integers(3, 14))
def test_no_packet_is_lost_that_can_arrive(ephemeris: Ephemeris, seed: int, max_hops: int):
    config = EnvironmentConfig(
        max_hops=max_hops,
        max_steps=1000,
        dead_ends=DeadEnds.whole_way,
        relay_s_per_mbit=RELAY_S_PER_MBIT,
    )
    simulator = RoutingSimulator(ephemeris, config)
    worlds = random_worlds(ephemeris, 2, 6, seed=seed)
    play(simulator, worlds, RandomPlayer(worlds.n_packets, seed))
    hops = ephemeris.hops(worlds.slot[:, None], worlds.destination, worlds.source)
    assert torch.equal(simulator.delivered, hops <= max_hops)
    assert (simulator.hops[simulator.dropped] == 0).all()


def test_there_is_no_looking_without_a_mask():
    with pytest.raises(ConfigError, match=r"environment\.dead_ends='whole_way'"):
        EnvironmentConfig(feasibility_mask=False, dead_ends=DeadEnds.whole_way)
