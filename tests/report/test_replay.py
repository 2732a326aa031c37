"""Replays keep the delay model's books; chosen worlds are what they are said to be."""

from __future__ import annotations

import numpy as np
import pytest

from envs.delay import hop_delays, packet_delays
from report.choice import choose
from report.episodes import Episodes
from report.replay import Replay, replay
from report.results import Results


@pytest.fixture(params=["random", "dijkstra", "look_ahead_3"])
def router(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def replays(results: Results, router: str) -> list[tuple[int, Replay]]:
    episodes = results.episodes
    made = []
    for index in range(episodes.worlds.n_worlds):
        world, routes = episodes.world(index)
        charged_s = episodes.charged_s(router)[index]
        made.append((index, replay(episodes.ephemeris, world, routes[router], charged_s)))
    return made


def test_hops_add_up_to_the_delay_of_a_packet(results: Results, router: str):
    episodes = results.episodes
    links = episodes.routes[router].links.long()
    total = packet_delays(episodes.ephemeris, episodes.worlds, links)
    by_hop, hops = hop_delays(episodes.ephemeris, episodes.worlds, links)
    for name in ("transmission_s", "propagation_s", "relay_s"):
        np.testing.assert_allclose(getattr(by_hop, name).sum(2), getattr(total, name), rtol=1e-5, atol=1e-6)
    assert ((hops.sharing > 0) == (links >= 0)).all()


def test_the_last_arrival_is_the_delay_in_the_tables(replays, results: Results, router: str):
    for index, one in replays:
        for p in range(results.episodes.worlds.n_packets):
            hops = slice(int(one.first[p]), int(one.first[p + 1]))
            if one.delivered[p]:
                assert one.arrive_s[hops][-1] == pytest.approx(one.charged_s[p], rel=1e-5)
                assert one.ready_s[hops][-1] == one.arrive_s[hops][-1], "no relay at the destination"
            elif results.episodes.present[index, p]:
                assert one.charged_s[p] > one.delay_s[p], "what did not arrive is charged"
            assert one.charged_s[p] == pytest.approx(results.episodes.charged_s(router)[index, p], rel=1e-6)


def test_a_packet_moves_on_without_a_gap_and_in_order(replays, results: Results):
    for index, one in replays:
        source = results.episodes.worlds.source[index].numpy()
        destination = results.episodes.worlds.destination[index].numpy()
        for p in range(len(one.first) - 1):
            hops = slice(int(one.first[p]), int(one.first[p + 1]))
            start, stop = one.start[hops], one.stop[hops]
            if len(start) == 0:
                continue
            assert start[0] == source[p] and one.depart_s[hops][0] == 0
            assert (start[1:] == stop[:-1]).all()
            assert (one.depart_s[hops] < one.arrive_s[hops]).all()
            assert (one.arrive_s[hops] <= one.ready_s[hops]).all()
            np.testing.assert_allclose(one.depart_s[hops][1:], one.ready_s[hops][:-1], rtol=1e-5, atol=1e-5)
            assert (stop[-1] == destination[p]) == bool(one.delivered[p])


def test_sharing_counts_the_packets_whose_paths_use_a_link(replays):
    for _, one in replays:
        used: dict[tuple[int, int], int] = {}
        for link in zip(one.start.tolist(), one.stop.tolist(), strict=True):
            used[link] = used.get(link, 0) + 1
        assert [
            used[link] for link in zip(one.start.tolist(), one.stop.tolist(), strict=True)
        ] == one.sharing.tolist()


def test_chosen_worlds_are_what_they_are_called(episodes: Episodes, results: Results):
    router, other = "look_ahead_3", "dijkstra"
    chosen = {one.why: one.index for one in choose(episodes, router, other, 8)}
    assert len(set(chosen.values())) == len(chosen) == 8
    ratio = episodes.by_world_s(router) / episodes.by_world_s(other)
    rest = [i for i in range(len(ratio)) if i not in (chosen["most contention"], chosen["typical"])]
    assert ratio[chosen[f"worst for {router}"]] == ratio[rest].max()
    assert ratio[chosen[f"best for {router}"]] == ratio[rest].min()


def test_fewer_worlds_than_asked_for_are_all_of_them(episodes: Episodes, results: Results):
    few = Episodes(episodes.ephemeris, episodes.worlds.select(slice(0, 2)), episodes.config)
    for name in ("dijkstra", "random"):
        routes = episodes.routes[name]
        few.add(name, type(routes)(routes.links[:2], routes.delivered[:2]))
    assert sorted(one.index for one in choose(few, "random", "dijkstra", 5)) == [0, 1]
