"""Train a routing policy with QMIX under RLlib, then compare it with every other router: `python train.py`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from agents.cluster import WorkerLost
from agents.evaluation.validation import SeveralValidations, validation_of
from agents.policy import Policy
from agents.routers.learned import LearnedRouter
from agents.run.curves import draw_training_curves
from agents.run.durable import DiskRefuses, naming_what_the_disk_refuses, require_writable
from agents.run.folder import RunFolder
from agents.run.interruption import INTERRUPTED, Interruption
from agents.run.metrics_file import MetricsFile
from agents.run.progress import TrainingProgress
from agents.run.resume import StoppedRun, save_run
from agents.run.tracking import open_tracker
from agents.study import convergence_trials, run_trials
from configs.command import command
from configs.convert import to_plain
from configs.schema import Job, TrainConfig
from envs.config import ConfigError
from evaluate import evaluate
from offload.experiments.training_curves import training_result
from search import search

if TYPE_CHECKING:
    from agents.rllib import QMIX

MAY_CHANGE = (
    "training.validation_every",
    "training.checkpoint_every",
    "training.keep_checkpoints",
    "training.replay_in_checkpoint",
    "algorithm.iterations",
    "evaluation",
    "cluster",
    "tracking",
)
"""What may be set anew when a run is resumed; docs/training.md says what that does to it."""
BEST = "validation_ratio"
"""The metric that chooses the policy to keep; smaller is better."""


@command(TrainConfig, "train", based_on="resume", may_change=MAY_CHANGE)
def main(config: TrainConfig) -> None:
    JOBS[config.job](config, Console())


def train_and_evaluate(config: TrainConfig, console: Console) -> None:
    """One run, compared with every other router at its end."""
    run, complete = train(config, console)
    if not complete:
        console.print(f"interrupted; to go on: python train.py resume={run.shown}", soft_wrap=True)
        sys.exit(INTERRUPTED)
    policy, refused = Policy.load(run.path), None
    try:
        export(policy, config, run, console)
    except ConfigError as error:
        refused = error  # no reason not to evaluate
    evaluate(
        config.scenario,
        config.evaluation,
        run.path,
        learned=(LearnedRouter(policy),),
        settings=settings_of(config),
        console=console,
    )
    if refused:
        raise refused


def export(policy: Policy, config: TrainConfig, run: RunFolder, console: Console) -> None:
    """Write the run's `export` folder: what flies, and what the onboard runtime makes of it."""
    from agents.export.folder import export_policy  # takes seconds to import
    from agents.export.provenance import Provenance
    from agents.export.summary import summary

    provenance = Provenance.of(run.path, settings_of(config))
    with console.status("exporting the policy"):
        exported = export_policy(policy, config.scenario, provenance, Path(run.shown) / "export")
    console.print(summary(exported), highlight=False, soft_wrap=True)


def train(
    config: TrainConfig,
    console: Console,
    *,
    on_metrics: Callable[[int, Mapping[str, float]], None] = lambda iteration, metrics: None,
) -> tuple[RunFolder, bool]:
    """Train to the end, or until interrupted: the run, and whether it is complete.

    The folder of a run that was stopped, however that was, holds all that is needed to go on.

    on_metrics is told the metrics of every iteration, once they and its checkpoint are on disk. Raises WorkerLost,
    which names the way to go on, when a process that the run cannot do without has died, and DiskRefuses, which does
    so too, when a file of the run cannot be written.
    """
    # These take seconds to import, so not before the configuration is known to be good.
    from agents.rllib.build import policy_of
    from agents.rllib.metrics import flat_metrics
    from agents.rllib.resume import training_state

    training, scenario, total = config.training, config.scenario, config.algorithm.iterations
    algorithm, validate, run = begin(config, console)
    console.print(f"run folder {run.shown}", soft_wrap=True)

    def save() -> None:
        state = training_state(algorithm, with_replay=training.replay_in_checkpoint)
        save_run(run, state, settings_of(config), scenario.layouts, keep=training.keep_checkpoints)

    done, stop = algorithm.rollout, False
    metrics_file = MetricsFile(run.metrics_file, after=done)
    best = metrics_file.smallest(BEST)
    with (
        closing(open_tracker(config.tracking, run.path, settings_of(config))) as tracker,
        Interruption() as interruption,
        TrainingProgress(console, total, done=done) as progress,
        naming_the_way_back(run),
    ):
        if not run.checkpoints():
            save()  # of iteration 0, so that no moment is too early to be stopped
        while done < total and not stop:
            metrics = flat_metrics(algorithm.train())
            done += 1
            if done % training.validation_every == 0 or done == total:
                policy = policy_of(algorithm, scenario)
                result = validate(LearnedRouter(policy))
                metrics |= {f"validation_{name}": value for name, value in asdict(result).items()}
                if metrics[BEST] < best:
                    best = metrics[BEST]
                    policy.save(run.policy_file)
                    tracker.policy(run.policy_file, done, {BEST: best})
            metrics_file.append(done, metrics)
            tracker.log(done, metrics)
            progress.update(done, metrics)
            stop = interruption.requested
            if stop or done % training.checkpoint_every == 0 or done == total:
                save()
            on_metrics(done, metrics)
    algorithm.stop()
    draw_training_curves(run.metrics_file, run.figures / "training.png")
    return run, done == total


