"""The whole configuration of each command, composed of the dataclasses that live beside the code they configure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Annotated

from agents.cluster import ClusterConfig
from agents.config import AlgorithmConfig
from agents.run.tracking import TrackingConfig
from agents.search import SearchConfig
from agents.study.convergence import ConvergenceConfig
from configs.convert import OneOf
from envs.config import EnvironmentConfig, TaskConfig, require
from envs.constellation import CONSTELLATIONS, FLEETS, Constellation, TleFleet
from envs.day import DayConfig
from envs.failures import FailureConfig
from envs.links import LINK_MODELS, EbN0Link, FixedLink, ShannonLink
from envs.scenario import Scenario
from models.experiments.config import SpaceVerseConfig
from offload.config import OffloadConfig
from offload.experiments.config import BsMarlConfig
from offload.joint.config import JointConfig
from report.config import GlobeConfig

Link = Annotated[EbN0Link | ShannonLink | FixedLink, OneOf("model", LINK_MODELS)]
"""The group `link`: its key `model` names the class, the other keys are that class's fields."""

AnyFleet = Annotated[Constellation | TleFleet, OneOf("kind", FLEETS, default="walker")]
"""The group `constellation`: its key `kind` names the class."""


@dataclass(frozen=True)
class TrainingConfig:
    """How a training run is seeded, watched and kept; how long it is stands in `algorithm.iterations`.

    seed: of everything random in training; validation and test worlds do not depend on it.
    also_on: presets that are trained on beside `constellation`, with the same tasks; rollouts take turns, and every
        other one is on `constellation`.
    validation_every: iterations between two looks at the validation worlds, which choose the exported policy.
    validation_worlds: how many there are.
    checkpoint_every: iterations between two checkpoints.
    keep_checkpoints: how many of the newest stay.
    replay_in_checkpoint: whether a checkpoint has the replay (most of its size); without it a resumed run fills a new
        one first, and so differs from the run never stopped.
    """

    seed: int = 0
    also_on: tuple[str, ...] = ()
    validation_every: int = 20
    validation_worlds: int = 256
    checkpoint_every: int = 50
    keep_checkpoints: int = 2
    replay_in_checkpoint: bool = True

    def __post_init__(self) -> None:
        require(self.seed >= 0, "training.seed", self.seed, "zero or more")
        unknown = [name for name in self.also_on if name not in CONSTELLATIONS]
        require(not unknown, "training.also_on", self.also_on, f"presets: {', '.join(CONSTELLATIONS)}")
        for name in ("validation_every", "validation_worlds", "checkpoint_every", "keep_checkpoints"):
            require(getattr(self, name) >= 1, f"training.{name}", getattr(self, name), "at least 1")


@dataclass(frozen=True)
class EvaluationConfig:
    """The comparison of routers on held-out worlds.

    worlds: how many, drawn from the day's test slots.
    seed: of the worlds.
    workers: processes that share the work; 0: the main one does it.
    routers: routers of your own that are compared besides the built-in ones, as `module:maker` (docs/extending.md).
    """

    worlds: int = 500
    seed: int = 1_000_003
    workers: int = 0
    routers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(self.worlds >= 2, "evaluation.worlds", self.worlds, "at least 2, an interval needs them")
        require(self.seed >= 0, "evaluation.seed", self.seed, "zero or more")
        require(self.workers >= 0, "evaluation.workers", self.workers, "zero or more")


SHIPPED_POLICY = "shipped"
"""Value of `evaluate.py policy=` for the policy that comes with LEOMix."""


class Show(str, Enum):
    """What `evaluate.py` measures: the table of routers, the experiments of a paper, or both papers joined."""

    routers = "routers"
    bs_marl = "bs_marl"
    spaceverse = "spaceverse"
    joint = "joint"


class Job(str, Enum):
    """What `train.py` does: one run and its evaluation, many trainings that are compared (Fig. 6), or a search."""

    run = "run"
    convergence = "convergence"
    search = "search"


@dataclass(frozen=True)
class TrainConfig:
    """Everything `train.py` can be told.

    name: part of the run folder's name.
    folder: where run folders are made.
    resume: folder of an interrupted run that is to go on; its configuration holds.
    job: what is done; `experiment=` sets it.
    """

    constellation: AnyFleet
    link: Link
    day: DayConfig = field(default_factory=DayConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    environment: EnvironmentConfig = field(default_factory=EnvironmentConfig)
    failures: FailureConfig = field(default_factory=FailureConfig)
    algorithm: AlgorithmConfig = field(default_factory=AlgorithmConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    name: str = "routing"
    folder: str = "runs"
    resume: str | None = None
    job: Job = Job.run
    convergence: ConvergenceConfig = field(default_factory=ConvergenceConfig)
    search: SearchConfig = field(default_factory=SearchConfig)

    def __post_init__(self) -> None:
        allowed = "letters, digits, '-' and '_': it becomes part of a folder's name"
        plain = self.name.replace("-", "").replace("_", "").isalnum()
        require(plain and self.name.isascii(), "name", self.name, allowed)
        self.cluster.require_even_shares(self.algorithm)

    @property
    def scenario(self) -> Scenario:
        """What the policy is trained on."""
        return Scenario(self.constellation, self.link, self.day, self.task, self.environment, self.failures)

    @property
    def turns(self) -> tuple[Scenario, ...]:
        """Whose worlds the rollouts play, in turn."""
        own = self.scenario
        others = (replace(own, constellation=CONSTELLATIONS[name]) for name in self.training.also_on)
        return tuple(scenario for other in others for scenario in (own, other)) or (own,)


@dataclass(frozen=True)
class EvaluateConfig:
    """Everything `evaluate.py` can be told. With a run's policy, what is not said is as that run was trained.

    policy: folder of the run, or folder or .onnx file of the export, whose policy is evaluated; "shipped": the one that
        comes with LEOMix, on the scenario of configs/evaluate.yaml; None: the routers that need no training.
    more_policies: the policy trained with other seeds, named as `policy` is; its results are means over all of them.
    show: what is measured; `experiment=` sets it.
    report: write report.html too; it replays episodes of the routers, which are compared for it whatever `show` is.
    """

    constellation: AnyFleet
    link: Link
    policy: str | None = SHIPPED_POLICY
    more_policies: tuple[str, ...] = ()
    show: Show = Show.routers
    report: bool = False
    globe: GlobeConfig = field(default_factory=GlobeConfig)
    day: DayConfig = field(default_factory=DayConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    environment: EnvironmentConfig = field(default_factory=EnvironmentConfig)
    failures: FailureConfig = field(default_factory=FailureConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    offload: OffloadConfig = field(default_factory=OffloadConfig)
    bs_marl: BsMarlConfig = field(default_factory=BsMarlConfig)
    spaceverse: SpaceVerseConfig = field(default_factory=SpaceVerseConfig)
    joint: JointConfig = field(default_factory=JointConfig)

    def __post_init__(self) -> None:
        more, where = self.more_policies, (Show.routers, Show.bs_marl)
        allowed = "none without a policy that they are averaged with, and where show is routers or bs_marl"
        require(not more or (bool(self.policy) and self.show in where), "more_policies", more, allowed)

    @property
    def scenario(self) -> Scenario:
        """What the routers are compared on."""
        return Scenario(self.constellation, self.link, self.day, self.task, self.environment, self.failures)
