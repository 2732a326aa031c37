"""What is simulated: a constellation with its links, the slots of a day, the workload and the rules, in one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from envs.config import EnvironmentConfig, TaskConfig
from envs.connectivity import connectivity
from envs.constellation import Fleet
from envs.day import DayConfig
from envs.ephemeris import Ephemeris, build_ephemeris
from envs.failures import FailureConfig
from envs.links import LinkModel
from envs.observation_layout import ObservationLayout
from envs.state import StateLayout
from envs.topology import Topology, build_topology
from envs.worlds import Worlds, sample_worlds

Part = Literal["training", "validation", "test"]
"""The three disjoint sets of slots of a day."""


@dataclass(frozen=True)
class Scenario:
    """Everything about the physics and the game; small and picklable, so that every process can build its own."""

    constellation: Fleet
    link: LinkModel
    day: DayConfig
    task: TaskConfig
    environment: EnvironmentConfig
    failures: FailureConfig = field(default_factory=FailureConfig)

    @property
    def layouts(self) -> dict[str, str]:
        """Names, with versions, of what networks trained on this scenario read."""
        return {"observation": ObservationLayout.of(self.environment.loads).name, "state": StateLayout().name}

    def topology(self, part: Part) -> Topology:
        """Links in the slots of one part of the day, without those that have failed, on the CPU.

        Raises ConfigError when the satellites of the constellation would collide, or its file cannot be used.
        """
        slots: Tensor = getattr(self.day.split(), part)
        topology = build_topology(
            self.constellation,
            self.link,
            self.day.time_s[slots],
            propagator=self.day.propagator,
            clearance_km=self.day.clearance_km,
        )
        return self.failures.apply(topology, slots)

    def ephemeris(self, part: Part) -> Ephemeris:
        """Links and costs in the slots of one part of the day, on the CPU.

        Raises ConfigError as `topology` does.
        """
        return build_ephemeris(self.topology(part), self.environment.relay_s_per_mbit)

    def remarks(self, ephemeris: Ephemeris) -> list[str]:
        """What a user should know of these worlds, one line each: about the fleet's file, and who is cut off."""
        remarks = [f"warning: {warning}" for warning in self.constellation.warnings]
        connected = connectivity(ephemeris.component)
        if connected.disconnected_pairs:
            remarks.append(f"{connected}; worlds are drawn among the others")
        return remarks

    def worlds(self, ephemeris: Ephemeris, n_worlds: int, *, seed: int | Sequence[int]) -> Worlds:
        """`n_worlds` worlds of this workload in the slots of `ephemeris`; equal seeds give equal worlds.

        seed: of all of them together, or a sequence with one for each.
        """
        return sample_worlds(ephemeris, self.task, n_worlds, seed=seed)
