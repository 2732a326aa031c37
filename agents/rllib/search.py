"""Train many settings with Ray Tune, which places the trials and stops the hopeless ones early.

Tune's own state (pickles) is not used to go on with a search: the trials follow from the space and a seed, each has a
run folder of its own, and what it has reported is told to a new scheduler once more.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

from agents.cluster import ClusterConfig
from agents.rllib.connection import connect
from agents.search import METRIC, EarlyStop

ITERATION, TRIAL = "iteration", "trial"
_TUNE = "tune"
"""Folder of Tune's logs within that of a search."""

Report = Callable[[int, Mapping[str, float]], None]
TrainTrial = Callable[[str, Mapping[str, Any], Report], None]
"""(name, settings by full name, report) -> None: trains, and reports every iteration's metrics. Runs in a process of
its own. Called again with the same name it reports once more what it has reported, and goes on."""


def run_search(
    trials: Mapping[str, Mapping[str, Any]],
    train_trial: TrainTrial,
    folder: Path,
    *,
    early_stop: EarlyStop | None,
    iterations: int,
    validation_every: int,
    concurrent: int | None,
    cluster: ClusterConfig,
    on_end: Callable[[str, str | None], None],
) -> bool:
    """Train `trials` (name -> settings), some at a time; whether all of them ended, which an interruption prevents.

    folder: of the search; a folder `tune` in it is made anew. iterations: of a trial that goes to its end.
    validation_every: iterations between two values of the metric. concurrent: trials at a time; None: as many as fit.
    cluster: the processes of each trial.
    on_end: told (name, what went wrong or None) of every trial that ends.
    """
    connect(cluster, at_least_a_trial=True)
    # Trials find relative paths where the search was started, and Tune's own tables are not shown.
    os.environ |= {
        "RAY_CHDIR_TO_TRIAL_DIR": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    }
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    shutil.rmtree(folder / _TUNE, ignore_errors=True)
    main = {
        "CPU": float(cluster.threads),
        "GPU": 0.0 if cluster.learners else float(cluster.gpus_per_learner),
    }
    resources = tune.PlacementGroupFactory([main, *cluster.bundles()])
    watcher = _Watcher(on_end)
    tune.Tuner(
        tune.with_resources(partial(_train, train_trial=train_trial, trials=dict(trials)), resources),
        param_space={TRIAL: tune.grid_search(list(trials))},
        tune_config=tune.TuneConfig(
            scheduler=_scheduler(early_stop, iterations, validation_every),
            max_concurrent_trials=concurrent,
            trial_dirname_creator=lambda trial: trial.config[TRIAL],
        ),
        run_config=tune.RunConfig(
            name=_TUNE, storage_path=str(folder.resolve()), verbose=0, callbacks=[watcher]
        ),
    ).fit()
    return len(watcher.ended) == len(trials)


def _scheduler(early_stop: EarlyStop | None, iterations: int, validation_every: int) -> Any:
    first = early_stop.first * validation_every if early_stop else iterations
    if early_stop is None or first >= iterations:
        return FIFOScheduler()
    return ASHAScheduler(
        time_attr=ITERATION,
        metric=METRIC,
        mode="min",
        max_t=iterations,
        grace_period=first,
        reduction_factor=early_stop.eta,
    )


def _train(config: dict[str, Any], train_trial: TrainTrial, trials: Mapping[str, Mapping[str, Any]]) -> None:
    """Runs in the process of a trial; Tune ends it within a report when the trial is hopeless."""

    def report(iteration: int, metrics: Mapping[str, float]) -> None:
        if METRIC in metrics:
            tune.report({ITERATION: iteration, METRIC: metrics[METRIC]})

    train_trial(config[TRIAL], trials[config[TRIAL]], report)


class _Watcher(Callback):
    """Tells which trials end, and remembers them."""

    def __init__(self, on_end: Callable[[str, str | None], None]) -> None:
        self.on_end = on_end
        self.ended: set[str] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune pickles its callbacks for a restoration that is not used here."""
        return _Watcher, (_say_nothing,)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._end(trial, None)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        text = Path(trial.error_file).read_text() if trial.error_file else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        self._end(trial, lines[-1] if lines else "died without a word")

    def _end(self, trial: Trial, error: str | None) -> None:
        self.ended.add(trial.config[TRIAL])
        self.on_end(trial.config[TRIAL], error)


def _say_nothing(name: str, error: str | None) -> None:
    pass
