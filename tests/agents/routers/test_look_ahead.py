from dataclasses import replace

import networkx as nx
import pytest
import torch

from agents.routers.blind import RandomRouter
from agents.routers.look_ahead import LookAheadRouter
from agents.routers.replanning import ReplanningRouter
from envs.config import LoadView, TaskConfig
from envs.observation import Observer
from envs.simulator import RoutingSimulator
from envs.worlds import sample_worlds

VIEWS = {1: LoadView.own, 2: LoadView.neighbours, 3: LoadView.two_hop}


def turns_of_a_random_game(ephemeris, config, every: int = 4):
    """The simulator at moments of a game played at random, with many packets on few links."""
    worlds = sample_worlds(ephemeris, TaskConfig(n_tasks=8), 6, seed=11)
    simulator = RoutingSimulator(ephemeris, config)
    simulator.reset(worlds)
    player = RandomRouter(seed=2)
    player.begin(simulator)
    while len(turn := simulator.turn()):
        if simulator.step_count % every == 1:
            yield simulator, turn
        score = player.score(simulator, turn).masked_fill(~turn.legal, torch.inf)
        simulator.step(turn, score.argmin(1))


class SlowLookAhead:
    """The look-ahead cost written as it is defined, from paths, with dictionaries and recursion."""

    def __init__(self, simulator, world: int, depth: int) -> None:
        self.depth = depth
        worlds, ephemeris = simulator.worlds, simulator.ephemeris
        self.ephemeris, self.slot = ephemeris, int(worlds.slot[world])
        self.neighbours = ephemeris.topology.neighbours.tolist()
        self.on_link: dict[tuple[int, int], list[float]] = {}
        self.at_relay: dict[int, list[float]] = {}
        for p in range(worlds.n_packets):
            size = float(worlds.size_mbit[world, p])
            links = simulator.paths[world, p]
            for link in links[links >= 0].tolist():
                u, direction = divmod(link, 4)
                v = self.neighbours[u][direction]
                self.on_link.setdefault((u, direction), []).append(size)
                if v != int(worlds.destination[world, p]):
                    self.at_relay.setdefault(v, []).append(size)

    def hop(self, u: int, direction: int, size: float, goal: int, hops_deep: int) -> float:
        others = self.on_link.get((u, direction), [])
        row = self.slot * self.ephemeris.n_satellites + u
        s_per_mbit = float(self.ephemeris.link_s_per_mbit[row, direction])
        cost = (sum(others) + size * (len(others) + 1)) * s_per_mbit
        cost += float(self.ephemeris.link_propagation_s[row, direction])
        v = self.neighbours[u][direction]
        if v == goal:
            return cost
        # A look-ahead of d hops hears of loads up to d - 1 hops away; that of 1 of its relays'.
        known = hops_deep < self.depth or self.depth == 1
        relayed = self.at_relay.get(v, []) if known else []
        return cost + self.ephemeris.relay_s_per_mbit * (sum(relayed) + size * (len(relayed) + 1))

    def cost(self, u: int, direction: int, size: float, goal: int, hops_deep: int = 1) -> float:
        v = self.neighbours[u][direction]
        here = self.hop(u, direction, size, goal, hops_deep)
        if v == goal:
            return here
        if hops_deep == self.depth:
            slot, v_, goal_ = (torch.tensor(x) for x in (self.slot, v, goal))
            return here + float(self.ephemeris.cost_to_go_s(slot, goal_, v_, torch.tensor(size)))
        back = {0: 1, 1: 0, 2: 3, 3: 2}[direction]
        return here + min(self.cost(v, d, size, goal, hops_deep + 1) for d in range(4) if d != back)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_score_is_the_cost_by_brute_force(depth, ephemeris, config):
    router = LookAheadRouter(depth)
    checked = 0
    for simulator, turn in turns_of_a_random_game(ephemeris, config, every=6):
        router.begin(simulator)
        score = router.score(simulator, turn)
        for row in range(0, len(turn), 7):
            slow = SlowLookAhead(simulator, int(turn.world[row]), depth)
            p = int(turn.packet[row])
            size = float(simulator.worlds.size_mbit.view(-1)[p])
            goal = int(simulator.worlds.destination.view(-1)[p])
            for direction in turn.legal[row].nonzero().squeeze(1).tolist():
                expected = slow.cost(int(turn.satellite[row]), direction, size, goal)
                assert float(score[row, direction]) == pytest.approx(expected, rel=1e-4)
                checked += 1
    assert checked > 50


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("delay", [0, 2])
def test_observation_and_router_look_ahead_alike(depth, delay, ephemeris, config):
    config = replace(config, loads=VIEWS[depth], broadcast_delay_steps=delay)
    router = LookAheadRouter(depth)
    for simulator, turn in turns_of_a_random_game(ephemeris, config):
        seen = Observer(simulator).look_ahead(turn).deepest
        router.begin(simulator)
        score = router.score(simulator, turn)
        assert torch.allclose(seen[turn.legal], score[turn.legal], rtol=1e-4)


def test_replanning_scores_are_cheapest_paths_at_present_loads(ephemeris, config):
    router = ReplanningRouter()
    for simulator, turn in turns_of_a_random_game(ephemeris, config, every=10):
        router.begin(simulator)
        score = router.score(simulator, turn)
        for row in range(0, len(turn), 11):
            world, p = int(turn.world[row]), int(turn.packet[row])
            slow = SlowLookAhead(simulator, world, depth=10**9)
            size = float(simulator.worlds.size_mbit.view(-1)[p])
            goal = int(simulator.worlds.destination.view(-1)[p])
            graph = ephemeris.topology.to_networkx(int(simulator.worlds.slot[world]))
            for u, _, data in graph.edges(data=True):
                data["weight"] = slow.hop(u, data["direction"], size, goal, 1)
            legal = turn.legal[row].nonzero().squeeze(1).tolist()
            u = int(turn.satellite[row])
            expected = torch.tensor(
                [
                    graph.edges[u, v]["weight"] + nx.dijkstra_path_length(graph, v, goal)
                    for v in (int(turn.neighbour[row, d]) for d in legal)
                ]
            )
            # Scores may share a constant (the present satellite's own relaying), which decides nothing.
            difference = score[row, legal] - expected
            assert torch.allclose(difference, difference[:1].expand_as(difference), atol=1e-3)
