"""Worlds: independent routing problems, each one time slot with its tasks and their packets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from envs.config import ConfigError, TaskConfig, require
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

    @classmethod
    def cat(cls, parts: Sequence[Worlds]) -> Worlds:
        """The worlds of all `parts`, one after the other; all have equally many packets."""
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))

    def with_sizes(self, size_mbit: Tensor) -> Worlds:
        """The same worlds with packets of `size_mbit` [E, P]; a packet of size zero is absent."""
        return replace(self, size_mbit=size_mbit, present=size_mbit > 0)


@dataclass(frozen=True)
class _Parts:
    """Which satellites have a way to each other, on the CPU."""

    component: Tensor  # [T, V], see `Ephemeris`
    large: Tensor  # [T, V] bool, whether a satellite's part of the network has room for all tasks

    @classmethod
    def of(cls, component: Tensor, n_needed: int) -> _Parts:
        return cls(component, component_sizes(component) >= n_needed)

    def choose(self, slot: Tensor, priority: Tensor, n: int, k: int) -> Tensor:
        """[E, n + K] satellites by `priority` [E, V] in [0, 1): n sensing ones, each with a way to one of k computing.

        In a connected network the n + K of highest priority, the sensing ones first.
        """
        ahead = priority.masked_fill(~self.large[slot], -1.0).topk(n + k, dim=1).indices
        computing = ahead[:, n:]
        part = self.component[slot]  # [E, V]
        served = (part[:, :, None] == part.gather(1, computing)[:, None]).any(2).scatter_(1, computing, False)
        sensing = priority.masked_fill(~served, -1.0).topk(n, dim=1).indices
        return torch.cat([sensing, computing], 1)


@dataclass(frozen=True)
class _Draws:
    """What is random about E worlds, on the CPU."""

    slot: Tensor  # [E]
    satellites: Tensor  # [E, n + K]: first the sensing ones
    tie_break: Tensor  # [E, 1, K]
    data_mbit: Tensor  # [E, n]
    model_mbit: Tensor  # [E, n]
    n_present: Tensor  # [E, 1]

    @classmethod
    def of(
        cls, parts: _Parts, slots: Tensor, task: TaskConfig, n_worlds: int, generator: torch.Generator
    ) -> _Draws:
        """Draw them, in an order that is part of what a seed means."""
        n, k = task.n_tasks, task.n_computing

        def uniform(bounds: tuple[float, float]) -> Tensor:  # [E, n]
            low, high = bounds
            return low + (high - low) * torch.rand(n_worlds, n, generator=generator)

        slot = slots[torch.randint(len(slots), (n_worlds,), generator=generator)]
        priority = torch.rand(n_worlds, parts.component.shape[1], generator=generator)
        chosen = parts.choose(slot, priority, n, k)
        tie_break = 1e-3 * torch.rand(n_worlds, 1, k, generator=generator)
        data_mbit, model_mbit = uniform(task.data_mbit), uniform(task.model_mbit)
        n_present = torch.full((n_worlds, 1), n)
        if task.fewest_tasks is not None:
            n_present = torch.randint(task.fewest_tasks, n + 1, (n_worlds, 1), generator=generator)
        return cls(slot, chosen, tie_break, data_mbit, model_mbit, n_present)

    @classmethod
    def cat(cls, parts: Sequence[_Draws]) -> _Draws:
        """The worlds of all `parts`, in their order."""
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))


def sample_worlds(
    ephemeris: Ephemeris,
    task: TaskConfig,
    n_worlds: int,
    *,
    seed: int | torch.Generator | Sequence[int],
    slots: Tensor | None = None,
) -> Worlds:
    """Draw `n_worlds` worlds with distinct sensing and computing satellites.

    Every sensing satellite is served by the computing satellite the fewest hops away (ties at random), and reaches it:
    satellites without a way to any computing satellite are not drawn, nor computing satellites in a part of the
    network too small for all tasks, nor slots that have no such part. In a connected network nothing is left out.
    Drawn on the CPU, so that a seed means the same worlds on every device.

    seed: of all worlds together, or one for each: world e is then the one that seed[e] draws alone.
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
    parts = _Parts.of(ephemeris.component.cpu(), n + k)
    choices = torch.arange(ephemeris.n_slots) if slots is None else slots.cpu()
    choices = choices[parts.large[choices].any(1)]
    if not len(choices):
        raise ConfigError(
            f"task.n_tasks={n} plus task.n_computing={k} is more than the satellites of "
            f"{ephemeris.topology.constellation.name} that hang together in any slot: take fewer tasks or failures"
        )
    if isinstance(seed, Sequence):
        require(len(seed) == n_worlds, "number of seeds", len(seed), f"one for each of the {n_worlds} worlds")
        generator = torch.Generator()
        draws = _Draws.cat([_Draws.of(parts, choices, task, 1, generator.manual_seed(one)) for one in seed])
    else:
        generator = torch.Generator().manual_seed(seed) if isinstance(seed, int) else seed
        draws = _Draws.of(parts, choices, task, n_worlds, generator)

    device = ephemeris.device
    slot, tie_break = draws.slot.to(device), draws.tie_break.to(device)
    sensing, computing = draws.satellites.to(device).split((n, k), dim=1)
    hops = ephemeris.hops(slot[:, None, None], computing[:, None, :], sensing[:, :, None])  # [E, n, K]
    server = computing.gather(1, (hops + tie_break).argmin(2))  # [E, n]
    return Worlds(
        slot=slot,
        source=torch.cat([server, sensing], 1),
        destination=torch.cat([sensing, server], 1),
        size_mbit=torch.cat([draws.model_mbit, draws.data_mbit], 1).to(device),
        present=(torch.arange(n) < draws.n_present).repeat(1, 2).to(device),  # [E, 2n]
    )
