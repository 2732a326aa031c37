"""The slow reference of service delay: equations (1) to (3) in plain loops over packets, links and relays.

Written from the paper, in bits, operations and seconds, and from nothing but paths, lengths and rates.
"""

from collections import Counter
from dataclasses import dataclass

from envs.links import LIGHT_KM_S
from offload.config import Computing
from offload.problem import Evaluation, OffloadProblem


@dataclass
class HandPacket:
    """A packet's way: its directed links (from, to), their rates in bit/s and lengths in km."""

    bits: float
    nodes: list[int]
    rates: list[float]
    lengths_km: list[float]

    @property
    def hops(self) -> list[tuple[int, int]]:
        return list(zip(self.nodes, self.nodes[1:], strict=False))


def packets_of(problem: OffloadProblem, found: Evaluation, world: int) -> list[HandPacket]:
    """All packets of a world that take a path: the model packets of its tasks, then their data packets."""
    topology, slot = problem.ephemeris.topology, int(problem.worlds.slot[world])
    sizes_mbit = [*found.model_mbit[world].tolist(), *found.data.size_mbit[world].tolist()]
    packets = []
    for packet, mbit in enumerate(sizes_mbit):
        one = HandPacket(mbit * 1e6, [int(problem.worlds.source[world, packet])], [], [])
        for link in found.routes.links[world, packet].tolist():
            if link >= 0:
                satellite, direction = divmod(link, 4)
                assert satellite == one.nodes[-1] and bool(topology.up[slot, satellite, direction])
                one.nodes.append(int(topology.neighbours[satellite, direction]))
                one.rates.append(1e6 * float(topology.rate_mbps[slot, satellite, direction]))
                one.lengths_km.append(float(topology.length_km[slot, satellite, direction]))
        packets.append(one)
    return packets


def service_by_hand(problem: OffloadProblem, found: Evaluation, world: int) -> list[dict[str, float]]:
    """For every task of a world all terms of its service delay and `total_s`; every packet must have arrived."""
    packets, n_tasks = packets_of(problem, found, world), problem.worlds.n_tasks
    compute, frames = problem.config.compute, problem.config.frames
    x: Counter[tuple[int, int]] = Counter()
    y: Counter[int] = Counter()
    for packet in packets:
        x.update(packet.hops)
        y.update(packet.nodes[1:-1])

    def terms(packet: HandPacket) -> dict[str, float]:
        rho_s_per_bit = problem.environment.relay_s_per_mbit / 1e6
        hops = list(zip(packet.hops, packet.rates, packet.lengths_km, strict=True))
        return {
            "transmission_s": sum(x[link] * packet.bits / rate for link, rate, _ in hops),
            "propagation_s": sum(length_km / LIGHT_KM_S for _, _, length_km in hops),
            "relay_s": sum(y[relay] * packet.bits * rho_s_per_bit for relay in packet.nodes[1:-1]),
        }

    tasks = []
    for task in range(n_tasks):
        all_frames, sent = int(problem.tasks.frames[world, task]), int(found.offloaded[world, task])
        server = int(problem.worlds.source[world, task])
        users = sum(
            int(found.offloaded[world, other]) > 0 and int(problem.worlds.source[world, other]) == server
            for other in range(n_tasks)
        )
        divided = max(users, 1) if compute.computing is Computing.shared else 1
        model, data = terms(packets[task]), terms(packets[n_tasks + task])
        feature_s = (
            sent
            * (frames.pixels * frames.bits_per_pixel)
            * compute.feature_cycles_per_bit
            / (compute.utilisation * compute.sensing_ghz * 1e9)
        )
        capacity = compute.utilisation * compute.computing_tops * 1e12 / divided
        large_s = sent * compute.large_gop * 1e9 / capacity
        small_s = (
            (all_frames - sent)
            * compute.small_gop
            * 1e9
            / (compute.utilisation * compute.sensing_tops * 1e12)
        )
        data_s = sum(data.values())
        tasks.append(
            {f"model_{name}": value for name, value in model.items()}
            | {f"data_{name}": value for name, value in data.items()}
            | {"feature_s": feature_s, "large_s": large_s, "small_s": small_s}
            | {"total_s": sum(model.values()) + feature_s + max(data_s + large_s, small_s)}
        )
    return tasks
