from dataclasses import replace

import pytest
import torch

from agents.routers import ROUTERS
from envs.config import TaskConfig
from envs.delay import charged_delays, packet_delays, uncongested_delays
from envs.worlds import sample_worlds

DRAWN = {"random", "ecmp"}  # from one stream for all worlds
ALL = pytest.mark.parametrize("name", ROUTERS)


def worlds_for(ephemeris):
    worlds = sample_worlds(ephemeris, TaskConfig(n_tasks=5), 10, seed=21)
    size = worlds.size_mbit.clone()
    size[2, 3] = size[4] = 0  # an absent packet, an idle world
    return worlds.with_sizes(size)


def test_names_are_keys():
    assert all(make().name == name for name, make in ROUTERS.items())


@ALL
@pytest.mark.parametrize("network", ["ephemeris", "star"])
def test_routes_are_contiguous_loop_free_up_and_end_where_they_say(name, network, config, request):
    ephemeris = request.getfixturevalue(network)
    worlds = worlds_for(ephemeris)
    routes = ROUTERS[name]().route(ephemeris, worlds, config)
    neighbours = ephemeris.topology.neighbours
    assert routes.links.shape == (*worlds.source.shape, config.max_hops)
    for e in range(worlds.n_worlds):
        for p in range(worlds.n_packets):
            links = routes.links[e, p]
            made = int(routes.hops[e, p])
            assert (links[:made] >= 0).all() and (links[made:] == -1).all()
            nodes = [int(worlds.source[e, p])]
            for link in links[:made].tolist():
                assert link // 4 == nodes[-1]
                assert ephemeris.topology.up[worlds.slot[e], link // 4, link % 4]
                nodes.append(int(neighbours[link // 4, link % 4]))
            assert len(set(nodes)) == len(nodes)
            present = bool(worlds.present[e, p])
            assert present or made == 0
            assert bool(routes.delivered[e, p]) == (present and nodes[-1] == int(worlds.destination[e, p]))
            assert int(worlds.destination[e, p]) not in nodes[:-1]


@ALL
def test_same_input_gives_the_same_routes(name, ephemeris, config):
    worlds = worlds_for(ephemeris)
    router = ROUTERS[name]()
    first, again, fresh = (r.route(ephemeris, worlds, config) for r in (router, router, ROUTERS[name]()))
    for other in (again, fresh):
        assert torch.equal(first.links, other.links) and torch.equal(first.delivered, other.delivered)
    assert not first.links.is_inference() and not first.delivered.is_inference(), "nobody could change them"


@pytest.mark.parametrize("name", sorted(ROUTERS.keys() - DRAWN))
def test_worlds_do_not_influence_each_other(name, ephemeris, config):
    worlds = worlds_for(ephemeris)
    together = ROUTERS[name]().route(ephemeris, worlds, config)
    for part in (slice(0, 1), slice(3, 7)):
        apart = ROUTERS[name]().route(ephemeris, worlds.select(part), config)
        assert torch.equal(apart.links, together.links[part])
        assert torch.equal(apart.delivered, together.delivered[part])


@ALL
def test_no_router_beats_the_uncongested_delay(name, ephemeris, config):
    worlds = worlds_for(ephemeris)
    routes = ROUTERS[name]().route(ephemeris, worlds, config)
    delay = packet_delays(ephemeris, worlds, routes.links).total_s
    floor = uncongested_delays(ephemeris, worlds)
    # The floor is along the path that suits a packet of the reference size, hence the small allowance.
    assert (delay >= floor * 0.98)[routes.delivered].all()


@ALL
def test_a_hop_limit_that_binds(name, ephemeris, config):
    """Nobody exceeds it; the centralised routers deliver whatever can be delivered within it."""
    limited = replace(config, max_hops=4)
    worlds = worlds_for(ephemeris)
    routes = ROUTERS[name]().route(ephemeris, worlds, limited)
    hops = ephemeris.hops(worlds.slot[:, None], worlds.destination, worlds.source)
    possible = worlds.present & (hops <= 4)
    assert possible.any() and (worlds.present & ~possible).any(), "the case is covered"
    assert not routes.delivered[~possible].any()
    assert (routes.hops[~possible] == 0).all(), "a hopeless packet is not sent at all"
    planned = {"min_hop", "ecmp", "sequential", "best_response_single", "best_response"}
    if name in planned or name.startswith("dijkstra"):
        assert routes.delivered[possible].all()


def test_undelivered_packets_are_charged(ephemeris, config):
    worlds = worlds_for(ephemeris)
    routes = ROUTERS["random"]().route(ephemeris, worlds, replace(config, max_hops=6))
    lost = worlds.present & ~routes.delivered
    assert lost.any()
    charged = charged_delays(ephemeris, worlds, routes.links, routes.delivered, config.undelivered_factor)
    plain = packet_delays(ephemeris, worlds, routes.links).total_s
    extra = (charged - plain)[lost]
    assert torch.allclose(extra, 2 * uncongested_delays(ephemeris, worlds)[lost], rtol=1e-4)
    assert torch.equal(charged[~lost], plain[~lost])
