"""One training of a study with the plain trainer, kept in a folder of its own so that a study can be resumed.

<folder>/<name>/seed-<k>/config.yaml         scenario, algorithm and seed
                         metrics.csv         a row an iteration; validation columns where it was looked at
                         policy.safetensors  the best policy by validation
                         outcome.json        how it does on the test worlds; written last: the trial is complete
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import yaml

from agents.config import AlgorithmConfig
from agents.end_with_parent import worker_pool
from agents.evaluation.validation import VALIDATION_SEED, Validation
from agents.policy import POLICY_FILE, Policy
from agents.routers.learned import LearnedRouter
from agents.run.metrics_file import MetricsFile
from agents.trainer import Trainer
from envs.config import ConfigError
from envs.constellation import FLEETS
from envs.links import LINK_MODELS
from envs.observation_layout import ObservationLayout
from envs.routing_game import RoutingGame
from envs.scenario import Part, Scenario

TEST_SEED = 1_000_003
"""Of the test worlds, as `evaluation.seed` is by default."""
CONFIG_FILE, METRICS_FILE, OUTCOME_FILE = "config.yaml", "metrics.csv", "outcome.json"


@dataclass(frozen=True)
class Trial:
    """What is trained: `name` says how it differs from the others of its study (it becomes a folder's name)."""

    name: str
    scenario: Scenario
    algorithm: AlgorithmConfig
    seed: int

    def settings(self) -> dict[str, Any]:
        """Everything that the result follows from, as plain values, as the configuration of a run has them."""
        nested = asdict(self.scenario) | {
            "algorithm": asdict(self.algorithm),
            "training": {"seed": self.seed},
        }
        nested["constellation"] = {"kind": _name_of(self.scenario.constellation, FLEETS)} | nested[
            "constellation"
        ]
        nested["link"] = {"model": _name_of(self.scenario.link, LINK_MODELS)} | nested["link"]
        return json.loads(json.dumps(nested))  # enumerations become their values

    def folder(self, study: Path) -> Path:
        """Where it is kept."""
        return study / self.name / f"seed-{self.seed}"


@dataclass(frozen=True)
class TrialOptions:
    """How trials are measured.

    validation_every: iterations between two looks at the validation worlds. validation_worlds, test_worlds: how many.
    """

    validation_every: int = 10
    validation_worlds: int = 256
    test_worlds: int = 500


@dataclass(frozen=True)
class Outcome:
    """The best policy by validation on the test worlds.

    delay_s: mean over packets, undelivered ones charged. ratio: to single-order best response. delivery: share of
    packets. iteration: after which the policy was kept.
    """

    delay_s: float
    ratio: float
    delivery: float
    iteration: int


def run_trial(
    trial: Trial, study: Path, options: TrialOptions, on_progress: Callable[[str], None] = lambda text: None
) -> Outcome:
    """Train, unless `study` holds the complete trial already, and measure.

    Raises ConfigError when the folder holds a trial of that name with other settings.
    """
    folder, settings = trial.folder(study), trial.settings() | {"measured": asdict(options)}
    kept = _kept(folder, settings)
    if kept is not None:
        return kept
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / CONFIG_FILE).write_text(yaml.safe_dump(settings, sort_keys=False))

    ephemeris = trial.scenario.ephemeris("training")
    game = RoutingGame(
        ephemeris, trial.scenario.task, trial.scenario.environment, trial.algorithm.worlds_per_rollout
    )
    trainer = Trainer(game, trial.algorithm, seed=trial.seed)
    policy = Policy(
        trainer.model.utility,
        trial.algorithm.utility,
        trainer.model.spec,
        ObservationLayout.of(trial.scenario.environment.loads).name,
    )
    validate = _measure(trial.scenario, "validation", options.validation_worlds, VALIDATION_SEED)
    metrics_file, best, best_iteration = MetricsFile(folder / METRICS_FILE), float("inf"), 0
    for iteration in range(1, trial.algorithm.iterations + 1):
        metrics = trainer.iterate()
        if iteration % options.validation_every == 0 or iteration == trial.algorithm.iterations:
            result = validate(LearnedRouter(policy))
            metrics |= {f"validation_{name}": value for name, value in asdict(result).items()}
            if result.ratio < best:
                best, best_iteration = result.ratio, iteration
                policy.save(folder / POLICY_FILE)
            on_progress(f"{trial.name}, seed {trial.seed}: {iteration}, {result.ratio:.4f}")
        metrics_file.append(iteration, metrics)

    test = _measure(trial.scenario, "test", options.test_worlds, TEST_SEED)
    result = test(LearnedRouter(Policy.load(folder / POLICY_FILE)))
    outcome = Outcome(result.delay_s, result.ratio, result.delivery, best_iteration)
    unfinished = folder / f"{OUTCOME_FILE}.unfinished"
    unfinished.write_text(json.dumps(asdict(outcome), indent=2) + "\n")
    unfinished.replace(folder / OUTCOME_FILE)
    return outcome


def run_trials(
    trials: Sequence[Trial], study: Path, options: TrialOptions, *, workers: int = 1
) -> Iterator[tuple[Trial, Outcome]]:
    """All trials, each as soon as it is complete; `workers` at a time, each in a process with one thread.

    An error in a trial is raised here at once; the trials that are complete stay on disk. However this process ends,
    its workers end with it, so that none writes into a trial that was begun again.
    """
    for trial in trials:
        _kept(
            trial.folder(study), trial.settings() | {"measured": asdict(options)}
        )  # refuses before any long work
    with worker_pool(workers, torch.set_num_threads, (1,)) as pool:
        futures = {pool.submit(run_trial, trial, study, options): trial for trial in trials}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _name_of(part: object, classes: Mapping[str, type]) -> str:
    """By which a configuration calls the class of `part`."""
    return next(name for name, cls in classes.items() if type(part) is cls)


def _kept(folder: Path, settings: dict[str, Any]) -> Outcome | None:
    """The outcome of the complete trial in `folder`; None when there is none or it was interrupted."""
    if not (folder / OUTCOME_FILE).exists():
        return None
    if yaml.safe_load((folder / CONFIG_FILE).read_text()) != settings:
        raise ConfigError(
            f"{folder} holds a trial of the same name with other settings: choose another folder, or remove it"
        )
    values = json.loads((folder / OUTCOME_FILE).read_text())
    return Outcome(**{field.name: values[field.name] for field in fields(Outcome)})


@lru_cache(maxsize=4)
def _measure(scenario: Scenario, part: Part, n_worlds: int, seed: int) -> Validation:
    """The same worlds and reference for every trial of a process on the same scenario."""
    ephemeris = scenario.ephemeris(part)
    worlds = scenario.worlds(ephemeris, n_worlds, seed=seed)
    return Validation(ephemeris, worlds, scenario.environment)
