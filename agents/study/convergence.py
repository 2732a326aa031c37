"""Trainings over packet sizes and networks, which show how fast and how surely learning settles (BS-MARL, Fig. 6)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agents.config import AlgorithmConfig
from agents.study.trial import Trial, TrialOptions
from envs.config import require
from envs.constellation import CONSTELLATIONS
from envs.scenario import Scenario


@dataclass(frozen=True)
class ConvergenceConfig:
    """Settings of `train.py experiment=convergence`.

    constellations: names of presets. size_factors: by which the packets of `task` are larger. seeds: of the trainings.
    workers: trainings at a time, one thread each. folder: where they are kept; finished ones are not repeated.
    validation_every, validation_worlds, test_worlds: how delay is measured while and after training.
    """

    constellations: tuple[str, ...] = ("walker_12x24", "iridium_star")
    size_factors: tuple[float, ...] = (0.5, 1.0, 2.0)
    seeds: tuple[int, ...] = (0, 1, 2)
    workers: int = 1
    folder: str = "runs/convergence"
    validation_every: int = 2
    validation_worlds: int = 128
    test_worlds: int = 500

    def __post_init__(self) -> None:
        unknown = [name for name in self.constellations if name not in CONSTELLATIONS]
        allowed = f"presets: {', '.join(CONSTELLATIONS)}"
        require(
            bool(self.constellations) and not unknown,
            "convergence.constellations",
            self.constellations,
            allowed,
        )
        sizes = self.size_factors
        require(
            bool(sizes) and min(sizes) > 0, "convergence.size_factors", sizes, "at least one positive number"
        )
        require(len(self.seeds) > 0, "convergence.seeds", self.seeds, "at least one")
        for name in ("workers", "validation_every", "validation_worlds", "test_worlds"):
            require(getattr(self, name) >= 1, f"convergence.{name}", getattr(self, name), "at least 1")

    @property
    def options(self) -> TrialOptions:
        """How the trainings are measured."""
        return TrialOptions(self.validation_every, self.validation_worlds, self.test_worlds)


def convergence_trials(
    scenario: Scenario, algorithm: AlgorithmConfig, config: ConvergenceConfig
) -> list[Trial]:
    """A training for every seed, constellation and packet size, all else as in `scenario`; seed by seed."""
    trials = []
    for seed in config.seeds:
        for name in config.constellations:
            for factor in config.size_factors:
                task = scenario.task
                resized = replace(
                    task,
                    data_mbit=tuple(factor * size for size in task.data_mbit),
                    model_mbit=tuple(factor * size for size in task.model_mbit),
                )
                here = replace(scenario, constellation=CONSTELLATIONS[name], task=resized)
                trials.append(Trial(f"{name}-x{factor:g}", here, algorithm, seed))
    return trials
