"""Service delay of tasks whose packets are routed: equation (3) of BS-MARL.

    T_n = T^M_n + T^FE_n + max(T^D_n + T^L_n, T^S_n)

First the model packet arrives, then features are extracted from the frames to offload; from then on the large model's
branch (data packet, large model) and the small model run side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agents.routers import Routes
from envs.config import EnvironmentConfig
from envs.delay import packet_delays, uncongested_delays
from envs.ephemeris import Ephemeris
from envs.worlds import Worlds
from offload.config import ComputeConfig, Computing, FramesConfig
from offload.tasks import Tasks


@dataclass(frozen=True)
class PacketDelay:
    """Delay of one packet per task, by cause; each [E, n] seconds.

    lost_s: what a packet that did not arrive is charged on top (`undelivered_factor`); 0 for the others.
    """

    transmission_s: Tensor
    propagation_s: Tensor
    relay_s: Tensor
    lost_s: Tensor

    @property
    def total_s(self) -> Tensor:
        return self.transmission_s + self.propagation_s + self.relay_s + self.lost_s


@dataclass(frozen=True)
class ServiceDelay:
    """Delay of every task, by phase; each [E, n] seconds.

    model, data: the packets, T^M and T^D. feature_s: T^FE. large_s: T^L. small_s: T^S.
    """

    model: PacketDelay
    feature_s: Tensor
    data: PacketDelay
    large_s: Tensor
    small_s: Tensor

    @property
    def offloaded_s(self) -> Tensor:
        """The large model's branch, T^D + T^L."""
        return self.data.total_s + self.large_s

    @property
    def total_s(self) -> Tensor:
        """T of equation (3)."""
        return self.model.total_s + self.feature_s + torch.maximum(self.offloaded_s, self.small_s)

    @property
    def idle_s(self) -> Tensor:
        """How long the large model's branch waits for the small model; negative: the other way round."""
        return self.small_s - self.offloaded_s

    def parts(self) -> dict[str, Tensor]:
        """Phases that follow one another and so add up to `total_s`; the branch that ends first counts nothing."""
        longer = self.offloaded_s >= self.small_s

        def if_longer(part: Tensor) -> Tensor:
            return torch.where(longer, part, 0.0)

        return {
            **{f"model_{name}": getattr(self.model, name) for name in _CAUSES},
            "feature_s": self.feature_s,
            **{f"data_{name}": if_longer(getattr(self.data, name)) for name in _CAUSES},
            "large_s": if_longer(self.large_s),
            "small_s": torch.where(longer, 0.0, self.small_s),
        }


_CAUSES = ("transmission_s", "propagation_s", "relay_s", "lost_s")


def sharing(worlds: Worlds, offloaded: Tensor, computing: Computing) -> Tensor:
    """[E, n] among how many tasks a computing satellite divides its capacity: each task, and the others that offload.

    For a task that offloads nothing itself, what it would find if it did.
    """
    n_tasks = worlds.n_tasks
    if computing is Computing.paper:
        return torch.ones(offloaded.shape, dtype=torch.float64, device=offloaded.device)
    server = worlds.source[:, :n_tasks]
    uses = (offloaded > 0)[:, None, :] | torch.eye(n_tasks, dtype=torch.bool, device=offloaded.device)
    return ((server[:, :, None] == server[:, None, :]) & uses).sum(2).double()


def service_delay(
    ephemeris: Ephemeris,
    worlds: Worlds,
    routes: Routes,
    tasks: Tasks,
    offloaded: Tensor,
    *,
    frames: FramesConfig,
    compute: ComputeConfig,
    environment: EnvironmentConfig,
) -> ServiceDelay:
    """Equation (3) for `offloaded` [E, n] frames, with the packets of `worlds` (of their sizes) on `routes`."""
    delays = packet_delays(ephemeris, worlds, routes.links)
    lost = worlds.present & ~routes.delivered  # [E, P]
    charge = torch.zeros_like(delays.total_s)
    if bool(lost.any()):
        charge = torch.where(
            lost, environment.undelivered_factor * uncongested_delays(ephemeris, worlds), charge
        )
    causes = (delays.transmission_s, delays.propagation_s, delays.relay_s, charge)
    kinds = [cause.double().view(worlds.n_worlds, 2, -1).unbind(1) for cause in causes]
    model, data = (PacketDelay(*kind) for kind in zip(*kinds, strict=True))
    sent, kept = offloaded.double(), (tasks.frames - offloaded).double()
    return ServiceDelay(
        model=model,
        feature_s=sent * frames.frame_mbit * compute.feature_s_per_mbit,
        data=data,
        large_s=sent * compute.large_frame_s * sharing(worlds, offloaded, compute.computing),
        small_s=kept * compute.small_frame_s,
    )
