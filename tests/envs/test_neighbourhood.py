import pytest
import torch

from envs.neighbourhood import Neighbourhood
from tests.envs.random_networks import grid, random_ephemeris

SHAPES = [("delta", 3, 4), ("star", 5, 7), ("delta", 1, 9), ("delta", 2, 5), ("star", 9, 2)]


@pytest.mark.parametrize(("pattern", "planes", "per_plane"), SHAPES)
def test_every_way_leads_to_its_satellite_and_none_is_listed_twice(pattern, planes, per_plane):
    neighbours = random_ephemeris(grid(pattern, planes, per_plane)).topology.neighbours
    around = Neighbourhood.of(neighbours)
    n = len(neighbours)
    reached = neighbours[neighbours].view(n, 16)
    assert torch.equal(around.second.gather(1, around.way), reached)
    assert torch.equal(around.third.view(n, -1, 4), neighbours[around.second])
    for satellite in range(n):
        listed = around.second[satellite].tolist()
        distinct = set(reached[satellite].tolist())
        assert set(listed) == distinct
        assert listed[len(distinct) :] == listed[:1] * (len(listed) - len(distinct))
