"""The episodes of a comparison, kept: the same worlds as every router routed them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from agents.evaluation import Interval, ratio_interval
from agents.routers import Routes
from envs.config import EnvironmentConfig
from envs.delay import charged_delays
from envs.ephemeris import Ephemeris
from envs.worlds import Worlds


@dataclass
class Episodes:
    """Routes of every router on E worlds of P packets; `add` them as they come, on the CPU."""

    ephemeris: Ephemeris
    worlds: Worlds
    config: EnvironmentConfig
    routes: dict[str, Routes] = field(default_factory=dict)
    _charged_s: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, router: str, routes: Routes) -> None:
        """Keep what `router` did."""
        self.routes[router] = Routes(routes.links.to("cpu", torch.int32), routes.delivered.cpu())

    def charged_s(self, router: str) -> np.ndarray:
        """[E, P] delay of every packet, charged for what did not arrive; 0 for absent packets."""
        if router not in self._charged_s:
            routes = self.routes[router]
            delay_s = charged_delays(
                self.ephemeris,
                self.worlds,
                routes.links.long(),
                routes.delivered,
                self.config.undelivered_factor,
            )
            self._charged_s[router] = torch.where(self.worlds.present, delay_s.double(), 0.0).numpy()
        return self._charged_s[router]

    def by_world_s(self, router: str) -> np.ndarray:
        """[E] total charged delay of a world's packets."""
        return self.charged_s(router).sum(1)

    def ratio(self, router: str, to: str) -> tuple[float, Interval]:
        """Mean delay of `router` over that of `to`, and its 95% interval over worlds, drawn in pairs."""
        own, other = self.by_world_s(router), self.by_world_s(to)
        return float(own.sum() / other.sum()), ratio_interval(own, other)

    def world(self, index: int) -> tuple[Worlds, dict[str, Routes]]:
        """World `index` alone (E = 1) with everybody's routes."""
        some = slice(index, index + 1)
        routes = {
            name: Routes(each.links[some].long(), each.delivered[some]) for name, each in self.routes.items()
        }
        return self.worlds.select(some), routes

    @property
    def present(self) -> Tensor:
        """[E, P] bool, packets that take part."""
        return self.worlds.present
