"""Real frames in a scenario file: `real_frames:` of `python -m offload.decide`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from envs.config import ConfigError, EnvironmentConfig, require
from envs.ephemeris import Ephemeris
from envs.worlds import Worlds
from models.interface import ModelUnavailable
from models.profile_file import EITHER, ProfileError, load_profile
from offload.config import OffloadConfig
from offload.joint.design import JointDesign
from offload.joint.estimates import Estimates
from offload.joint.frames import FrameTasks, draw_frames
from offload.joint.problem import JointProblem
from offload.joint.seconds import operations


@dataclass(frozen=True)
class RealFrames:
    """Tasks of frames drawn from a profile, packets as a gate and a compressor make them.

    profile: file of `python -m models.profile`. accuracy: required of a whole task that does not say. coding: ladder,
    attention, plain, or either, whichever gives more for its bytes. gate: whether the least trusted frames are
    offloaded first. estimated: share of the profile that teaches what to expect. classes: of confidence. seed: of the
    draw. small, large: the models that fly, as `python -m models.profile` takes them: a profile of others is refused;
    empty: whichever were profiled.
    """

    profile: str
    accuracy: float = 0.94
    coding: str = EITHER
    gate: bool = True
    estimated: float = 0.4
    classes: int = 8
    seed: int = 0
    small: str = ""
    large: str = ""

    def __post_init__(self) -> None:
        require(0 < self.accuracy < 1, "real_frames.accuracy", self.accuracy, "between 0 and 1")
        require(0 < self.estimated < 1, "real_frames.estimated", self.estimated, "between 0 and 1")
        require(self.seed >= 0, "real_frames.seed", self.seed, "zero or more")

    def problem(
        self,
        ephemeris: Ephemeris,
        worlds: Worlds,
        counts: Tensor,
        accuracy: Tensor,
        offload: OffloadConfig,
        environment: EnvironmentConfig,
    ) -> JointProblem:
        """Tasks of `counts` [E, n] frames that require `accuracy` [E, n].

        Raises ConfigError when the profile cannot be used or an accuracy not be reached.
        """
        try:
            profile = load_profile(Path(self.profile))
            profile.require_models(self.small, self.large)
        except ProfileError as error:
            raise ConfigError(f"real_frames.profile={error}") from error
        except ModelUnavailable as error:
            raise ConfigError(f"real_frames.small, real_frames.large: {error}") from error
        known = (*profile.codings, EITHER)
        require(self.coding in known, "real_frames.coding", self.coding, f"one of {', '.join(known)}")
        cut = round(self.estimated * len(profile))
        asked = profile.select(slice(cut, None))
        estimates = Estimates.fit(
            profile.select(slice(0, cut)), self.coding, self.classes if self.gate else 1
        )
        drawn = draw_frames(asked, counts, self.accuracy, seed=self.seed)
        frames = FrameTasks(drawn.rows, counts, accuracy)
        design = JointDesign(
            asked,
            self.coding,
            estimates,
            frames.ranked(asked) if self.gate else frames,
            offload.frames.pixels,
        )
        return JointProblem.joined(
            ephemeris,
            worlds,
            design,
            operations(offload.compute, offload.frames, gated=self.gate),
            offload,
            environment,
            update_mbit=offload.model.smallest_mbit,
        )
