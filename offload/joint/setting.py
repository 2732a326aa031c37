"""What the variants of the experiment share: one seed's frames, worlds and estimates, and the problems made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from envs.ephemeris import Ephemeris
from envs.scenario import Scenario
from envs.worlds import Worlds
from models.link import Downlink
from models.profile_file import Profile
from offload.config import OffloadConfig
from offload.joint.config import JointConfig
from offload.joint.contact import downlinks
from offload.joint.design import JointDesign
from offload.joint.estimates import Estimates
from offload.joint.frames import FrameTasks, draw_frames
from offload.joint.problem import JointProblem
from offload.joint.seconds import FrameSeconds, operations


@dataclass(frozen=True)
class Setting:
    """Worlds of one seed. known: frames that estimates are made of. asked: those of the tasks. frames: unranked."""

    scenario: Scenario
    ephemeris: Ephemeris
    worlds: Worlds
    offload: OffloadConfig
    config: JointConfig
    known: Profile
    asked: Profile
    frames: FrameTasks

    @classmethod
    def of(
        cls,
        scenario: Scenario,
        ephemeris: Ephemeris,
        offload: OffloadConfig,
        config: JointConfig,
        known: Profile,
        asked: Profile,
        *,
        n_worlds: int,
        seed: int,
    ) -> Setting:
        """Worlds in the slots of `ephemeris`, with tasks of frames of `asked`; equal seeds give equal settings."""
        worlds = scenario.worlds(ephemeris, n_worlds, seed=seed)
        low, high = config.frames
        generator = torch.Generator().manual_seed(seed)
        counts = torch.randint(low, high + 1, (n_worlds, worlds.n_tasks), generator=generator)
        counts = torch.where(worlds.present[:, : worlds.n_tasks], counts, 0)
        frames = draw_frames(asked, counts, config.accuracies[0], seed=seed)
        return cls(scenario, ephemeris, worlds, offload, config, known, asked, frames)

    @cached_property
    def downlinks(self) -> dict[int, Downlink]:
        """The contacts of every sensing satellite with the ground station."""
        sensing = self.worlds.destination[:, : self.worlds.n_tasks]
        satellites = sensing[self.frames.tasks.present].unique().tolist()
        return downlinks(self.scenario.constellation, satellites, self.config.station)

    def design(self, coding: str, *, gated: bool, accuracy: float, pixels: int) -> JointDesign:
        """Packets of the ladder `coding`; without a gate frames are offloaded in random order."""
        estimates = Estimates.fit(self.known, coding, self.config.classes if gated else 1)
        frames = self.frames.requiring(accuracy)
        return JointDesign(
            self.asked, coding, estimates, frames.ranked(self.asked) if gated else frames, pixels
        )

    def problem(
        self,
        coding: str,
        *,
        gated: bool,
        accuracy: float,
        pixels: int,
        seconds: FrameSeconds | None = None,
        worlds: Worlds | None = None,
        update_mbit: float | None = None,
        exit_s_per_mbit: torch.Tensor | None = None,
    ) -> JointProblem:
        """The joint problem; raises RequirementError when the accuracy cannot be expected of every task.

        pixels: of the frames that are coded and sent; models look at `offload.frames.pixels` whatever these are.
        seconds: None: BS-MARL's operations. worlds: None: those of the setting. update_mbit: of a model packet, None:
        the smallest there is.
        """
        if seconds is None:
            seconds = operations(self.offload.compute, self.offload.frames, gated=gated)
        offload = replace(self.offload, frames=replace(self.offload.frames, pixels=pixels))
        return JointProblem.joined(
            self.ephemeris,
            self.worlds if worlds is None else worlds,
            self.design(coding, gated=gated, accuracy=accuracy, pixels=pixels),
            seconds,
            offload,
            self.scenario.environment,
            update_mbit=offload.model.smallest_mbit if update_mbit is None else update_mbit,
            exit_s_per_mbit=exit_s_per_mbit,
        )
