"""Worlds that begin anew while the others play on: what environments that reset themselves need of the simulator."""

from __future__ import annotations

import torch
from torch import Tensor

from envs.delay import uncongested_delays
from envs.simulator import RoutingSimulator
from envs.worlds import Worlds


class RestartingSimulator(RoutingSimulator):
    """The routing game with worlds at different steps of their episodes.

    A world knows nothing of its neighbours in the batch: started by `restart` it plays as it would alone.
    """

    def restart(self, index: Tensor, worlds: Worlds) -> None:
        """Put `worlds` [M] in the place of those at `index` [M] long, each at its first step."""
        if not len(index):
            return
        worlds = worlds.to(self.device)
        if self._turn is not None and self.announcements is not None:
            self.announcements.withdraw_newest()  # the turn is taken back, and so is what was announced for it
        self._forget(index)

        self.worlds = Worlds(
            *(
                getattr(self.worlds, name).index_copy(0, index, getattr(worlds, name))
                for name in Worlds.__dataclass_fields__
            )
        )
        packet = self._flat(index, self.n_packets)  # [M*P]
        self._destination = self.worlds.destination.reshape(-1)
        self._size = self.worlds.size_mbit.reshape(-1)
        slot_row = worlds.slot.repeat_interleave(self.n_packets) * self.n_satellites
        goal_row = (slot_row + self._destination[packet]) * self.n_satellites
        self._constants[packet, 1] = self._destination[packet]
        self._constants[packet, 3] = slot_row
        self._constants[packet, 4] = goal_row
        self._satellite[packet] = worlds.source.reshape(-1)
        self._alive[packet] = worlds.present.reshape(-1)
        self._uncongested_s[packet] = uncongested_delays(self.ephemeris, worlds).reshape(-1)
        for per_packet in (
            self._delivered,
            self._dropped,
            self._hops,
            self._arrival,
            self._accumulated_s,
            self._legal,
            self._visited,
        ):
            per_packet[packet] = 0
        for per_world in (self.steps, self.total_delay_s, self.busiest_link):
            per_world[index] = 0

        present = packet[worlds.present.reshape(-1)]
        self._queue(present, torch.ones_like(present, dtype=self._size.dtype))
        constants = self._constants.index_select(0, present).unbind(1)
        self._arrive(present, self._satellite[present], *constants[1:])
        self._finished = ~self.alive.any(1)
        self._begin_turns()

    def _forget(self, index: Tensor) -> None:
        """Clear what the last episodes of the worlds at `index` left behind."""
        node = self._flat(index, self.n_satellites)  # [M*V]
        self.loads[node] = 0
        self._trail.view(self.n_worlds, -1)[index] = 0
        self.paths[index] = -1
        if self.broadcast_loads is not self.loads:
            self.broadcast_loads[node] = 0
        gone = torch.zeros(self.n_worlds, dtype=torch.bool, device=self.device).index_fill_(0, index, True)
        per_world = self.n_satellites * self.loads.shape[1]
        for late, (where, change) in enumerate(self._unsent):
            stays = ~gone[where.div(per_world, rounding_mode="floor")]
            self._unsent[late] = (where[stays], change[stays])
        if self.announcements is not None:
            self.announcements.forget(gone, node, self._flat(index, self.n_packets))

    def _flat(self, index: Tensor, per_world: int) -> Tensor:
        """Flat indices of all packets (`per_world` = P) or satellites (V) of the worlds at `index` [M]."""
        return (index[:, None] * per_world + torch.arange(per_world, device=self.device)).view(-1)
