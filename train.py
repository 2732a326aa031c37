"""Train a routing policy with QMIX under RLlib, then compare it with every other router: `python train.py`."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from agents.evaluation.validation import VALIDATION_SEED, Validation
from agents.policy import Policy
from agents.routers.learned import LearnedRouter
from agents.run.curves import draw_training_curves
from agents.run.folder import RunFolder
from agents.run.interruption import INTERRUPTED, Interruption
from agents.run.metrics_file import MetricsFile
from agents.run.progress import TrainingProgress
from agents.run.resume import StoppedRun, save_run
from agents.run.tracking import open_tracker
from configs.command import command
from configs.convert import to_plain
from configs.schema import TrainConfig
from evaluate import evaluate

if TYPE_CHECKING:
    from agents.rllib import QMIX

RUNS = Path("runs")
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
    console = Console()
    run, complete = train(config, console)
    if not complete:
        console.print(f"interrupted; to go on: python train.py resume={run.shown}", soft_wrap=True)
        sys.exit(INTERRUPTED)
    evaluate(
        config.scenario,
        config.evaluation,
        run.path,
        policy=Policy.load(run.path),
        settings=settings_of(config),
        console=console,
    )


def train(config: TrainConfig, console: Console) -> tuple[RunFolder, bool]:
    """Train to the end, or until interrupted: the run, and whether it is complete.

    The folder of a run that was stopped, however that was, holds all that is needed to go on.
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
            metrics_file.append(done, metrics)
            tracker.log(done, metrics)
            progress.update(done, metrics)
            stop = interruption.requested
            if stop or done % training.checkpoint_every == 0 or done == total:
                save()
    algorithm.stop()
    draw_training_curves(run.metrics_file, run.figures / "training.png")
    return run, done == total


def begin(config: TrainConfig, console: Console) -> tuple[QMIX, Validation, RunFolder]:
    """What a run needs: the algorithm, new or as it was when the run to resume was stopped, and the run's folder.

    Nothing is written before everything is built, and nothing long begins before the checkpoint is known to fit.
    """
    from agents.rllib.build import build_qmix, device_of
    from agents.rllib.resume import load_training_state

    training, scenario, settings, stopped = config.training, config.scenario, settings_of(config), None
    if config.resume is not None:
        stopped = StoppedRun.open(Path(config.resume), say=partial(console.print, soft_wrap=True))
        stopped.require_fit(settings, scenario.layouts, MAY_CHANGE, config.algorithm.iterations)
    with console.status("building constellation and networks"):
        algorithm = build_qmix(scenario, config.algorithm, config.cluster, seed=training.seed)
        if stopped:
            load_training_state(algorithm, stopped.training)
        ephemeris = scenario.ephemeris("validation").to(device_of(algorithm))
        worlds = scenario.worlds(ephemeris, training.validation_worlds, seed=VALIDATION_SEED)
        validate = Validation(ephemeris, worlds, scenario.environment)
        run = stopped.reopen(settings) if stopped else RunFolder.create(RUNS, config.name, settings)
    return algorithm, validate, run


def settings_of(config: TrainConfig) -> dict[str, Any]:
    """The configuration as plain values, without where it was resumed from."""
    return to_plain(replace(config, resume=None))


if __name__ == "__main__":
    main()
