"""Which satellites have a way to each other."""

from __future__ import annotations

import itertools

import networkx as nx
import pytest
import torch

from envs.connectivity import component_sizes, components, connectivity
from tests.envs.random_networks import grid, random_topology


@pytest.mark.parametrize("up_share", [0.0, 0.3, 0.6, 1.0])
def test_parts_are_networkxs(up_share: float):
    topology = random_topology(grid("delta", 4, 6, 1), 4, up_share, seed=2)
    component = components(topology)
    sizes, found = component_sizes(component), connectivity(component)
    parts, cut_off, largest, apart = [], [], [], []
    for slot in range(4):
        whole = list(nx.connected_components(topology.to_networkx(slot).to_undirected()))
        for part in whole:
            members = sorted(part)
            assert len(set(component[slot, members].tolist())) == 1
            assert (sizes[slot, members] == len(members)).all()
        assert len(set(component[slot].tolist())) == len(whole)
        parts.append(len(whole))
        cut_off.append(sum(len(part) == 1 for part in whole))
        largest.append(max(map(len, whole)) / 24)
        labels = component[slot].tolist()
        apart.append(sum(a != b for a, b in itertools.permutations(labels, 2)) / (24 * 23))
    expected = torch.tensor([cut_off, parts, largest, apart], dtype=torch.float64).mean(1)
    values = [found.cut_off, found.parts, found.largest, found.disconnected_pairs]
    assert torch.tensor(values, dtype=torch.float64).tolist() == pytest.approx(expected.tolist())
    assert ("no way to each other" in str(found)) == (found.disconnected_pairs > 0)
