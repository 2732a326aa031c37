"""The simulated day: its time slots, and which of them serve for training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from envs.config import require
from envs.orbit import slot_times_s


@dataclass(frozen=True)
class DaySplit:
    """Disjoint sets of slots, each spread over the whole day: int64 indices, ascending."""

    training: Tensor
    validation: Tensor
    test: Tensor


@dataclass(frozen=True)
class DayConfig:
    """A day cut into slots; within a slot the network is taken as still (quasi-static topology).

    slot_s: length of a slot.
    n_slots: slots of the day.
    propagator: `j2`, the closed form with secular J2, or `sgp4`.
    clearance_km: a link exists if its straight line clears the Earth by this much.
    training_slots, validation_slots, test_slots: how many slots each part draws its worlds from.
    """

    slot_s: float = 60.0
    n_slots: int = 1440
    propagator: Literal["j2", "sgp4"] = "j2"
    clearance_km: float = 80.0
    training_slots: int = 32
    validation_slots: int = 8
    test_slots: int = 16

    def __post_init__(self) -> None:
        require(self.slot_s > 0, "day.slot_s", self.slot_s, "positive")
        require(self.clearance_km >= 0, "day.clearance_km", self.clearance_km, "zero or more")
        for name in ("training_slots", "validation_slots", "test_slots"):
            require(getattr(self, name) >= 1, f"day.{name}", getattr(self, name), "at least 1")
        used = self.training_slots + self.validation_slots + self.test_slots
        allowed = f"at least {used}, the slots for training, validation and test together"
        require(self.n_slots >= used, "day.n_slots", self.n_slots, allowed)

    @property
    def time_s(self) -> Tensor:
        """[n_slots] float64: start of every slot in seconds since the start of the day."""
        return slot_times_s(self.n_slots, self.slot_s)

    def split(self) -> DaySplit:
        """Slots evenly spaced over the day and dealt to the three parts at random, the same way every time."""
        counts = [self.training_slots, self.validation_slots, self.test_slots]
        used = torch.arange(sum(counts)) * self.n_slots // sum(counts)
        order = torch.randperm(len(used), generator=torch.Generator().manual_seed(0))
        training, validation, test = (part.sort().values for part in used[order].split(counts))
        return DaySplit(training, validation, test)

    def seen_in(self, trained: DayConfig) -> list[int]:
        """Test slots of this day that are training or validation slots of the day `trained`: they begin together.

        Always none of a day with itself. Slots less than half a slot apart count: the network is hardly another.
        """
        split = trained.split()
        known_s = trained.time_s[torch.cat([split.training, split.validation])]
        test = self.split().test
        apart_s = (self.time_s[test][:, None] - known_s).abs().amin(1)
        return test[apart_s < min(self.slot_s, trained.slot_s) / 2].tolist()
