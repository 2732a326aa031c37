"""Communication delay of routed packets in closed form: equations (1) and (2) of BS-MARL, from the paths alone.

    T_p = sum_l x_l S_p / R_l  +  sum_l d_l / c  +  sum_v y_v S_p rho

over the directed ISLs l and relays v of packet p's path; x_l packets share ISL l (model and data alike), y_v packets
are relayed by v. A relay is a satellite that a packet enters without being its destination.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.ephemeris import Ephemeris
from envs.worlds import Worlds


@dataclass(frozen=True)
class Delays:
    """Delay of every packet, split by cause; each [E, P] seconds (partial for a packet that never arrived)."""

    transmission_s: Tensor
    propagation_s: Tensor
    relay_s: Tensor

    @property
    def total_s(self) -> Tensor:
        return self.transmission_s + self.propagation_s + self.relay_s


@dataclass(frozen=True)
class Hops:
    """What every hop meets, each [E, P, H], zero where there is no hop.

    sharing: x_l, the packets whose paths use the hop's ISL. s_per_mbit, propagation_s: of that ISL. relayed: y_v of
    the satellite that is entered, zero at the packet's destination.
    """

    sharing: Tensor
    s_per_mbit: Tensor
    propagation_s: Tensor
    relayed: Tensor


def packet_delays(ephemeris: Ephemeris, worlds: Worlds, links: Tensor) -> Delays:
    """Delays of packets whose hops are `links` [E, P, H] (satellite * 4 + direction, -1 where there is no hop)."""
    hops = what_hops_meet(ephemeris, worlds, links)
    size = worlds.size_mbit
    return Delays(
        transmission_s=(hops.sharing * hops.s_per_mbit).sum(2) * size,
        propagation_s=hops.propagation_s.sum(2),
        relay_s=hops.relayed.sum(2) * size * ephemeris.relay_s_per_mbit,
    )


def hop_delays(ephemeris: Ephemeris, worlds: Worlds, links: Tensor) -> tuple[Delays, Hops]:
    """The terms of `packet_delays` hop by hop, each [E, P, H]; a packet's hops follow each other without a pause."""
    hops = what_hops_meet(ephemeris, worlds, links)
    size = worlds.size_mbit[..., None]
    delays = Delays(
        transmission_s=hops.sharing * hops.s_per_mbit * size,
        propagation_s=hops.propagation_s,
        relay_s=hops.relayed * size * ephemeris.relay_s_per_mbit,
    )
    return delays, hops


def what_hops_meet(ephemeris: Ephemeris, worlds: Worlds, links: Tensor) -> Hops:
    """Loads and links of all hops of `links` [E, P, H] (satellite * 4 + direction, -1 where there is no hop)."""
    n_worlds = worlds.n_worlds
    n_satellites = ephemeris.n_satellites
    neighbours = ephemeris.topology.neighbours
    hop = links >= 0  # [E, P, H]
    link = links.clamp(min=0)
    flat = (n_worlds, -1)

    slot_link = worlds.slot[:, None, None] * (n_satellites * 4) + link
    s_per_mbit = ephemeris.link_s_per_mbit.reshape(-1)[slot_link]
    propagation_s = ephemeris.link_propagation_s.reshape(-1)[slot_link]
    entered = neighbours.reshape(-1)[link]  # [E, P, H]
    relays = hop & (entered != worlds.destination[..., None])

    ones = hop.to(s_per_mbit.dtype)
    on_link = ones.new_zeros(n_worlds, n_satellites * 4).scatter_add_(
        1, link.reshape(flat), ones.reshape(flat)
    )
    at_relay = ones.new_zeros(n_worlds, n_satellites).scatter_add_(
        1, entered.reshape(flat), relays.to(ones.dtype).reshape(flat)
    )
    sharing = on_link.gather(1, link.reshape(flat)).view_as(link)
    relayed = at_relay.gather(1, entered.reshape(flat)).view_as(link)
    return Hops(hop * sharing, hop * s_per_mbit, hop * propagation_s, relays * relayed)


def uncongested_delays(ephemeris: Ephemeris, worlds: Worlds) -> Tensor:
    """Delay of every packet alone in the network on its cheapest path, [E, P] seconds."""
    return ephemeris.cost_to_go_s(worlds.slot[:, None], worlds.destination, worlds.source, worlds.size_mbit)


def charged_delays(
    ephemeris: Ephemeris, worlds: Worlds, links: Tensor, delivered: Tensor, undelivered_factor: float
) -> Tensor:
    """Delays [E, P] with undelivered packets charged `undelivered_factor` times their uncongested delay on top."""
    total = packet_delays(ephemeris, worlds, links).total_s
    lost = worlds.present & ~delivered
    return torch.where(lost, total + undelivered_factor * uncongested_delays(ephemeris, worlds), total)
