"""What one router does to given worlds, world by world and packet by packet."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from agents.routers import Router, Routes
from envs.config import EnvironmentConfig
from envs.delay import charged_delays
from envs.ephemeris import Ephemeris
from envs.worlds import Worlds


@dataclass(frozen=True)
class Measured:
    """Delays, s, 0 for absent packets, what arrived and its hops, all [E, P]; wall time of the routing.

    links: [E, P, H] of the paths (see `Routes`), where they were asked for.
    """

    delay_s: np.ndarray
    delivered: np.ndarray
    hops: np.ndarray
    seconds: float
    links: np.ndarray | None = None

    def routes(self) -> Routes:
        """The paths. Raises ValueError where they were not kept."""
        if self.links is None:
            raise ValueError("the paths were not kept: measure with keep_links=True")
        return Routes(links=torch.from_numpy(self.links), delivered=torch.from_numpy(self.delivered))

    @classmethod
    def joined(cls, parts: Sequence[Measured]) -> Measured:
        """Measurements of consecutive worlds as one."""
        arrays = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("delay_s", "delivered", "hops")
        }
        links = [part.links for part in parts if part.links is not None]
        return cls(
            **arrays,
            seconds=sum(part.seconds for part in parts),
            links=np.concatenate(links) if links else None,
        )


def measure(
    router: Router,
    ephemeris: Ephemeris,
    worlds: Worlds,
    config: EnvironmentConfig,
    *,
    keep_links: bool = False,
) -> Measured:
    """Route `worlds` with `router`; undelivered packets are charged."""
    started = time.perf_counter()
    routes: Routes = router.route(ephemeris, worlds, config)
    if routes.links.is_cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    delay_s = charged_delays(ephemeris, worlds, routes.links, routes.delivered, config.undelivered_factor)
    delay_s = torch.where(worlds.present, delay_s.double(), 0.0)
    return Measured(
        delay_s=delay_s.cpu().numpy(),
        delivered=routes.delivered.cpu().numpy(),
        hops=routes.hops.cpu().numpy(),
        seconds=seconds,
        links=routes.links.cpu().numpy() if keep_links else None,
    )
