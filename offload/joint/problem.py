"""The joint problem: tasks of real frames whose packets a gate and a compressor make, with any router."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from agents.routers import Router, Routes
from envs.config import EnvironmentConfig
from envs.ephemeris import Ephemeris
from envs.worlds import Worlds
from offload.config import OffloadConfig
from offload.joint.design import JointDesign
from offload.joint.seconds import FrameSeconds
from offload.joint.side_by_side import SideBySide
from offload.packets import DataPackets, PacketDesign
from offload.problem import Evaluation, OffloadProblem
from offload.service import sharing
from offload.tasks import Tasks


@dataclass(frozen=True)
class FixedUpdate:
    """Model packets of one size, 0: there are none.

    Subproblem (6): the onboard model's accuracy is measured as it is, so that the smallest update suffices.
    """

    mbit: float

    def __call__(self, tasks: Tasks, offloaded: Tensor) -> Tensor:
        """[E, n] float64 Mbit."""
        return torch.where(tasks.present, self.mbit, 0.0).double()

    def require_reachable(self, tasks: Tasks) -> None:
        """Nothing is required of it."""


@dataclass(frozen=True)
class JointProblem(OffloadProblem):
    """An `OffloadProblem` in which the task as a whole must be accurate, so that few offloaded frames may be too few.

    look_s: what every frame takes on board before any is sent, part of T^FE. exit_s_per_mbit: [E] what a data packet
    takes beyond its ISLs (a downlink); 0 at a computing satellite.
    """

    look_s: float = 0.0
    exit_s_per_mbit: Tensor | None = None

    @classmethod
    def joined(
        cls,
        ephemeris: Ephemeris,
        worlds: Worlds,
        design: JointDesign | SideBySide,
        seconds: FrameSeconds,
        config: OffloadConfig,
        environment: EnvironmentConfig,
        *,
        update_mbit: float,
        exit_s_per_mbit: Tensor | None = None,
    ) -> JointProblem:
        """Raises RequirementError when a task cannot be expected to reach its accuracy."""
        design.require_reachable()
        timed = replace(config, compute=seconds.compute(config.compute, config.frames))
        packets = PacketDesign(design, FixedUpdate(update_mbit))
        return cls(
            ephemeris,
            worlds,
            design.tasks,
            packets,
            timed,
            environment,
            seconds.look_s,
            exit_s_per_mbit,
        )

    @property
    def joint(self) -> JointDesign | SideBySide:
        """The design of the data packets."""
        assert isinstance(self.design.data, JointDesign | SideBySide)
        return self.design.data

    @property
    def fewest(self) -> Tensor:
        return self.joint.fewest

    def accuracies(self, offloaded: Tensor) -> dict[str, Tensor]:
        """What is expected of a whole task, and what both models' answers to its frames really come to."""
        return {
            "expected_accuracy": self.joint.expected_accuracy(offloaded),
            "measured_accuracy": self.joint.measured_accuracy(offloaded),
        }

    def select(self, index: Tensor) -> JointProblem:
        """The worlds at `index` [M] long."""
        return replace(
            self,
            worlds=self.worlds.select(index),
            tasks=self.tasks.select(index),
            design=self.design.select(index),
            exit_s_per_mbit=None if self.exit_s_per_mbit is None else self.exit_s_per_mbit[index],
        )

    def evaluate(self, offloaded: Tensor, router: Router) -> Evaluation:
        """As in `OffloadProblem`, with the nearest numbers of frames that reach the accuracy."""
        return super().evaluate(self.joint.admissible(offloaded), router)

    def best_frames(self, latest: Evaluation, s_per_mbit: Tensor, propagation_s: Tensor) -> Tensor:
        """As in `OffloadProblem`; sizes need not rise with the number of frames, so all numbers are tried."""
        size = self.joint.size_mbit  # [E, n, M]
        compute, frames = self.config.compute, torch.arange(size.shape[2], device=size.device)
        shared = sharing(self.worlds, latest.offloaded, compute.computing)
        large_s = (compute.large_frame_s * shared)[..., None] * frames
        data_s = size.where(size.isfinite(), 0.0) * s_per_mbit[..., None]
        data_s = data_s + torch.where(frames > 0, propagation_s[..., None], 0.0)
        small_s = (self.tasks.frames[..., None] - frames) * compute.small_frame_s
        feature_s = frames * self.config.frames.frame_mbit * compute.feature_s_per_mbit
        total_s = feature_s + torch.maximum(data_s + large_s, small_s)
        return total_s.masked_fill(~size.isfinite(), torch.inf).argmin(2)

    def _evaluation(
        self, offloaded: Tensor, model_mbit: Tensor, data: DataPackets, routes: Routes
    ) -> Evaluation:
        found = super()._evaluation(offloaded, model_mbit, data, routes)
        delay = replace(found.delay, feature_s=found.delay.feature_s + self.tasks.frames * self.look_s)
        if self.exit_s_per_mbit is not None:
            leaving_s = data.size_mbit * self.exit_s_per_mbit[:, None]
            sent = replace(delay.data, transmission_s=delay.data.transmission_s + leaving_s)
            delay = replace(delay, data=sent)
        return replace(found, delay=delay, mean_s=self.tasks.mean(delay.total_s))
