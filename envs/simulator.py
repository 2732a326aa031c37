"""The routing game: E worlds at once, packets hop from satellite to satellite, each hop one satellite's decision.

Rules (docs/environment.md has them in full). In a step every satellite that holds packets decides for its
head-of-line packet (first come first served, ties by packet number); its others wait. A packet may not use an ISL
that is down, nor enter a satellite twice, nor (`feasibility_mask`) make a hop after which its destination is out of
reach. A packet left without a legal direction, or out of hops, is dropped at once; its loads stay.

Everything is indexed by packet, never by satellite, so idle satellites cost nothing. Legend: E worlds, P packets a
world, N decisions due in a step, V satellites, H hops; `packet` = world * P + p and `node` = world * V + satellite
are flat indices.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.announcements import Announcements
from envs.asking import may_have_any
from envs.config import DeadEnds, EnvironmentConfig, LoadView, require
from envs.dead_ends import way_remains
from envs.delay import Delays, packet_delays, uncongested_delays
from envs.ephemeris import Ephemeris
from envs.on_their_way import OnTheirWay
from envs.rewards import team_reward
from envs.rows import take_rows
from envs.worlds import Worlds

HOLD = 4
"""The action of a satellite that has nothing to decide; 0..3 are the directions of `envs.constellation`."""

# Columns of `RoutingSimulator.loads`: one record a satellite, so that one gather fetches all of it.
LINK_PACKETS = slice(0, 4)  # x_l of the four outgoing ISLs
LINK_MBIT = slice(4, 8)  # sum of sizes on them
RELAYED_PACKETS, RELAYED_MBIT = 8, 9  # y_v and its sum of sizes
QUEUE_PACKETS, QUEUE_MBIT = 10, 11  # packets this satellite holds now
ARRIVED_PACKETS = 12  # packets delivered to this satellite
LOAD_COLUMNS = 16  # rounded up to one cache line

VISITED = 128
"""Mark in a packet's trail (a byte per satellite) of a satellite that it entered; the bits below count how many
satellites next to this one it entered."""


_NOBODY = torch.iinfo(torch.long).max


@dataclass(frozen=True)
class Turn:
    """The decisions due now, one row per deciding satellite, with what is gathered once for all who need it.

    packet, world, satellite, destination: [N] long. neighbour: [N, 4] long. size_mbit: [N].
    legal, visited: [N, 4] bool; a row of legal is never all False.
    node_row, slot_row, goal_row: [N] long, rows of satellite 0 of this packet's world in `RoutingSimulator.loads`, of
    its slot in the ephemeris' link tables, and of its slot and destination in `Ephemeris.cost_to_go`.
    decides: [N] bool, or None where all do. The other rows are of packets that wait or have arrived, for want of
    knowing (`RoutingSimulator.turn_unasked`): there legal is all False, and what is played does nothing.
    """

    packet: Tensor
    world: Tensor
    satellite: Tensor
    destination: Tensor
    neighbour: Tensor
    size_mbit: Tensor
    legal: Tensor
    visited: Tensor
    node_row: Tensor
    slot_row: Tensor
    goal_row: Tensor
    decides: Tensor | None = None

    def __len__(self) -> int:
        return self.packet.shape[0]

    def split(self, size: int) -> list[Turn]:
        """The decisions in parts of at most `size`, as views."""
        parts = {name: value.split(size) for name, value in self._tensors().items()}
        return [Turn(**dict(zip(parts, part, strict=True))) for part in zip(*parts.values(), strict=True)]

    def select(self, rows: Tensor) -> Turn:
        """The decisions at `rows` [M] long."""
        return Turn(**{name: value.index_select(0, rows) for name, value in self._tensors().items()})

    def _tensors(self) -> dict[str, Tensor]:
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True)
class StepOutcome:
    """What a step paid.

    team_reward: [E]. credit: [N], each deciding agent's difference reward against the loads right after the step; 0 in
    rows that do not decide.
    """

    team_reward: Tensor
    credit: Tensor


class RoutingSimulator:
    """E routing worlds on one device, played in lockstep."""

    def __init__(self, ephemeris: Ephemeris, config: EnvironmentConfig) -> None:
        require(
            config.relay_s_per_mbit == ephemeris.relay_s_per_mbit,
            "environment.relay_s_per_mbit",
            config.relay_s_per_mbit,
            f"the ephemeris was built for {ephemeris.relay_s_per_mbit!r}, build one for this value",
        )
        self.ephemeris = ephemeris
        self.config = config
        self._team_reward = team_reward(config.reward)
        self.device = ephemeris.device
        self.n_satellites = ephemeris.n_satellites
        self.n_worlds = self.n_packets = 0
        self.neighbours = ephemeris.topology.neighbours  # [V, 4]
        self.link_cost = torch.cat([ephemeris.link_s_per_mbit, ephemeris.link_propagation_s], 1)  # [T*V, 8]
        self._link_up = ephemeris.link_up.to(torch.uint8)  # [T*V, 4]
        self._n_up = self._link_up.sum(1, dtype=torch.uint8)  # [T*V]
        self._hops_to_go = ephemeris.hops_to_go  # [T*V*V]

    # ---------------------------------------------------------------- state

    def reset(self, worlds: Worlds) -> None:
        """Start `worlds`. Cheap when the number of worlds and packets is that of the last episode."""
        if worlds.slot.device != self.device:
            worlds = worlds.to(self.device)
        n_worlds, n_packets, n_satellites = worlds.n_worlds, worlds.n_packets, self.n_satellites
        if (self.n_worlds, self.n_packets) == (n_worlds, n_packets):
            self._wipe()
        else:
            self._allocate(n_worlds, n_packets)
        self.worlds = worlds
        self.step_count = 0
        self.steps = torch.zeros(n_worlds, dtype=torch.long, device=self.device)

        flat_packets = n_worlds * n_packets
        self._index = torch.arange(flat_packets, device=self.device)
        self._world = self._index.div(n_packets, rounding_mode="floor")  # [EP]
        self._destination = worlds.destination.reshape(-1)
        slot_row = worlds.slot[self._world] * n_satellites
        goal_row = (slot_row + self._destination) * n_satellites
        self._node_row = self._world * n_satellites
        self._constants = torch.stack(
            [self._world, self._destination, self._node_row, slot_row, goal_row], 1
        )  # [EP, 5]
        self._size = worlds.size_mbit.reshape(-1)
        self._satellite = worlds.source.reshape(-1).clone()
        self._alive = worlds.present.reshape(-1).clone()
        self._delivered = torch.zeros_like(self._alive)
        self._dropped = torch.zeros_like(self._alive)
        self._hops = torch.zeros(flat_packets, dtype=torch.long, device=self.device)
        self._arrival = torch.zeros_like(self._hops)
        self._accumulated_s = torch.zeros(flat_packets, device=self.device)
        self._uncongested_s = uncongested_delays(self.ephemeris, worlds).reshape(-1)
        self._legal = torch.zeros(flat_packets, 4, dtype=torch.bool, device=self.device)
        self._visited = torch.zeros_like(self._legal)
        self.total_delay_s = torch.zeros(n_worlds, device=self.device)
        self.busiest_link = torch.zeros(n_worlds, device=self.device)

        present = self._alive.nonzero().squeeze(1)
        self._queue(present, torch.ones_like(present, dtype=self._size.dtype))
        constants = self._constants.index_select(0, present).unbind(1)
        self._arrive(present, self._satellite[present], *constants[1:])
        self._finished = ~self.alive.any(1)
        self._begin_turns()

    def _begin_turns(self) -> None:
        """After packets have come to life: who decides is to be found anew."""
        self._on_their_way = OnTheirWay(self._alive)
        self._turn: Turn | None = None

    def _allocate(self, n_worlds: int, n_packets: int) -> None:
        self.n_worlds, self.n_packets = n_worlds, n_packets
        n_nodes = n_worlds * self.n_satellites
        self.loads = torch.zeros(n_nodes, LOAD_COLUMNS, device=self.device)
        self._trail = torch.zeros(
            n_worlds * n_packets * self.n_satellites, dtype=torch.uint8, device=self.device
        )
        self._heads = torch.full((n_nodes,), _NOBODY, dtype=torch.long, device=self.device)
        self.paths = torch.full(
            (n_worlds, n_packets, self.config.max_hops), -1, dtype=torch.long, device=self.device
        )
        # Loads as other satellites know them lag behind by a few steps' worth of changes.
        self.broadcast_loads = self.loads.clone() if self.config.broadcast_delay_steps else self.loads
        self._unsent: deque[tuple[Tensor, Tensor]] = deque()
        self.announcements = (
            Announcements(self.ephemeris, n_worlds, n_packets, self.config.broadcast_delay_steps)
            if self.config.loads is LoadView.announced
            else None
        )

    def _wipe(self) -> None:
        """Clear what the last episode touched: the cost of a reset does not grow with idle satellites."""
        packet = self._index.repeat_interleave(self._hops)
        link = self.paths[self.paths >= 0]  # in the order of `packet`
        entered = self.neighbours.view(-1).index_select(0, link)
        node = torch.cat([self._node_row.index_select(0, packet) + entered, self._node_row + self._source])
        self.loads.index_fill_(0, node, 0.0)
        if self.broadcast_loads is not self.loads:
            self.broadcast_loads.index_fill_(0, node, 0.0)
        self._trail.zero_()
        self.paths.fill_(-1)
        self._unsent.clear()
        if self.announcements is not None:
            self.announcements.clear()

    @property
    def _source(self) -> Tensor:
        return self.worlds.source.reshape(-1)

    def _per_packet(self, flat: Tensor) -> Tensor:
        return flat.view(self.n_worlds, self.n_packets, *flat.shape[1:])

    @property
    def satellite(self) -> Tensor:
        """[E, P] the satellite that holds (or last held) each packet."""
        return self._per_packet(self._satellite)

    @property
    def alive(self) -> Tensor:
        """[E, P] packets still on their way."""
        return self._per_packet(self._alive)

    @property
    def delivered(self) -> Tensor:
        """[E, P] packets that reached their destination."""
        return self._per_packet(self._delivered)

    @property
    def dropped(self) -> Tensor:
        """[E, P] packets given up: no legal direction, or out of hops."""
        return self._per_packet(self._dropped)

    @property
    def hops(self) -> Tensor:
        """[E, P] hops made."""
        return self._per_packet(self._hops)

    @property
    def accumulated_s(self) -> Tensor:
        """[E, P] delay of each packet so far, each hop at the loads that it met."""
        return self._per_packet(self._accumulated_s)

    @property
    def uncongested_s(self) -> Tensor:
        """[E, P] delay of each packet alone in the network."""
        return self._per_packet(self._uncongested_s)

    @property
    def finished(self) -> Tensor:
        """[E] worlds in which no packet is on its way."""
        return self._finished

    @property
    def truncated(self) -> Tensor:
        """[E] worlds stopped by the time limit with packets still on their way."""
        return ~self._finished & (self.steps >= self.config.max_steps)

    def remaining_s(self) -> Tensor:
        """[E, P] uncongested delay from where each packet is to its destination; 0 once delivered."""
        row = take_rows(self.ephemeris.cost_to_go, self._constants[:, 4] + self._satellite)  # [EP, 4]
        return self._per_packet(torch.where(self._delivered, 0.0, row[:, 0] * self._size + row[:, 1]))

    def delays(self) -> Delays:
        """Delays [E, P] at the loads so far, from the paths (equations (1), (2))."""
        return packet_delays(self.ephemeris, self.worlds, self.paths)

    # ---------------------------------------------------------------- one step

    def turn(self) -> Turn:
        """The decisions due now; empty when every world is finished. `truncated` says whether time is up."""
        turn = self.turn_unasked()
        return turn if turn.decides is None else turn.select(turn.decides.nonzero().squeeze(1))

    def turn_unasked(self) -> Turn:
        """The decisions due now, as far as they are known without waiting for the device.

        On a CPU what `turn` says. Elsewhere some rows do not decide (`Turn.decides`), and there may still be such rows
        in the turn after the last packet has arrived.
        """
        if self._turn is None:
            self._turn = self._next_turn()
        return self._turn

    def step(self, turn: Turn, direction: Tensor, *, only_legal: bool = False) -> StepOutcome:
        """Play `direction` [N] (0..3) for the packets of `turn`.

        A direction that is not legal holds the packet where it is; with `strict` it raises ValueError.

        only_legal: the caller has chosen among the legal ones. It is still checked, but without waiting for the answer
            of a GPU; there RuntimeError comes at some later operation.
        """
        known = direction.clamp(0, 3)
        legal = turn.legal.gather(1, known[:, None]).squeeze(1) & (direction == known)
        if turn.decides is not None:
            legal = legal | ~turn.decides
        if only_legal:
            told = "an illegal direction where only legal ones were promised"
            torch._assert_async(legal.all(), told)  # pyright: ignore[reportPrivateImportUsage]
        if only_legal or bool(legal.all()):
            team, credit = self._move(turn, known)
        else:
            self._refuse(turn, direction, legal)
            moves = legal.nonzero().squeeze(1)
            team, moved_credit = self._move(turn.select(moves), known[moves])
            credit = torch.zeros(len(turn), device=self.device).index_copy_(0, moves, moved_credit)
        self.step_count += 1
        self.steps += 1
        was_finished = self._finished
        self._finished = ~self.alive.any(1)
        team = self._team_reward.of_step(self, team, self._finished & ~was_finished)
        self._turn = None
        return StepOutcome(team_reward=team, credit=credit)

    def _refuse(self, turn: Turn, direction: Tensor, legal: Tensor) -> None:
        if self.config.strict:
            row = int((~legal).nonzero()[0])
            raise ValueError(
                f"illegal direction {int(direction[row])} for packet {int(turn.packet[row]) % self.n_packets} of "
                f"world {int(turn.world[row])} at satellite {int(turn.satellite[row])}: "
                f"legal are {turn.legal[row].nonzero().squeeze(1).tolist()}"
            )

    def _move(self, turn: Turn, direction: Tensor) -> tuple[Tensor, Tensor]:
        """Move the packets of `turn`; returns team reward [E] and each packet's credit [N]."""
        packet, satellite, size, decides = turn.packet, turn.satellite, turn.size_mbit, turn.decides
        ahead = turn.neighbour.gather(1, direction[:, None]).squeeze(1)
        arrives = ahead == turn.destination
        moves = torch.ones_like(size) if decides is None else decides.to(size.dtype)
        relays = moves.masked_fill(arrives, 0.0)
        moved_mbit, relayed_mbit = moves * size, relays * size

        loads = self.loads.view(-1)
        here = (turn.node_row + satellite) * LOAD_COLUMNS
        there = (turn.node_row + ahead) * LOAD_COLUMNS
        on_link, at_relay = here + direction, there + RELAYED_PACKETS
        shared = torch.cat([on_link, on_link + 4, at_relay, at_relay + 1])
        queue, queue_ahead = here + QUEUE_PACKETS, there + QUEUE_PACKETS
        where = torch.cat([shared, queue, queue + 1, queue_ahead, queue_ahead + 1, queue_ahead + 2])
        change = torch.cat(
            [
                *(moves, moved_mbit, relays, relayed_mbit),
                *(-moves, -moved_mbit, relays, relayed_mbit, moves - relays),
            ]
        )
        before = loads.index_select(0, shared).view(4, -1)
        loads.index_add_(0, where, change)
        if self.broadcast_loads is not self.loads:
            self._unsent.append((where, change))
            if len(self._unsent) > self.config.broadcast_delay_steps:
                self.broadcast_loads.view(-1).index_add_(0, *self._unsent.popleft())
        after = loads.index_select(0, shared).view(4, -1)
        self.busiest_link.scatter_reduce_(0, turn.world, after[0] * moves, "amax")

        slot_link = (turn.slot_row + satellite) * 8 + direction
        s_per_mbit = self.link_cost.view(-1).index_select(0, slot_link)
        propagation_s = self.link_cost.view(-1).index_select(0, slot_link + 4)
        relay_s_per_mbit = relays * self.config.relay_s_per_mbit
        # Total delay on a link is x * B / R; its increase is shared alike by packets that join it at once.
        both = before + after
        share = (
            0.5 * (both[0] * size + both[1]) * s_per_mbit
            + propagation_s
            + 0.5 * (both[2] * size + both[3]) * relay_s_per_mbit
        )
        difference = (
            (after[0] * size + after[1] - size) * s_per_mbit
            + propagation_s
            + (after[2] * size + after[3] - size) * relay_s_per_mbit
        )
        spent = size * (after[0] * s_per_mbit + after[2] * relay_s_per_mbit) + propagation_s
        if decides is not None:
            share, difference, spent = (
                torch.where(decides, cost, 0.0) for cost in (share, difference, spent)
            )
        self._accumulated_s.index_add_(0, packet, spent)

        hops = self._hops.index_select(0, packet)
        hop = packet * self.config.max_hops + hops.clamp(max=self.config.max_hops - 1)
        _write(self.paths.view(-1), hop, satellite * 4 + direction, decides)
        self._hops.index_copy_(0, packet, hops + (1 if decides is None else decides))
        _write(self._satellite, packet, ahead, decides)
        _write(self._arrival, packet, torch.full_like(packet, self.step_count + 1), decides)
        _write(self._delivered, packet, arrives, decides)
        _write(self._alive, packet, ~arrives, decides)
        increase = torch.zeros(self.n_worlds, device=self.device).index_add_(0, turn.world, share)
        self.total_delay_s = self.total_delay_s + increase

        lost = self._arrive(
            packet, ahead, turn.destination, turn.node_row, turn.slot_row, turn.goal_row, decides
        )
        if may_have_any(lost):
            penalty = torch.where(lost, self.drop_penalty_s().view(-1)[packet], 0.0)
            increase.index_add_(0, turn.world, penalty)
            difference = difference + penalty
        return -increase, -difference

    def _queue(self, packet: Tensor, times: Tensor) -> None:
        """Put each `packet` [M] `times` [M] into the queue of its satellite; -1 takes it out."""
        at = (self._node_row[packet] + self._satellite[packet]) * LOAD_COLUMNS + QUEUE_PACKETS
        self.loads.view(-1).index_add_(
            0, torch.cat([at, at + 1]), torch.cat([times, times * self._size[packet]])
        )

    def _arrive(
        self,
        packet: Tensor,
        satellite: Tensor,
        destination: Tensor,
        node_row: Tensor,
        slot_row: Tensor,
        goal_row: Tensor,
        entered: Tensor | None = None,
    ) -> Tensor:
        """Find the legal directions of packets that just entered `satellite`; drop those without one.

        Legality cannot change while a packet waits (it depends on its own path and the slot's ISLs), so it is found
        once per hop. entered: [M] bool; to the others nothing happens. Returns which of `packet` were dropped, [M].
        """
        if not len(packet):
            return torch.zeros(0, dtype=torch.bool, device=self.device)
        neighbour = self.neighbours.index_select(0, satellite)  # [M, 4]
        up = self._link_up.index_select(0, slot_row + satellite)  # [M, 4]
        trail_row = packet * self.n_satellites
        trail_ahead = (trail_row[:, None] + neighbour).view(-1)
        passed, here = up, torch.full_like(packet, VISITED, dtype=torch.uint8)
        if entered is not None:
            passed, here = passed * entered[:, None], here * entered
        self._trail.index_add_(0, trail_ahead, passed.view(-1))
        self._trail.index_add_(0, trail_row + satellite, here)
        trail = self._trail.index_select(0, trail_ahead).view(-1, 4)
        visited = trail >= VISITED
        legal = up.bool() & ~visited
        hops = self._hops.index_select(0, packet)
        if self.config.feasibility_mask:
            goal = (goal_row[:, None] + neighbour).view(-1)
            hops_after = self._hops_to_go.index_select(0, goal).view(-1, 4)
            legal = legal & (hops_after < (self.config.max_hops - hops)[:, None])
            n_up = self._n_up.index_select(0, (slot_row[:, None] + neighbour).view(-1)).view(-1, 4)
            if self.config.dead_ends is DeadEnds.whole_way:
                leads_on = way_remains(
                    self.ephemeris,
                    slot_row,
                    destination,
                    neighbour,
                    legal,
                    self._entered(packet),
                    self.config.max_hops - 1 - hops,
                    self.config.max_hops - 1,
                )
            else:
                leads_on = (trail < n_up) | (
                    hops_after == 0
                )  # for the unvisited, `trail` counts closed ways on
            preferred = legal & leads_on
            legal = torch.where(preferred.any(1, keepdim=True), preferred, legal)
        _write(self._legal, packet, legal, entered)
        _write(self._visited, packet, visited, entered)
        stuck = ~legal.any(1) | (hops >= self.config.max_hops)
        lost = stuck & (satellite != destination)
        if entered is not None:
            lost = lost & entered
        if may_have_any(lost):
            self._alive.index_copy_(0, packet, self._alive.index_select(0, packet) & ~lost)
            _write(self._dropped, packet, lost, entered)
            self._queue(packet, -lost.to(self._size.dtype))
        return lost

    def _entered(self, packet: Tensor) -> Tensor:
        """[M, V] bool, which satellites each `packet` [M] has entered."""
        return self._trail.view(-1, self.n_satellites).index_select(0, packet) >= VISITED

    def _next_turn(self) -> Turn:
        packet, alive = self._on_their_way(self._alive)
        satellite = self._satellite.index_select(0, packet)
        node = self._node_row.index_select(0, packet) + satellite
        # First come first served: of the packets at a satellite the least (arrival, packet number) is served.
        order = self._arrival.index_select(0, packet) * (self.n_worlds * self.n_packets) + packet
        if alive is not None:
            order.masked_fill_(~alive, _NOBODY)
        self._heads.scatter_reduce_(0, node, order, "amin")
        decides = self._heads.index_select(0, node) == order
        self._heads.index_fill_(0, node, _NOBODY)
        if self.announcements is not None:
            self.announcements.announce(packet, satellite, alive, self._constants, self._size)
        if alive is None:
            heads = decides.nonzero().squeeze(1)
            packet, satellite, decides = packet.index_select(0, heads), satellite.index_select(0, heads), None
        else:
            decides &= alive
        legal = self._legal.index_select(0, packet)
        world, destination, node_row, slot_row, goal_row = self._constants.index_select(
            0, packet
        ).T.contiguous()
        return Turn(
            packet=packet,
            world=world,
            satellite=satellite,
            destination=destination,
            neighbour=self.neighbours.index_select(0, satellite),
            size_mbit=self._size.index_select(0, packet),
            legal=legal if decides is None else legal & decides[:, None],
            visited=self._visited.index_select(0, packet),
            node_row=node_row,
            slot_row=slot_row,
            goal_row=goal_row,
            decides=decides,
        )

    # ---------------------------------------------------------------- rewards

    def drop_penalty_s(self) -> Tensor:
        """[E, P] what a dropped packet costs: the flat penalty plus a multiple of its uncongested delay."""
        return self._per_packet(
            self.config.reward.drop_penalty_s + self.config.undelivered_factor * self._uncongested_s
        )

    def paper_reward(self, worlds: Tensor | None = None) -> Tensor:
        """The paper's terminal reward (section IV-C) of finished `worlds` (default all), [len(worlds)].

        w_s * share of packets delivered + w_d * mean over tasks of exp(-kappa T~_n), where T~_n is the task's
        communication delay over its uncongested delay; a task with a lost packet adds nothing to the second term.
        """
        index = torch.arange(self.n_worlds, device=self.device) if worlds is None else worlds
        chosen = self.worlds.select(index)
        total = packet_delays(self.ephemeris, chosen, self.paths[index]).total_s  # [M, P]
        by_task = (len(index), 2, -1)
        present = chosen.present
        lost = (present & ~self.delivered[index]).view(by_task).any(1)  # [M, n]
        taking_part = present.view(by_task).any(1)
        uncongested = torch.where(present, self.uncongested_s[index], 0.0).view(by_task).sum(1)
        normalised = total.view(by_task).sum(1) / uncongested.clamp(min=1e-9)
        weights = self.config.reward
        share = (self.delivered[index] & present).sum(1) / present.sum(1).clamp(min=1)
        speed = torch.exp(-weights.kappa * normalised) * (taking_part & ~lost)
        return weights.success_weight * share + weights.delay_weight * speed.sum(1) / taking_part.sum(
            1
        ).clamp(min=1)

    def credit_in_hindsight(self) -> Tensor:
        """Difference reward of every hop against the final loads, [E, P, H]: minus what total delay would have
        been spared without it, and the drop penalty on a lost packet's last hop. Zero where there is no hop."""
        hop = self.paths >= 0
        link = self.paths.clamp(min=0)
        node_row = self._per_packet(self._constants[:, 2])[..., None]
        slot_row = self._per_packet(self._constants[:, 3])[..., None]
        size = self.worlds.size_mbit[..., None]
        satellite, direction = link.div(4, rounding_mode="floor"), link % 4
        ahead = self.neighbours.view(-1)[link]
        relays = ahead != self.worlds.destination[..., None]
        loads = self.loads.view(-1)
        on_link = (node_row + satellite) * LOAD_COLUMNS + direction
        at_relay = (node_row + ahead) * LOAD_COLUMNS + RELAYED_PACKETS
        slot_link = (slot_row + satellite) * 8 + direction
        cost = (
            (loads[on_link] * size + loads[on_link + 4] - size) * self.link_cost.view(-1)[slot_link]
            + self.link_cost.view(-1)[slot_link + 4]
            + relays * self.config.relay_s_per_mbit * (loads[at_relay] * size + loads[at_relay + 1] - size)
        )
        credit = -(cost * hop)
        last = torch.arange(hop.shape[2], device=self.device) == (self.hops - 1)[..., None]
        return credit - (last & self.dropped[..., None]) * self.drop_penalty_s()[..., None]


def _write(table: Tensor, place: Tensor, values: Tensor, where: Tensor | None) -> None:
    """table[place] = values, only in the rows `where` [M] bool, if given; place: [M], each at most once."""
    if where is not None:
        kept = where.view(-1, *[1] * (values.dim() - 1))
        values = torch.where(kept, values, table.index_select(0, place))
    table.index_copy_(0, place, values)
