"""Replay of whole episodes, stored ragged: an episode takes the decisions and steps it has, not the
longest's.

Shapes: C episodes at most, E episodes added, B episodes sampled.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from agents.episodes import ROW_FIELDS, STEP_FIELDS, Batch, Episodes, ragged_index, seal


class RaggedRing:
    """A ring of runs of items, one run per slot; the oldest run makes room when its slot is written again.

    Items have several fields, each one tensor [capacity, ...] that grows as needed. Positions count upward
    for ever and are taken modulo the capacity. Slots must be written in turn, so that runs leave in the order
    they came. The items are on `device`; where they are is known on the CPU, so that nobody waits to read them.
    """

    def __init__(self, slots: int, device: torch.device) -> None:
        self.device = device
        self.first = torch.zeros(slots, dtype=torch.int64)  # [C] position of the run's first item
        self.count = torch.zeros(slots, dtype=torch.int64)  # [C]
        self.fields: dict[str, Tensor] = {}
        self.capacity = 0
        self.end = 0  # position after the newest item

    def write(self, slots: Tensor, counts: Tensor, items: dict[str, Tensor]) -> None:
        """A run of `counts` [E] items into each of `slots` [E] (both on the CPU), one after the other in `items`."""
        self.count[slots] = 0
        total = int(counts.sum())
        held = self.count > 0
        oldest = int(self.first[held].min()) if bool(held.any()) else self.end
        needed = self.end + total - oldest
        if needed > self.capacity:
            self._move_to(needed + needed // 2, items)
        place = torch.arange(self.end, self.end + total, device=self.device) % self.capacity
        for name, values in items.items():
            self.fields[name].index_copy_(0, place, values)
        self.first[slots] = self.end + counts.cumsum(0) - counts
        self.count[slots] = counts
        self.end += total

    def read_padded(self, slots: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Runs of `slots` [B] as {field: [B, longest, ...]}, padded with anything; valid [B, longest]."""
        index, valid = ragged_index(self.first[slots], self.count[slots])
        place = (index % self.capacity).flatten().to(self.device, non_blocking=True)
        fields = {name: field[place].unflatten(0, index.shape) for name, field in self.fields.items()}
        return fields, valid.to(self.device, non_blocking=True)

    def read(self, slots: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Runs of `slots` [B] one after the other as {field: [items, ...]}, and their counts [B]."""
        index, valid = ragged_index(self.first[slots], self.count[slots])
        place = (index[valid] % self.capacity).to(self.device)
        return {name: field[place] for name, field in self.fields.items()}, self.count[slots]

    def _move_to(self, capacity: int, like: dict[str, Tensor]) -> None:
        """Take memory for `capacity` items shaped as those of `like`; held items keep their positions."""
        index, valid = ragged_index(self.first, self.count)
        held = index[valid].to(self.device)
        for name, example in like.items():
            field = example.new_empty(capacity, *example.shape[1:], device=self.device)
            if name in self.fields:
                field[held % capacity] = self.fields[name][held % self.capacity]
            self.fields[name] = field
        self.capacity = capacity


class Replay:
    """The newest `capacity` episodes, from which batches are drawn uniformly with replacement."""

    def __init__(self, capacity: int, device: torch.device | str = "cpu") -> None:
        self.capacity, self.device = capacity, torch.device(device)
        self.clear()

    def clear(self) -> None:
        """Forget all episodes."""
        self.decisions = RaggedRing(self.capacity, self.device)
        self.steps = RaggedRing(self.capacity, self.device)
        self.length = torch.zeros(self.capacity, dtype=torch.int64)  # as of its rings, on the CPU
        self.truncated = torch.zeros(self.capacity, dtype=torch.bool)
        self.added = 0  # episodes ever added; number i sits in slot i % capacity

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add(self, episodes: Episodes) -> None:
        """Store E episodes; the oldest leave when there are more than `capacity`."""
        if len(episodes) > self.capacity:
            raise ValueError(f"{len(episodes)} episodes at once do not fit a replay of {self.capacity}")
        episodes = episodes.to(self.device)
        n_steps = episodes.step_counts()
        recorded = (
            torch.arange(episodes.agent_state.shape[1], device=self.device) < n_steps[:, None]
        )  # [E, T]
        self._write(
            episodes.row_counts(),
            {name: getattr(episodes, name) for name in ROW_FIELDS},
            n_steps,
            {name: getattr(episodes, name)[recorded] for name in STEP_FIELDS},
            episodes.length,
            episodes.truncated,
        )

    def _write(
        self,
        row_counts: Tensor,
        rows: dict[str, Tensor],
        step_counts: Tensor,
        steps: dict[str, Tensor],
        length: Tensor,
        truncated: Tensor,
    ) -> None:
        slots = torch.arange(self.added, self.added + len(length)) % self.capacity
        self.decisions.write(slots, row_counts.cpu(), rows)
        self.steps.write(slots, step_counts.cpu(), steps)
        self.length[slots] = length.cpu()
        self.truncated[slots] = truncated.cpu()
        self.added += len(length)

    def sample(self, n_episodes: int, generator: torch.Generator) -> Batch:
        """`n_episodes` episodes as a batch (agents/episodes.py), drawn with `generator` (on the CPU)."""
        return self.batch(self.draw(n_episodes, generator))

    def draw(self, n_episodes: int, generator: torch.Generator) -> Tensor:
        """[B] slots on the CPU, drawn with `generator`."""
        if self.added == 0:
            raise ValueError("the replay is empty: add episodes before sampling")
        age = torch.randint(len(self), (n_episodes,), generator=generator)
        return (self.added - 1 - age) % self.capacity

    def batch(self, slots: Tensor) -> Batch:
        """The episodes in `slots` [B] (on the CPU) as a batch."""
        rows, valid = self.decisions.read_padded(slots)
        steps, recorded = self.steps.read_padded(slots)
        ends = {"length": self.length[slots], "truncated": self.truncated[slots]}
        ends = {name: value.to(self.device, non_blocking=True) for name, value in ends.items()}
        return seal(rows | steps | ends | {"valid": valid}, recorded)

    def state_dict(self) -> dict[str, Any]:
        """All episodes from the oldest to the newest, without padding."""
        slots = torch.arange(self.added - len(self), self.added) % self.capacity
        rows, row_counts = self.decisions.read(slots)
        steps, step_counts = self.steps.read(slots)
        return {
            "rows": rows,
            "row_counts": row_counts,
            "steps": steps,
            "step_counts": step_counts,
            "length": self.length[slots],
            "truncated": self.truncated[slots],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave; the same generator then draws the same batches.

        Raises ValueError when the episodes do not fit.
        """
        stored = len(state["length"])
        if stored > self.capacity:
            raise ValueError(f"{stored} stored episodes do not fit a replay of {self.capacity}")
        self.clear()
        if stored:
            self._write(**_moved(state, self.device))


def _moved(state: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """`state` with its tensors on `device`."""
    return {
        name: _moved(value, device) if isinstance(value, dict) else value.to(device)
        for name, value in state.items()
    }
