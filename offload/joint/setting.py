"""What the variants of the experiment share: frames, worlds and estimates, and the problems made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from envs.ephemeris import Ephemeris
from envs.scenario import Scenario
from envs.worlds import Worlds
from models.profile_file import Profile
from offload.config import OffloadConfig
from offload.joint.config import JointConfig
from offload.joint.contact import Contacts
from offload.joint.design import JointDesign
from offload.joint.estimates import Estimates
from offload.joint.frames import FrameTasks, draw_frames
from offload.joint.problem import JointProblem
from offload.joint.seconds import FrameSeconds, operations
from offload.joint.side_by_side import SideBySide


@dataclass(frozen=True)
class Half:
    """Worlds of one seed whose tasks are made of one half of its profile.

    known: frames that estimates are made of. asked: those of the tasks. frames: unranked.
    """

    worlds: Worlds
    known: Profile
    asked: Profile
    frames: FrameTasks

    @classmethod
    def of(
        cls,
        scenario: Scenario,
        ephemeris: Ephemeris,
        config: JointConfig,
        known: Profile,
        asked: Profile,
        *,
        n_worlds: int,
        seed: int,
    ) -> Half:
        """Worlds in the slots of `ephemeris`, with tasks of frames of `asked`; equal seeds give equal ones."""
        worlds = scenario.worlds(ephemeris, n_worlds, seed=seed)
        low, high = config.frames
        generator = torch.Generator().manual_seed(seed)
        counts = torch.randint(low, high + 1, (n_worlds, worlds.n_tasks), generator=generator)
        counts = torch.where(worlds.present[:, : worlds.n_tasks], counts, 0)
        return cls(worlds, known, asked, draw_frames(asked, counts, 0.0, seed=seed))

    def designs(
        self, coding: str, *, gated: bool, classes: int, pixels: int, accuracies: Sequence[float]
    ) -> list[JointDesign]:
        """Packets of the ladder `coding` for each of `accuracies`; without a gate frames go in random order."""
        estimates = Estimates.fit(self.known, coding, classes if gated else 1)
        frames = self.frames.requiring(accuracies[0])
        first = JointDesign(
            self.asked, coding, estimates, frames.ranked(self.asked) if gated else frames, pixels
        )
        return [first, *(first.at_each(accuracies[1:]) if len(accuracies) > 1 else [])]


@dataclass(frozen=True)
class Setting:
    """The worlds of all seeds and halves, one after the other, whose tasks have frames of one kind.

    task: the kind (`models.sample.Task`). contacts: of the satellites with the ground station.
    """

    task: str
    scenario: Scenario
    ephemeris: Ephemeris
    offload: OffloadConfig
    config: JointConfig
    halves: tuple[Half, ...]
    contacts: Contacts

    @property
    def worlds(self) -> Worlds:
        return Worlds.cat([half.worlds for half in self.halves])

    @property
    def accuracies(self) -> tuple[float, ...]:
        """Required of a whole task, one after the other."""
        return self.config.accuracies.of(self.task)

    def designs(self, coding: str, *, gated: bool) -> Mapping[float, SideBySide]:
        """By required accuracy: the packets of all halves, of frames as large as `offload.frames` says."""
        by_half = [
            half.designs(
                coding,
                gated=gated,
                classes=self.config.classes,
                pixels=self.offload.frames.pixels,
                accuracies=self.accuracies,
            )
            for half in self.halves
        ]
        return {
            accuracy: SideBySide(parts)
            for accuracy, parts in zip(self.accuracies, zip(*by_half, strict=True), strict=True)
        }

    def problem(
        self,
        design: SideBySide,
        *,
        gated: bool,
        pixels: int,
        seconds: FrameSeconds | None = None,
        update_mbit: float | None = None,
    ) -> JointProblem:
        """The joint problem; raises RequirementError when the accuracy cannot be expected of every task.

        design: one of `designs`. pixels: of the frames that are coded and sent; models look at `offload.frames.pixels`
        whatever these are. seconds: None: BS-MARL's operations. update_mbit: of a model packet, None: the smallest
        there is.
        """
        if seconds is None:
            seconds = operations(self.offload.compute, self.offload.frames, gated=gated)
        offload = replace(self.offload, frames=replace(self.offload.frames, pixels=pixels))
        return JointProblem.joined(
            self.ephemeris,
            self.worlds,
            design.scaled(pixels),
            seconds,
            offload,
            self.scenario.environment,
            update_mbit=offload.model.smallest_mbit if update_mbit is None else update_mbit,
        )
