"""Worlds: independent routing problems, each one time slot with its tasks and their packets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from envs.config import ConfigError, TaskConfig
from envs.connectivity import component_sizes
from envs.ephemeris import Ephemeris


@dataclass(frozen=True)
class Worlds:
    """E worlds of n tasks, hence P = 2n packets: model packet i goes computing -> sensing, data packet n + i back.

    slot: [E] long, index into the ephemeris' slots.
    source, destination: [E, P] long, satellites.
    size_mbit: [E, P] float.
    present: [E, P] bool; an absent packet (a task that offloads nothing sends no data) takes no part at all.
    """

    slot: Tensor
    source: Tensor
    destination: Tensor
    size_mbit: Tensor
    present: Tensor

    @property
    def n_worlds(self) -> int:
        return self.source.shape[0]

    @property
    def n_packets(self) -> int:
        return self.source.shape[1]

    @property
    def n_tasks(self) -> int:
        return self.n_packets // 2

    def to(self, device: torch.device | str) -> Worlds:
        """The same worlds on `device`."""
        return Worlds(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def select(self, index: Tensor | slice) -> Worlds:
        """The worlds at `index` (a slice, long or bool tensor over E)."""
        return Worlds(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    def with_sizes(self, size_mbit: Tensor) -> Worlds:
        """The same worlds with packets of `size_mbit` [E, P]; a packet of size zero is absent."""
        return replace(self, size_mbit=size_mbit, present=size_mbit > 0)


def sample_worlds(
    ephemeris: Ephemeris,
    task: TaskConfig,
    n_worlds: int,
    *,
    seed: int | torch.Generator,
    slots: Tensor | None = None,
) -> Worlds:
    """Draw `n_worlds` worlds with distinct sensing and computing satellites.

    Every sensing satellite is served by the computing satellite the fewest hops away (ties at random), and reaches it:
    satellites without a way to any computing satellite are not drawn, nor computing satellites in a part of the
    network too small for all tasks, nor slots that have no such part. In a connected network nothing is left out.
    Drawn on the CPU, so that a seed means the same worlds on every device.

    slots: the slots to draw from (validation and test use slots never trained on); default all.
    Raises ConfigError when the constellation, or what hangs together of it, has too few satellites for the tasks.
    """
    n, k = task.n_tasks, task.n_computing
    n_satellites = ephemeris.topology.constellation.n_satellites
    if n + k > n_satellites:
        raise ConfigError(
            f"task.n_tasks={n} plus task.n_computing={k} is more than the {n_satellites} satellites of "
            f"{ephemeris.topology.constellation.name}: take fewer tasks or a larger constellation"
        )
    generator = torch.Generator().manual_seed(seed) if isinstance(seed, int) else seed

    def uniform(bounds: tuple[float, float]) -> Tensor:  # [E, n]
        low, high = bounds
        return low + (high - low) * torch.rand(n_worlds, n, generator=generator)

    component = ephemeris.component.cpu()  # [T, V]
    large = component_sizes(component) >= n + k  # [T, V] satellites with company enough for all tasks
    choices = torch.arange(ephemeris.n_slots) if slots is None else slots.cpu()
    choices = choices[large[choices].any(1)]
    if not len(choices):
        raise ConfigError(
            f"task.n_tasks={n} plus task.n_computing={k} is more than the satellites of "
            f"{ephemeris.topology.constellation.name} that hang together in any slot: take fewer tasks or failures"
        )
    slot = choices[torch.randint(len(choices), (n_worlds,), generator=generator)]  # [E]
    priority = torch.rand(n_worlds, n_satellites, generator=generator)  # [E, V], below 1
    ahead = priority.masked_fill(~large[slot], -1.0).topk(n + k, dim=1).indices  # [E, n + K]
    computing = ahead[:, n:]
    part = component[slot]  # [E, V]
    served = (part[:, :, None] == part.gather(1, computing)[:, None]).any(2).scatter_(1, computing, False)
    sensing = priority.masked_fill(~served, -1.0).topk(n, dim=1).indices  # [E, n]
    tie_break = 1e-3 * torch.rand(n_worlds, 1, k, generator=generator)
    data_mbit, model_mbit = uniform(task.data_mbit), uniform(task.model_mbit)

    device = ephemeris.device
    slot, sensing, computing, tie_break = (x.to(device) for x in (slot, sensing, computing, tie_break))
    hops = ephemeris.hops(slot[:, None, None], computing[:, None, :], sensing[:, :, None])  # [E, n, K]
    server = computing.gather(1, (hops + tie_break).argmin(2))  # [E, n]
    size_mbit = torch.cat([model_mbit, data_mbit], 1)
    present = torch.ones_like(size_mbit, dtype=torch.bool)
    if task.fewest_tasks is not None:
        n_present = torch.randint(task.fewest_tasks, n + 1, (n_worlds, 1), generator=generator)
        present = (torch.arange(n) < n_present).repeat(1, 2)  # [E, 2n]
    return Worlds(
        slot=slot,
        source=torch.cat([server, sensing], 1),
        destination=torch.cat([sensing, server], 1),
        size_mbit=size_mbit.to(device),
        present=present.to(device),
    )