@contextmanager
def naming_the_way_back(run: RunFolder) -> Iterator[None]:
    """Whoever reads that a process was lost, or the disk full, reads also what is left and how to go on."""
    try:
        with naming_what_the_disk_refuses():
            yield
    except (WorkerLost, DiskRefuses) as error:
        kept = run.checkpoints()
        if not kept:
            raise
        way = f"to go on from {kept[-1].name}: python train.py resume={run.shown}"
        raise type(error)(f"{error}; {way}") from error


def begin(config: TrainConfig, console: Console) -> tuple[QMIX, SeveralValidations, RunFolder]:
    """What a run needs: the algorithm, new or as it was when the run to resume was stopped, and the run's folder.

    Nothing is written before everything is built, and nothing long begins before the checkpoint is known to fit.
    """
    from agents.rllib.build import build_qmix, device_of
    from agents.rllib.resume import load_training_state

    training, settings, stopped = config.training, settings_of(config), None
    require_writable(Path(config.resume or config.folder))
    if config.resume is not None:
        stopped = StoppedRun.open(Path(config.resume), say=partial(console.print, soft_wrap=True))
        stopped.require_fit(settings, config.scenario.layouts, MAY_CHANGE, config.algorithm.iterations)
    with console.status("building constellation and networks"):
        algorithm = build_qmix(config.turns, config.algorithm, config.cluster, seed=training.seed)
        if stopped:
            load_training_state(algorithm, stopped.training)
        fleets = tuple(dict.fromkeys(config.turns))
        validate = validation_of(fleets, training.validation_worlds, device_of(algorithm))
        run = (
            stopped.reopen(settings)
            if stopped
            else RunFolder.create(Path(config.folder), config.name, settings)
        )
    return algorithm, validate, run


def settings_of(config: TrainConfig) -> dict[str, Any]:
    """The configuration as plain values, without where it was resumed from."""
    return to_plain(replace(config, resume=None))


def show_convergence(config: TrainConfig, console: Console) -> None:
    """Fig. 6 of BS-MARL, from trainings with the plain trainer: the same weights as under RLlib, and no start-up.

    Trainings that are complete stay in the study's folder; started again, the command goes on with the others.
    """
    study = Path(config.convergence.folder)
    trials = convergence_trials(config.scenario, config.algorithm, config.convergence)
    finished = run_trials(trials, study, config.convergence.options, workers=config.convergence.workers)
    with console.status(f"{len(trials)} trainings of {config.algorithm.iterations} epochs"):
        for done, (trial, outcome) in enumerate(finished, start=1):
            console.print(
                f"{done}/{len(trials)}  {trial.name}, seed {trial.seed}: test delay {outcome.delay_s:.3f} s, "
                f"{outcome.ratio:.3f} of best response, {100 * outcome.delivery:.2f}% delivered",
                highlight=False,
            )
    result = training_result([trial.folder(study) for trial in trials])
    console.print(result.table())
    result.save(study)
    console.print(f"written to {study}")


JOBS: dict[Job, Callable[[TrainConfig, Console], None]] = {
    Job.run: train_and_evaluate,
    Job.convergence: show_convergence,
    Job.search: search,
}
"""What each value of `job` does; `experiment=` sets it."""


if __name__ == "__main__":
    main()
