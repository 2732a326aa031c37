"""What every figure shares: per seed the drawn samples, what both models said of them, and the fitted methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.experiments.config import SpaceVerseConfig
from models.interface import VisionLanguageModel
from models.methods import Gated, Method, Plan
from models.procedural import procedural_samples
from models.record import Record, record
from models.sample import Sample, SampleError, Task
from models.sources import PROCEDURAL, load_samples
from models.train_pair import TRAINING_SCENES

SEED_STRIDE = 10_000_000  # scenes between the first ones of two seeds


@dataclass(frozen=True)
class Seeded:
    """What one seed measured. confidences: of gated methods on the whole test record, [n, I] each."""

    train: Record
    test: Record
    methods: list[Method]
    confidences: dict[str, np.ndarray]

    def rows_of(self, task: Task) -> np.ndarray:
        """Rows of the test record that belong to a task."""
        return self.test.rows_of(task)

    def spaceverse(self) -> Gated:
        """SpaceVerse as published among the methods."""
        return next(m for m in self.methods if isinstance(m, Gated) and m.compresses)

    def plan(self, method: Method, rows: np.ndarray, share: float) -> Plan:
        """A method's plan for some rows of the test record."""
        part = self.test.select(rows)
        if isinstance(method, Gated):
            return method.plan_from(self.confidences[method.name][rows], part, share)
        return method.plan(part, share)


class Draws:
    """Draws a training and a test set per seed: new procedural scenes, or a random split of a real data set.

    errors: of samples that could not be read.
    """

    def __init__(self, config: SpaceVerseConfig):
        self.config = config
        self.errors: list[SampleError] = []
        self._pool: list[Sample] = []
        if config.data != PROCEDURAL:
            self._pool, self.errors = load_samples(config.data, config.folder, config.samples)
            least = 60
            if round(config.training_share * len(self._pool)) < least:
                raise ValueError(
                    f"{config.folder} gave {len(self._pool)} usable samples; a training_share of "
                    f"{config.training_share} leaves fewer than {least} for the gate: raise it"
                )

    def draw(self, seed: int) -> tuple[list[Sample], list[Sample]]:
        """Training and test samples of a seed; no sample is in both."""
        config = self.config
        if config.data == PROCEDURAL:
            tasks = len(Task)
            first = TRAINING_SCENES + SEED_STRIDE * (seed + 1)
            fitted = round(config.samples * config.training_share / tasks)
            after = first + config.samples // tasks
            return (
                procedural_samples(range(first, first + fitted)),
                procedural_samples(range(after, after + config.test_samples // tasks)),
            )
        order = np.random.default_rng(seed).permutation(len(self._pool))
        cut = round(config.training_share * len(self._pool))
        train, test = order[:cut], order[cut : cut + config.test_samples]
        return [self._pool[i] for i in train], [self._pool[i] for i in test]


def run_seed(
    draws: Draws,
    seed: int,
    small: VisionLanguageModel,
    large: VisionLanguageModel,
    methods: list[Method],
) -> tuple[Seeded, list[SampleError]]:
    """Draw this seed's samples, run both models, fit the methods. Unusable samples are left out and reported."""
    train_samples, test_samples = draws.draw(seed)
    train, errors = record(small, large, train_samples)
    test, more = record(small, large, test_samples)
    errors += more
    if not len(test) or not len(train):
        raise ValueError(f"the models could use none of the samples, for example: {errors[0]}")
    confidences = {}
    for method in methods:
        method.fit(train, seed)
        if isinstance(method, Gated):
            confidences[method.name] = method.confidences(test)
    return Seeded(train, test, methods, confidences), errors


def tasks_of(runs: Sequence[Seeded]) -> list[Task]:
    """The tasks that occur in every seed's test set, in the paper's order."""
    return [task for task in Task if all(len(run.rows_of(task)) for run in runs)]


def final_scores(method: Method, test: Record, plan: Plan) -> np.ndarray:
    """Scores of the final answers, [n]; Tabi takes the surer of both models' answers where it offloaded."""
    score = np.where(plan.offloaded, test.large_score, test.small_score)
    if method.ensembles:
        keep_ours = plan.offloaded & (plan.confidence > test.large_sure)
        score = np.where(keep_ours, test.small_score, score)
    return score
