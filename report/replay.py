"""A world's packets on the clock of the delay model: when each leaves and reaches every satellite of its path.

The model (envs.delay) charges a hop its transmission at the link's shared rate, its propagation and, at the satellite
it enters, the relay; a packet's hops follow each other without a pause, and all packets start together. Its last
arrival is therefore exactly the delay that the tables give.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.routers import Routes
from envs.delay import hop_delays
from envs.ephemeris import Ephemeris
from envs.worlds import Worlds


@dataclass(frozen=True)
class Replay:
    """One world as one router routed it; hops of all packets one after the other, those of packet p in first[p:p+2].

    first: [P + 1] uint32. start, stop: [N] uint16, the satellites of a hop. depart_s, arrive_s, ready_s: [N] float32,
    when a hop's transmission starts, when the packet has arrived, and when it has been relayed. sharing: [N] uint16,
    packets that share the link in the delay model. delivered: [P] uint8. delay_s, charged_s: [P] float32, delay of the
    hops made, and with the charge for a packet that did not arrive.
    """

    first: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    depart_s: np.ndarray
    arrive_s: np.ndarray
    ready_s: np.ndarray
    sharing: np.ndarray
    delivered: np.ndarray
    delay_s: np.ndarray
    charged_s: np.ndarray


def replay(ephemeris: Ephemeris, world: Worlds, routes: Routes, charged_s: np.ndarray) -> Replay:
    """Events of one world (E = 1) as routed by `routes`; charged_s: [P] delays with charges for losses."""
    delays, hops = hop_delays(ephemeris, world, routes.links)
    moves_s = (delays.transmission_s + delays.propagation_s)[0].double().numpy()  # [P, H]
    relay_s = delays.relay_s[0].double().numpy()
    link = routes.links[0].numpy()  # [P, H]
    made = link >= 0
    ready_s = np.cumsum(moves_s + relay_s, axis=1)
    arrive_s = ready_s - relay_s
    depart_s = arrive_s - moves_s
    neighbours = ephemeris.topology.neighbours.numpy()
    return Replay(
        first=np.concatenate([[0], made.sum(1).cumsum()]).astype(np.uint32),
        start=(link // 4)[made].astype(np.uint16),
        stop=neighbours.reshape(-1)[link[made]].astype(np.uint16),
        depart_s=depart_s[made].astype(np.float32),
        arrive_s=arrive_s[made].astype(np.float32),
        ready_s=ready_s[made].astype(np.float32),
        sharing=hops.sharing[0].numpy()[made].astype(np.uint16),
        delivered=routes.delivered[0].numpy().astype(np.uint8),
        delay_s=delays.total_s[0].sum(1).numpy().astype(np.float32),
        charged_s=charged_s.astype(np.float32),
    )
