"""Joint offloading and routing problems: what is given, and what any choice of frames comes to."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agents.routers import Router, Routes
from envs.config import EnvironmentConfig, require
from envs.delay import uncongested_delays
from envs.ephemeris import Ephemeris
from envs.worlds import Worlds
from offload.config import ModelPackets, OffloadConfig
from offload.packets import DataPackets, PacketDesign
from offload.service import ServiceDelay, service_delay, sharing
from offload.tasks import Tasks


@dataclass(frozen=True)
class Evaluation:
    """What offloading `offloaded` [E, n] frames comes to.

    model_mbit: [E, n] float64. data: the data packets. routes: paths of all packets, [E, 2 n, H]. delay: by task.
    mean_s: [E] mean service delay of a world's tasks: what is to be small.
    """

    offloaded: Tensor
    model_mbit: Tensor
    data: DataPackets
    routes: Routes
    delay: ServiceDelay
    mean_s: Tensor


@dataclass(frozen=True)
class OffloadProblem:
    """E worlds whose tasks want an allocation ratio, packets and paths.

    worlds: the satellites of the tasks and the slot; its packet sizes are not used. design: must fit `tasks`.
    """

    ephemeris: Ephemeris
    worlds: Worlds
    tasks: Tasks
    design: PacketDesign
    config: OffloadConfig
    environment: EnvironmentConfig

    def __post_init__(self) -> None:
        shape, expected = tuple(self.tasks.frames.shape), (self.worlds.n_worlds, self.worlds.n_tasks)
        require(shape == expected, "tasks", shape, f"{expected}, the worlds and tasks of `worlds`")

    @classmethod
    def of(
        cls,
        ephemeris: Ephemeris,
        worlds: Worlds,
        tasks: Tasks,
        config: OffloadConfig,
        environment: EnvironmentConfig,
    ) -> OffloadProblem:
        """The problem with the packets that `config` describes.

        Raises RequirementError when a task asks for more accuracy than packets can give.
        """
        design = PacketDesign.of(config)
        design.require_reachable(tasks)
        return cls(ephemeris, worlds, tasks, design, config, environment)

    def select(self, index: Tensor) -> OffloadProblem:
        """The worlds at `index` [M] long."""
        return OffloadProblem(
            self.ephemeris,
            self.worlds.select(index),
            self.tasks.select(index),
            self.design.select(index),
            self.config,
            self.environment,
        )

    def evaluate(self, offloaded: Tensor, router: Router) -> Evaluation:
        """Design the packets for `offloaded` [E, n] frames, route them and add up the delays."""
        model_mbit, data = self.design.sizes(self.tasks, offloaded)
        routes = router.route(self.ephemeris, self._sized(model_mbit, data), self.environment)
        return self._evaluation(offloaded, model_mbit, data, routes)

    def evaluate_on(self, offloaded: Tensor, routes: Routes) -> Evaluation:
        """The same on given paths; a packet must be there if and only if `routes` has a path for it."""
        return self._evaluation(offloaded, *self.design.sizes(self.tasks, offloaded), routes)

    def lost_to_others(self, evaluation: Evaluation) -> Tensor:
        """[E] what data packets lose to shared links and to detours around them, as a share of the mean service delay.

        Hardly any other routing of these packets could save more: cheapest paths are those of `REFERENCE_MBIT`.
        """
        sized, data = self._sized(evaluation.model_mbit, evaluation.data), evaluation.delay.data
        alone_s = uncongested_delays(self.ephemeris, sized)[:, self.worlds.n_tasks :].double()
        return self.tasks.mean((data.total_s - alone_s).clamp(min=0)) / evaluation.mean_s

    @property
    def fewest(self) -> Tensor:
        """[E, n] fewest frames that a task must offload; here requirements do not depend on how many it does."""
        return torch.zeros_like(self.tasks.frames)

    def accuracies(self, offloaded: Tensor) -> dict[str, Tensor]:
        """[E, n] what else is known of the answers when `offloaded` [E, n] frames are; here nothing."""
        return {}

    def best_frames(self, latest: Evaluation, s_per_mbit: Tensor, propagation_s: Tensor) -> Tensor:
        """[E, n] frames of least service delay at given `s_per_mbit` and `propagation_s` of the data packets.

        The branches cross once. Left of it service delay falls or rises throughout, right of it it rises; so the best
        is next to the crossing or at an end.
        """
        compute, tasks, design = self.config.compute, self.tasks, self.design
        large_s = compute.large_frame_s * sharing(self.worlds, latest.offloaded, compute.computing)

        def branches(frames: Tensor) -> tuple[Tensor, Tensor]:
            size = design.data(tasks, frames).size_mbit
            offloaded_s = (
                frames.double() * large_s + size * s_per_mbit + torch.where(frames > 0, propagation_s, 0.0)
            )
            return offloaded_s, (tasks.frames - frames).double() * compute.small_frame_s

        def total(frames: Tensor) -> Tensor:
            feature_s = frames.double() * self.config.frames.frame_mbit * compute.feature_s_per_mbit
            whole = (compute.model_packets is ModelPackets.needed) & (frames == tasks.frames)
            return (
                feature_s
                + torch.maximum(*branches(frames))
                - torch.where(whole, latest.delay.model.total_s, 0.0)
            )

        low, high = torch.zeros_like(tasks.frames), tasks.frames.clone()
        for _ in range(int(tasks.frames.max()).bit_length()):
            middle = (low + high).div(2, rounding_mode="floor")
            offloaded_s, small_s = branches(middle)
            more = small_s > offloaded_s
            low, high = torch.where(more, middle, low), torch.where(more, high, middle)
        candidates = torch.stack([low, high, torch.zeros_like(low), tasks.frames])  # [4, E, n]
        costs = torch.stack([total(frames) for frames in candidates])
        return candidates.gather(0, costs.argmin(0, keepdim=True)).squeeze(0)

    def _sized(self, model_mbit: Tensor, data: DataPackets) -> Worlds:
        return self.worlds.with_sizes(torch.cat([model_mbit, data.size_mbit], 1).float())

    def _evaluation(
        self, offloaded: Tensor, model_mbit: Tensor, data: DataPackets, routes: Routes
    ) -> Evaluation:
        sized = self._sized(model_mbit, data)
        delay = service_delay(
            self.ephemeris,
            sized,
            routes,
            self.tasks,
            offloaded,
            frames=self.config.frames,
            compute=self.config.compute,
            environment=self.environment,
        )
        return Evaluation(offloaded, model_mbit, data, routes, delay, self.tasks.mean(delay.total_s))
