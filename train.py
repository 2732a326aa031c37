"""Train a routing policy with QMIX under RLlib, then compare it with every other router: `python train.py`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console

from agents.evaluation.validation import validation_of
from agents.policy import POLICY_FILE, Policy
from agents.routers.learned import LearnedRouter
from agents.run.curves import draw_training_curves
from agents.run.folder import RunFolder
from agents.run.interruption import INTERRUPTED, Interruption
from agents.run.metrics_file import MetricsFile
from agents.run.progress import TrainingProgress
from agents.run.tracking import open_tracker
from agents.study import convergence_trials, run_trials
from configs.command import command
from configs.convert import to_plain
from configs.schema import Job, TrainConfig
from envs.config import ConfigError
from evaluate import evaluate
from offload.experiments.training_curves import training_result

RUNS = Path("runs")
MAY_CHANGE = ("training", "evaluation", "cluster", "tracking", "algorithm.iterations")
"""What may be set anew when a run is resumed."""
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
    settings = to_plain(replace(config, resume=None))
    policy, refused = Policy.load(run.path), None
    try:
        export(policy, config, run, console)
    except ConfigError as error:
        refused = error  # no reason not to evaluate
    evaluate(
        config.scenario,
        config.evaluation,
        run.path,
        learned=LearnedRouter(policy),
        settings=settings,
        console=console,
    )
    if refused:
        raise refused


def export(policy: Policy, config: TrainConfig, run: RunFolder, console: Console) -> None:
    """Write the run's `export` folder: what flies, and what the onboard runtime makes of it."""
    from agents.export.folder import export_policy  # takes seconds to import
    from agents.export.provenance import Provenance
    from agents.export.summary import summary

    settings = to_plain(replace(config, resume=None))
    with console.status("exporting the policy"):
        exported = export_policy(
            policy, config.scenario, Provenance.of(run.path, settings), Path(run.shown) / "export"
        )
    console.print(summary(exported), highlight=False, soft_wrap=True)


def train(config: TrainConfig, console: Console) -> tuple[RunFolder, bool]:
    """Train to the end, or until interrupted: the run, and whether it is complete.

    The folder of an interrupted run holds all that is needed to go on. Nothing is written before everything is built.
    """
    # These take seconds to import, so not before the configuration is known to be good.
    from agents.rllib.build import build_qmix, device_of, policy_of
    from agents.rllib.metrics import flat_metrics

    training, scenario, total = config.training, config.scenario, config.algorithm.iterations
    with console.status("building constellation and networks"):
        algorithm = build_qmix(config.turns, config.algorithm, config.cluster, seed=training.seed)
        fleets = tuple(dict.fromkeys(config.turns))
        validate = validation_of(fleets, training.validation_worlds, device_of(algorithm))
        run = open_run(config)
        if config.resume:
            algorithm.restore_from_path(run.latest_checkpoint())

    console.print(f"run folder {run.shown}", soft_wrap=True)
    done, stop = algorithm.rollout, False
    metrics_file = MetricsFile(run.metrics_file, after=done)
    best = metrics_file.smallest(BEST) if (run.path / POLICY_FILE).exists() else float("inf")
    with (
        closing(open_tracker(config.tracking, run.path, to_plain(config))) as tracker,
        Interruption() as interruption,
        TrainingProgress(console, total, done=done) as progress,
    ):
        while done < total and not stop:
            metrics = flat_metrics(algorithm.train())
            done += 1
            if done % training.validation_every == 0 or done == total:
                policy = policy_of(algorithm, scenario)
                result = validate(LearnedRouter(policy))
                metrics |= {f"validation_{name}": value for name, value in asdict(result).items()}
                if metrics[BEST] < best:
                    best = metrics[BEST]
                    policy.save(run.path / POLICY_FILE)
                    tracker.policy(run.path / POLICY_FILE, done, {BEST: best})
            metrics_file.append(done, metrics)
            tracker.log(done, metrics)
            progress.update(done, metrics)
            stop = interruption.requested
            if stop or done % training.checkpoint_every == 0 or done == total:
                run.checkpoint(done, algorithm.save_to_path, keep=training.keep_checkpoints)
    algorithm.stop()
    draw_training_curves(run.metrics_file, run.figures / "training.png")
    return run, done == total


def open_run(config: TrainConfig) -> RunFolder:
    """The folder of the run to resume, with its configuration brought up to date, or a new one."""
    settings = to_plain(replace(config, resume=None))
    if config.resume is None:
        return RunFolder.create(RUNS, config.name, settings)
    run = RunFolder.open(Path(config.resume))
    run.latest_checkpoint()  # raises where there is none, before anything changes
    run.write_config(settings)
    return run


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
}
"""What each value of `job` does; `experiment=` sets it."""


if __name__ == "__main__":
    main()
