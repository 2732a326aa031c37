"""What the satellites of a simulator measure when they decide, as the onboard runtime asks for it."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from agents.export.onboard import Layout, Measurements, Ring, needed_of_ring
from envs.simulator import (
    ARRIVED_PACKETS,
    LINK_MBIT,
    LINK_PACKETS,
    LOAD_COLUMNS,
    QUEUE_MBIT,
    QUEUE_PACKETS,
    RELAYED_MBIT,
    RELAYED_PACKETS,
    RoutingSimulator,
    Turn,
)


def measure(simulator: RoutingSimulator, turn: Turn, layout: Layout) -> Measurements:
    """What every satellite that decides in `turn` knows, N rows; only what `layout` reads.

    The simulator must play with the layout's view of the loads, so that announcements are made where they are read.
    """
    sim, packet, satellite = simulator, turn.packet, turn.satellite
    place = sim.ephemeris.topology.constellation.turns.to(sim.device)  # [V, 2]
    turns = _array(place[turn.destination] - place[satellite])
    n_tasks = sim.n_packets // 2
    is_data = packet % sim.n_packets >= n_tasks
    partner = packet + torch.where(is_data, -n_tasks, n_tasks)
    own = sim.loads[turn.node_row + satellite]  # [N, L]

    def of_packet(table: Tensor, which: Tensor = packet) -> np.ndarray:
        return _array(table.reshape(-1)[which])

    return Measurements(
        is_data=_array(is_data),
        size_mbit=_array(turn.size_mbit),
        partner_size_mbit=of_packet(sim.worlds.size_mbit, partner),
        hops=of_packet(sim.hops),
        accumulated_s=of_packet(sim.accumulated_s),
        uncongested_s=of_packet(sim.uncongested_s),
        step=_array(sim.steps[turn.world]),
        queue_packets=_array(own[:, QUEUE_PACKETS]),
        queue_mbit=_array(own[:, QUEUE_MBIT]),
        arrived_packets=_array(own[:, ARRIVED_PACKETS]),
        plane_turns=turns[:, 0],
        slot_turns=turns[:, 1],
        legal=_array(turn.legal),
        visited=_array(turn.visited),
        rings=_rings(sim, turn, layout),
    )


def select(known: Measurements, rows: slice) -> Measurements:
    """The measurements of some of the deciding satellites."""
    flat = {one.name: getattr(known, one.name)[rows] for one in fields(known) if one.name != "rings"}
    rings = [
        Ring(
            **{
                one.name: getattr(ring, one.name)[rows]
                for one in fields(ring)
                if getattr(ring, one.name).size
            }
        )
        for ring in known.rings
    ]
    return Measurements(**flat, rings=tuple(rings))


def _rings(sim: RoutingSimulator, turn: Turn, layout: Layout) -> tuple[Ring, ...]:
    rings, satellite = [], turn.satellite[:, None]  # [N, M]
    for number in range(layout.depth + 1):
        shape = (len(turn), 4**number)
        link_cost = sim.link_cost[turn.slot_row[:, None] + satellite]  # [N, M, 8]
        loads = sim.broadcast_loads if number else sim.loads  # one's own counters are never late
        loads = loads[turn.node_row[:, None] + satellite].view(*shape, LOAD_COLUMNS)
        values = {
            "is_destination": satellite == turn.destination[:, None],
            "cost_to_go": sim.ephemeris.cost_to_go[turn.goal_row[:, None] + satellite][..., :3],
            "s_per_mbit": link_cost[..., :4],
            "propagation_s": link_cost[..., 4:],
            "link_packets": loads[..., LINK_PACKETS],
            "link_mbit": loads[..., LINK_MBIT],
            "relayed_packets": loads[..., RELAYED_PACKETS],
            "relayed_mbit": loads[..., RELAYED_MBIT],
        }
        needed = needed_of_ring(layout, number)
        if "announced_packets" in needed:
            assert sim.announcements is not None, "play with loads=announced"
            heard = sim.announcements.to(turn.packet, turn.node_row, turn.size_mbit)
            values["announced_packets"], values["announced_mbit"] = heard.packets_and_mbit(satellite)
        rings.append(Ring(**{name: _array(values[name]) for name in needed}))
        satellite = sim.neighbours[satellite].view(len(turn), -1)
    return tuple(rings)


def _array(values: Tensor) -> np.ndarray:
    return values.cpu().numpy()
