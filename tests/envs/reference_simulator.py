"""The routing game once more, slow and obvious: the rules of docs/environment.md in dictionaries and lists.

One world at a time, float64, nothing kept up to date: whatever is asked is worked out anew from the log of hops made
so far. The tests hold the batched simulator against it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

import networkx as nx
import torch

from envs.config import EnvironmentConfig, LoadView, Reward
from envs.constellation import Constellation
from envs.ephemeris import Ephemeris
from envs.worlds import Worlds

LIGHT_KM_S = 299792.458
BACK = {0: 1, 1: 0, 2: 3, 3: 2}
NEVER_S = 1e3  # what an unreachable destination costs, whatever the packet
NEVER = 1e4  # s: no way onward
FORBIDDEN_S = 1e3  # keeps look-ahead from going straight back
CAP = 20.0  # no feature reads more than this
COMPARISONS = {"detour", "own_advantage", "onward_excess", "beyond_excess"}
ANNOUNCED_HOPS = 5
ANNOUNCED_WEIGHT = 0.3  # share of announced traffic that look-ahead counts


def _capped(features: dict[str, float]) -> dict[str, float]:
    return {name: CAP if value > CAP else value for name, value in features.items()}


class Network:
    """One slot of a topology: the links that are up, and what the ephemeris tells about distances."""

    def __init__(self, ephemeris: Ephemeris, slot: int) -> None:
        topology = ephemeris.topology
        self.graph = topology.to_networkx(slot)
        self.relay_s_per_mbit = ephemeris.relay_s_per_mbit
        self.ephemeris, self.slot = ephemeris, slot
        assert isinstance(topology.constellation, Constellation)
        self.planes = topology.constellation.planes
        self.satellites_per_plane = topology.constellation.satellites_per_plane
        self.ahead: dict[int, dict[int, int]] = {satellite: {} for satellite in self.graph}
        for here, there, edge in self.graph.edges(data=True):
            self.ahead[here][edge["direction"]] = there
        self.hops_to = cache(self._hops_to)
        self.ways_to = cache(self._ways_to)

    def transmission_s_per_mbit(self, satellite: int, direction: int) -> float:
        return 1 / self.graph.edges[satellite, self.ahead[satellite][direction]]["rate_mbps"]

    def propagation_s(self, satellite: int, direction: int) -> float:
        return self.graph.edges[satellite, self.ahead[satellite][direction]]["length_km"] / LIGHT_KM_S

    def _hops_to(self, destination: int) -> dict[int, int]:
        """Fewest hops from every satellite that can reach `destination`."""
        return nx.single_source_shortest_path_length(self.graph.reverse(), destination)

    def _ways_to(self, destination: int) -> dict[int, tuple[float, float]]:
        """(s per Mbit, s) of the best way of 100 Mbit from every satellite that can reach `destination`."""

        def cost_s(there: int, here: int, edge: dict) -> float:  # searched backwards
            relay = 0.0 if there == destination else self.relay_s_per_mbit
            return 100 * (1 / edge["rate_mbps"] + relay) + edge["length_km"] / LIGHT_KM_S

        ways = nx.single_source_dijkstra_path(self.graph.reverse(), destination, weight=cost_s)
        costs = {}
        for satellite, way in ways.items():
            edges = [self.graph.edges[here, there] for there, here in pairwise(way)]
            relays = max(len(edges) - 1, 0)
            costs[satellite] = (
                sum(1 / edge["rate_mbps"] for edge in edges) + relays * self.relay_s_per_mbit,
                sum(edge["length_km"] / LIGHT_KM_S for edge in edges),
            )
        return costs

    def next_direction(self, satellite: int, destination: int) -> int:
        """First hop of a best way of 100 Mbit: of several the one that the ephemeris chose, once it is checked."""
        row = self.ephemeris.row(*map(torch.tensor, (self.slot, destination, satellite)))
        direction = int(self.ephemeris.cost_to_go[row, 3])
        entered = self.ahead[satellite][direction]
        relay_s = 0.0 if entered == destination else 100 * self.relay_s_per_mbit
        hop_s = 100 * self.transmission_s_per_mbit(satellite, direction) + self.propagation_s(
            satellite, direction
        )
        way_s = hop_s + relay_s + self.cost_to_go_s(entered, destination, 100)
        assert math.isclose(way_s, self.cost_to_go_s(satellite, destination, 100), rel_tol=1e-5)
        return direction

    def cost_to_go_s(self, satellite: int, destination: int, size_mbit: float) -> float:
        """Delay of a packet alone in the network."""
        per_mbit, constant = self.ways_to(destination).get(satellite, (0.0, NEVER_S))
        return per_mbit * size_mbit + constant


@dataclass(frozen=True)
class Hop:
    """Packet `packet` left `satellite` in `direction` for `entered`, in step `step`."""

    step: int
    packet: int
    satellite: int
    direction: int
    entered: int


@dataclass
class Packet:
    """Where a packet is and where it has been."""

    number: int
    source: int
    destination: int
    size_mbit: float
    is_data: bool
    status: str  # absent, alive, delivered, dropped
    satellite: int = field(init=False)
    visited: list[int] = field(init=False)
    arrived_in_step: int = 0

    def __post_init__(self) -> None:
        self.satellite = self.source
        self.visited = [self.source]

    @property
    def hops(self) -> int:
        return len(self.visited) - 1


@dataclass(frozen=True)
class Loads:
    """Packets and Mbit that ever used each link (satellite, direction) or relay (satellite)."""

    on_link: defaultdict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    mbit_on_link: defaultdict[tuple[int, int], float] = field(default_factory=lambda: defaultdict(float))
    relayed: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    mbit_relayed: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))


class ReferenceWorld:
    """One world of the routing game."""

    def __init__(self, network: Network, config: EnvironmentConfig, packets: list[Packet]) -> None:
        self.network = network
        self.config = config
        self.packets = packets
        self.n_tasks = len(packets) // 2
        self.log: list[Hop] = []
        self.step_count = 0
        for packet in self.alive():
            self._drop_if_stuck(packet)
        self.announced = [self._announcements()]  # by step

    # ---- the rules

    def alive(self) -> list[Packet]:
        return [packet for packet in self.packets if packet.status == "alive"]

    def present(self) -> list[Packet]:
        return [packet for packet in self.packets if packet.status != "absent"]

    @property
    def finished(self) -> bool:
        return not self.alive()

    @property
    def truncated(self) -> bool:
        return not self.finished and self.step_count >= self.config.max_steps

    def legal(self, packet: Packet) -> list[int]:
        """Directions that this packet may take."""
        left = self.config.max_hops - packet.hops
        if left == 0:
            return []
        neighbours = self.network.ahead[packet.satellite]
        allowed = [d for d, neighbour in neighbours.items() if neighbour not in packet.visited]
        if self.config.feasibility_mask:
            hops_to = self.network.hops_to(packet.destination)
            allowed = [d for d in allowed if hops_to.get(neighbours[d], math.inf) <= left - 1]
            leading_on = [
                d
                for d in allowed
                if neighbours[d] == packet.destination
                or any(beyond not in packet.visited for beyond in self.network.ahead[neighbours[d]].values())
            ]
            allowed = leading_on or allowed
        return sorted(allowed)

    def turn(self) -> list[Packet]:
        """The packet that has been waiting longest at each satellite, in order of their numbers."""
        served = []
        for satellite in {packet.satellite for packet in self.alive()}:
            queue = [packet for packet in self.alive() if packet.satellite == satellite]
            served.append(min(queue, key=lambda packet: (packet.arrived_in_step, packet.number)))
        return sorted(served, key=lambda packet: packet.number)

    def step(self, directions: dict[int, int]) -> tuple[float, dict[int, float]]:
        """Play a direction for each served packet; returns the team's reward and each packet's credit."""
        was_finished = self.finished
        before_s = self.total_delay_s(self.log)
        moved = {}
        for packet in self.turn():
            direction = directions[packet.number]
            if direction in self.legal(packet):  # an illegal direction holds
                entered = self.network.ahead[packet.satellite][direction]
                moved[packet.number] = Hop(
                    self.step_count, packet.number, packet.satellite, direction, entered
                )
        self.log.extend(moved.values())
        self.step_count += 1
        penalty_s = dict.fromkeys(directions, 0.0)
        for number, hop in moved.items():
            packet = self.packets[number]
            packet.satellite = hop.entered
            packet.visited.append(hop.entered)
            packet.arrived_in_step = self.step_count
            if hop.entered == packet.destination:
                packet.status = "delivered"
            elif self._drop_if_stuck(packet):
                penalty_s[number] = self.drop_penalty_s(packet)
        self.announced.append(self._announcements())

        credit = {
            number: -(self.cost_of_hop_s(moved[number]) if number in moved else 0.0) - penalty_s[number]
            for number in directions
        }
        if self.config.reward.kind is Reward.paper:
            return (self.paper_reward() if self.finished and not was_finished else 0.0), credit
        return -(self.total_delay_s(self.log) - before_s) - sum(penalty_s.values()), credit

    def _drop_if_stuck(self, packet: Packet) -> bool:
        if not self.legal(packet):
            packet.status = "dropped"
        return packet.status == "dropped"

    # ---- delays and rewards

    def loads(self, log: Iterable[Hop]) -> Loads:
        loads = Loads()
        for hop in log:
            size = self.packets[hop.packet].size_mbit
            loads.on_link[hop.satellite, hop.direction] += 1
            loads.mbit_on_link[hop.satellite, hop.direction] += size
            if hop.entered != self.packets[hop.packet].destination:
                loads.relayed[hop.entered] += 1
                loads.mbit_relayed[hop.entered] += size
        return loads

    def hop_delay_s(self, hop: Hop, loads: Loads) -> tuple[float, float, float]:
        """Transmission, propagation, relay delay of one hop at given loads: the terms of equations (1), (2)."""
        packet = self.packets[hop.packet]
        here = hop.satellite, hop.direction
        relays = loads.relayed[hop.entered] if hop.entered != packet.destination else 0
        return (
            loads.on_link[here] * packet.size_mbit * self.network.transmission_s_per_mbit(*here),
            self.network.propagation_s(*here),
            relays * packet.size_mbit * self.network.relay_s_per_mbit,
        )

    def packet_delay_s(self, packet: Packet, log: list[Hop]) -> tuple[float, float, float]:
        """Transmission, propagation, relay delay of one packet when `log` is all that ever happened."""
        loads = self.loads(log)
        parts = [self.hop_delay_s(hop, loads) for hop in log if hop.packet == packet.number]
        transmission, propagation, relay = (
            sum(column) for column in zip((0.0, 0.0, 0.0), *parts, strict=True)
        )
        return transmission, propagation, relay

    def total_delay_s(self, log: list[Hop]) -> float:
        loads = self.loads(log)
        return sum(sum(self.hop_delay_s(hop, loads)) for hop in log)

    def cost_of_hop_s(self, hop: Hop) -> float:
        """What total delay would be spared if this hop had not been made."""
        without = [other for other in self.log if other is not hop]
        return self.total_delay_s(self.log) - self.total_delay_s(without)

    def uncongested_s(self, packet: Packet) -> float:
        return self.network.cost_to_go_s(packet.source, packet.destination, packet.size_mbit)

    def accumulated_s(self, packet: Packet) -> float:
        """Delay so far, each hop at the loads right after its step."""
        return sum(
            sum(self.hop_delay_s(hop, self.loads(other for other in self.log if other.step <= hop.step)))
            for hop in self.log
            if hop.packet == packet.number
        )

    def remaining_s(self, packet: Packet) -> float:
        if packet.status == "delivered":
            return 0.0
        return self.network.cost_to_go_s(packet.satellite, packet.destination, packet.size_mbit)

    def drop_penalty_s(self, packet: Packet) -> float:
        return self.config.reward.drop_penalty_s + self.config.undelivered_factor * self.uncongested_s(packet)

    def credit_in_hindsight(self, hop: Hop) -> float:
        packet = self.packets[hop.packet]
        last = hop == [other for other in self.log if other.packet == packet.number][-1]
        penalty_s = self.drop_penalty_s(packet) if last and packet.status == "dropped" else 0.0
        return -self.cost_of_hop_s(hop) - penalty_s

    def tasks(self) -> list[list[Packet]]:
        """The packets of each task that take part."""
        pairs = zip(self.packets[: self.n_tasks], self.packets[self.n_tasks :], strict=True)
        return [[packet for packet in pair if packet.status != "absent"] for pair in pairs]

    def paper_reward(self) -> float:
        weights = self.config.reward
        present = self.present()
        if not present:
            return 0.0
        share = sum(packet.status == "delivered" for packet in present) / len(present)
        speeds = []
        for task in filter(None, self.tasks()):
            delay_s = sum(sum(self.packet_delay_s(packet, self.log)) for packet in task)
            stretch = delay_s / sum(self.uncongested_s(packet) for packet in task)
            arrived = all(packet.status == "delivered" for packet in task)
            speeds.append(math.exp(-weights.kappa * stretch) if arrived else 0.0)
        return weights.success_weight * share + weights.delay_weight * sum(speeds) / len(speeds)

    # ---- what the acting satellite sees

    def _loads_now(self) -> Loads:
        return self.loads(self.log)

    def _loads_broadcast(self) -> Loads:
        """Loads as other satellites know them: those of `broadcast_delay_steps` steps ago."""
        known = self.step_count - self.config.broadcast_delay_steps
        return self.loads(hop for hop in self.log if hop.step < known)

    def _announcements(self) -> dict[int, list[tuple[int, int]]]:
        """For each packet under way, the next links (satellite, direction) of its best way alone in the network."""
        announced = {}
        for packet in self.alive():
            satellite, links = packet.satellite, []
            reachable = satellite in self.network.ways_to(packet.destination)
            while reachable and satellite != packet.destination and len(links) < ANNOUNCED_HOPS:
                direction = self.network.next_direction(satellite, packet.destination)
                links.append((satellite, direction))
                satellite = self.network.ahead[satellite][direction]
            announced[packet.number] = links
        return announced

    def _announced_to(self, asking: Packet) -> tuple[dict, dict]:
        """Packets and Mbit that the others announced on each link, as known now."""
        packets: defaultdict[tuple[int, int], int] = defaultdict(int)
        mbit: defaultdict[tuple[int, int], float] = defaultdict(float)
        known = self.step_count - self.config.broadcast_delay_steps
        for number, links in self.announced[known].items() if known >= 0 else ():
            if number != asking.number:
                for link in links:
                    packets[link] += 1
                    mbit[link] += self.packets[number].size_mbit
        return packets, mbit

    def look_ahead_s(self, packet: Packet, view: LoadView) -> dict[int, list[float]]:
        """Costs of each direction that is up, judged one, two and three hops deep as `view` allows."""
        network, size = self.network, packet.size_mbit
        now, broadcast = self._loads_now(), self._loads_broadcast()
        rho = network.relay_s_per_mbit
        announced, announced_mbit = self._announced_to(packet)

        def announced_s(link: tuple[int, int]) -> float:
            """What the traffic that others announced on a link would add to that, counted in part."""
            if view is not LoadView.announced:
                return 0.0
            joined = announced[link] * size + announced_mbit[link]
            return ANNOUNCED_WEIGHT * joined * network.transmission_s_per_mbit(*link)

        def hop_s(loads: Loads, satellite: int, direction: int) -> float:
            """What one more packet adds to the delay of all packets on a link."""
            link = satellite, direction
            joined = (loads.on_link[link] + 1) * size + loads.mbit_on_link[link]
            return joined * network.transmission_s_per_mbit(*link) + network.propagation_s(*link)

        def relay_s(loads: Loads, satellite: int) -> float:
            """What one more packet adds to the delay of all packets that a satellite relays."""
            if satellite == packet.destination:
                return 0.0
            return rho * ((loads.relayed[satellite] + 1) * size + loads.mbit_relayed[satellite])

        idle = Loads()

        def rest_s(satellite: int) -> float:
            return network.cost_to_go_s(satellite, packet.destination, size)

        def second_s(first: int, came_by: int) -> float:
            """Best onward hop from `first` and the way home from there, with its loads known one hop deep."""
            if first == packet.destination:
                return 0.0
            costs = [NEVER]
            for direction, second in network.ahead[first].items():
                cost = hop_s(broadcast, first, direction) + announced_s((first, direction))
                cost += relay_s(idle, second) + rest_s(second)
                costs.append(cost + (FORBIDDEN_S if direction == BACK[came_by] else 0.0))
            return min(costs)

        def third_s(first: int, came_by: int) -> float:
            """Best two onward hops from `first`, with loads known two hops deep."""
            if first == packet.destination:
                return 0.0
            costs = [NEVER]
            for direction, second in network.ahead[first].items():
                cost = hop_s(broadcast, first, direction) + announced_s((first, direction))
                cost += relay_s(broadcast, second)
                cost += FORBIDDEN_S if direction == BACK[came_by] else 0.0
                if second != packet.destination:
                    onward = [NEVER]
                    for next_direction, third in network.ahead[second].items():
                        step = hop_s(broadcast, second, next_direction) + relay_s(idle, third) + rest_s(third)
                        step += announced_s((second, next_direction))
                        onward.append(step + (FORBIDDEN_S if next_direction == BACK[direction] else 0.0))
                    cost += min(onward)
                costs.append(cost)
            return min(costs)

        costs = {}
        for direction, first in network.ahead[packet.satellite].items():
            marginal = hop_s(now, packet.satellite, direction) + relay_s(broadcast, first)
            costs[direction] = [marginal + rest_s(first)]
            marginal += announced_s((packet.satellite, direction))
            if view is not LoadView.own:
                costs[direction].append(marginal + second_s(first, direction))
            if view in (LoadView.two_hop, LoadView.announced):
                costs[direction].append(marginal + third_s(first, direction))
        return costs

    def observe(self, packet: Packet, view: LoadView) -> tuple[dict[str, float], list[dict[str, float]]]:
        """Features by name: the global ones, and those of each direction.

        What is not named is zero, what has no meaning is NaN.
        """
        network, config, size = self.network, self.config, packet.size_mbit
        now, broadcast = self._loads_now(), self._loads_broadcast()
        here, goal = packet.satellite, packet.destination
        hops_to = network.hops_to(goal)
        queue = [other for other in self.alive() if other.satellite == here and other is not packet]
        partner = self.packets[(packet.number + self.n_tasks) % len(self.packets)]
        per_plane = network.satellites_per_plane
        plane = 2 * math.pi * (goal // per_plane - here // per_plane) / network.planes
        slot = 2 * math.pi * (goal % per_plane - here % per_plane) / per_plane
        accumulated_s = self.accumulated_s(packet)
        announced = self._announced_to(packet)
        common = {
            "carries_packet": 1.0,
            "is_data": float(packet.is_data),
            "size": size / 100,
            "log_size": math.log(size / 100),
            "partner_size": partner.size_mbit / 100,
            "hops_left": (config.max_hops - packet.hops) / config.max_hops,
            "cost_to_go": self.remaining_s(packet) / 3,
            "accumulated_delay": accumulated_s / 3,
            "stretch": accumulated_s / (self.uncongested_s(packet) + 0.1),
            "queue_packets": len(queue) / 4,
            "queue_mbit": sum(other.size_mbit for other in queue) / 300,
            "step": self.step_count / 20,
            "relayed_packets": now.relayed[here] / 4,
            "relayed_mbit": now.mbit_relayed[here] / 300,
            "arrived": float(
                any(other.status == "delivered" and other.destination == here for other in self.packets)
            ),
            "plane_offset_sin": math.sin(plane),
            "plane_offset_cos": math.cos(plane),
            "slot_offset_sin": math.sin(slot),
            "slot_offset_cos": math.cos(slot),
            "hops_to_destination": hops_to.get(here, math.inf) / 8,
        }

        ahead = network.ahead[here]
        legal = self.legal(packet)
        looks = self.look_ahead_s(packet, view)
        alone_s = {}
        for direction, neighbour in ahead.items():
            relay_s = 0.0 if neighbour == goal else network.relay_s_per_mbit * size
            hop_s = network.transmission_s_per_mbit(here, direction) * size
            hop_s += network.propagation_s(here, direction) + relay_s
            alone_s[direction] = hop_s + network.cost_to_go_s(neighbour, goal, size)
        blocks: list[dict[str, float]] = [{} for _ in range(4)]  # a link that is down: all zero
        for direction, neighbour in ahead.items():
            link = here, direction
            rest_s = network.cost_to_go_s(neighbour, goal, size)
            relay_mbit = (broadcast.relayed[neighbour] + 1) * size + broadcast.mbit_relayed[neighbour]
            relay_s = 0.0 if neighbour == goal else network.relay_s_per_mbit * relay_mbit
            transmission = network.transmission_s_per_mbit(*link)
            propagation_s = network.propagation_s(*link)
            link_mbit = (now.on_link[link] + 1) * size + now.mbit_on_link[link]
            block = {
                "legal": float(direction in legal),
                "up": 1.0,
                "visited": float(neighbour in packet.visited),
                "is_destination": float(neighbour == goal),
                "transmission": transmission * size / 3,
                "propagation": propagation_s / 0.01,
                "length": propagation_s * LIGHT_KM_S / 3000,
                "link_packets": now.on_link[link] / 4,
                "link_mbit": now.mbit_on_link[link] / 300,
                "relay_packets": broadcast.relayed[neighbour] / 4,
                "relay_mbit": broadcast.mbit_relayed[neighbour] / 300,
                "marginal_cost": (link_mbit * transmission + propagation_s + relay_s) / 3,
                "cost_to_go": rest_s / 3,
                "hops_to_destination": hops_to.get(neighbour, math.inf) / 8,
                "detour": (alone_s[direction] - min(alone_s[d] for d in legal)) / 3,
                "own_advantage": (looks[direction][0] - min(looks[d][0] for d in legal)) / 3,
                "prior": looks[direction][-1] / 3,
            }
            if view is not LoadView.own:
                back = neighbour, BACK[direction]
                onward = [(neighbour, d) for d in range(4)]
                block |= {
                    "return_packets": broadcast.on_link[back] / 4,
                    "return_mbit": broadcast.mbit_on_link[back] / 300,
                    "onward_packets": sum(broadcast.on_link[link] for link in onward) / 4,
                    "onward_mbit": sum(broadcast.mbit_on_link[link] for link in onward) / 300,
                    "onward_excess": (looks[direction][1] - looks[direction][0]) / 3,
                }
            if view in (LoadView.two_hop, LoadView.announced):
                block["beyond_excess"] = (looks[direction][2] - looks[direction][1]) / 3
            if view is LoadView.announced:
                packets, mbit = announced
                block |= {
                    "announced_packets": packets[link] / 4,
                    "announced_mbit": mbit[link] / 300,
                    "announced_excess": ANNOUNCED_WEIGHT
                    * (packets[link] * size + mbit[link])
                    * transmission
                    / 3,
                }
            if neighbour not in hops_to:  # nothing is nearer or farther than never
                for name in COMPARISONS & block.keys():
                    block[name] = math.nan
            blocks[direction] = block
        return _capped(common), [_capped(block) for block in blocks]

    # ---- what the mixer sees

    def packet_state(self, packet: Packet) -> dict[str, float]:
        """Features of one packet by name; all zero when it is absent."""
        if packet.status == "absent":
            return {}
        task = packet.number % self.n_tasks
        return {
            "alive": float(packet.status == "alive"),
            "delivered": float(packet.status == "delivered"),
            "dropped": float(packet.status == "dropped"),
            "is_data": float(packet.is_data),
            "size": packet.size_mbit / 100,
            "hops_left": (self.config.max_hops - packet.hops) / self.config.max_hops,
            "accumulated_s": self.accumulated_s(packet),
            "remaining_s": min(self.remaining_s(packet), 60.0),
            "task_uncongested_s": sum(self.uncongested_s(other) for other in self.tasks()[task]),
            "task": task,
        }

    def summary(self) -> dict[str, float]:
        """Features of the whole world by name."""
        present = self.present()

        def share(status: str) -> float:
            return sum(packet.status == status for packet in present) / max(len(present), 1)

        stretches = []
        for task in self.tasks():
            expected_s = sum(
                self.accumulated_s(packet) + min(self.remaining_s(packet), 60.0) for packet in task
            )
            stretches.append(expected_s / sum(map(self.uncongested_s, task)) if task else 0.0)
        uncongested_s = sum(map(self.uncongested_s, present))
        kappa = self.config.reward.kappa
        return {
            "step": self.step_count / 20,
            "delivered_share": share("delivered"),
            "dropped_share": share("dropped"),
            "alive_share": share("alive"),
            "expected_stretch": sum(stretches) / self.n_tasks,
            "expected_speed": sum(math.exp(-kappa * stretch) for stretch in stretches) / self.n_tasks,
            "total_delay": self.total_delay_s(self.log) / uncongested_s if present else 0.0,
            "busiest_link": max(self._loads_now().on_link.values(), default=0) / 4,
        }


def reference_worlds(ephemeris: Ephemeris, worlds: Worlds, config: EnvironmentConfig) -> list[ReferenceWorld]:
    """The same worlds for slow play."""
    network = cache(lambda slot: Network(ephemeris, slot))
    n_tasks = worlds.n_tasks
    references = []
    for world in range(worlds.n_worlds):
        rows = zip(
            worlds.source[world].tolist(),
            worlds.destination[world].tolist(),
            worlds.size_mbit[world].tolist(),
            worlds.present[world].tolist(),
            strict=True,
        )
        packets = [
            Packet(number, source, destination, size, number >= n_tasks, "alive" if present else "absent")
            for number, (source, destination, size, present) in enumerate(rows)
        ]
        references.append(ReferenceWorld(network(int(worlds.slot[world])), config, packets))
    return references
