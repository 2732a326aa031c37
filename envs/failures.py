"""Satellites and links that do not work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from envs.config import ConfigError, require
from envs.constellation import FORE, OPPOSITE, RIGHT
from envs.topology import Topology


@dataclass(frozen=True)
class FailureConfig:
    """What fails: a share at random, and what is listed. The default: nothing.

    satellite_rate: probability that a satellite has failed, with all its links; each by itself.
    link_rate: probability that a link has failed, in both directions; each by itself.
    lasting: what fails at random is down all `day`, or drawn anew in every `slot`.
    seed: of the draws. With the same seed everything that fails at a lower rate fails at a higher one too.
    satellites: numbers of satellites that have failed all day.
    links: pairs of numbers of neighbouring satellites whose link has failed all day.
    """

    satellite_rate: float = 0.0
    link_rate: float = 0.0
    lasting: Literal["day", "slot"] = "day"
    seed: int = 0
    satellites: tuple[int, ...] = ()
    links: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        for name in ("satellite_rate", "link_rate"):
            require(
                0 <= getattr(self, name) < 1, f"failures.{name}", getattr(self, name), "0 or more, below 1"
            )
        require(self.seed >= 0, "failures.seed", self.seed, "zero or more")

    @property
    def none(self) -> bool:
        """Whether nothing fails."""
        return not (self.satellite_rate or self.link_rate or self.satellites or self.links)

    def apply(self, topology: Topology, slot: Tensor) -> Topology:
        """`topology` without what has failed; slot: [T] long, which slots of the day it is of.

        Raises ConfigError for a satellite that there is not, or a link between satellites that have none.
        """
        if self.none:
            return topology
        n, neighbours = topology.n_satellites, topology.neighbours
        works = torch.ones(topology.n_slots, n, dtype=torch.bool)  # [T, V]
        link_works = torch.ones(topology.n_slots, n, 4, dtype=torch.bool)
        for t, number in enumerate(slot.tolist()):
            draw = np.random.default_rng((self.seed,) if self.lasting == "day" else (self.seed, number))
            works[t] = torch.from_numpy(draw.random(n) >= self.satellite_rate)
            link_works[t][:, [FORE, RIGHT]] = torch.from_numpy(draw.random((n, 2)) >= self.link_rate)
        for satellite in self.satellites:
            require(0 <= satellite < n, "failures.satellites", satellite, f"0 to {n - 1}")
            works[:, satellite] = False
        wired = topology.constellation.wired()
        for here, there in self.links:
            direction = _direction(neighbours, wired, here, there)
            link_works[:, here, direction] = link_works[:, there, OPPOSITE[direction]] = False
        # A link is drawn once, at the end that it leaves foreward or to the right.
        for direction in (FORE, RIGHT):
            back = OPPOSITE[direction]
            link_works[:, :, back] &= link_works[:, neighbours[:, back], direction]
            link_works[:, :, direction] &= link_works[:, neighbours[:, direction], back]
        works = works.to(topology.device)
        up = topology.up & link_works.to(topology.device) & works[:, :, None] & works[:, neighbours]
        return replace(topology, up=up, rate_mbps=torch.where(up, topology.rate_mbps, 0.0))


def _direction(neighbours: Tensor, wired: Tensor, here: int, there: int) -> int:
    n = len(neighbours)
    for satellite in (here, there):
        require(0 <= satellite < n, "failures.links", (here, there), f"numbers from 0 to {n - 1}")
    found = ((neighbours[here] == there) & wired[here]).nonzero().flatten().tolist()
    if not found:
        linked = neighbours[here][wired[here]].tolist()
        raise ConfigError(
            f"failures.links={(here, there)} is not possible: satellite {here} is linked to "
            f"{', '.join(map(str, linked)) or 'nobody'}"
        )
    return found[0]
