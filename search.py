"""The search for better settings that `python train.py experiment=search` makes: its folder, its trials, its table.

<folder>/config.yaml          the configuration of all trials
         space.yaml           what was searched
         trials/<run folder>  every trial, a run like any other; its screen is beside it, trial-000.log
         ended.json           the trials that are not repeated when the search is resumed
         results.csv          a row a trial, the best first
         best                 the run folder of the best trial
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from rich import box
from rich.console import Console
from rich.table import Table

from agents.run.durable import write_durably
from agents.run.folder import RunFolder, point_to
from agents.run.interruption import INTERRUPTED
from agents.run.metrics_file import ITERATION, read_metrics
from agents.search import METRIC, SearchConfig
from configs.convert import to_plain
from configs.schema import Job, TrainConfig
from configs.space import changed, load_space, space_file

TRIALS, ENDED, RESULTS, SPACE, BEST = "trials", "ended.json", "results.csv", "space.yaml", "best"


@dataclass(frozen=True)
class Row:
    """What became of a trial: its best validation ratio, None before the first; how it ended."""

    trial: str
    best: float | None
    iterations: int
    ended: str
    settings: dict[str, Any]
    folder: str


def search(config: TrainConfig, console: Console) -> None:
    """Train the trials of the space, or those that are left of a search to resume, and say which was best.

    Raises ConfigError for an impossible space before anything starts.
    """
    space = load_space(config)
    trials = space.draw(config.search.trials, config.training.seed)
    from agents.rllib.search import run_search  # takes seconds to import

    folder = _folder(config)
    console.print(f"{len(trials)} trials in {folder.shown}", soft_wrap=True)
    ended = _read_ended(folder)
    runs = str((folder.path / TRIALS).resolve())
    everyone = replace(config, job=Job.run, resume=None, search=SearchConfig(), folder=runs)

    def on_end(name: str, error: str | None) -> None:
        ended[name] = error
        write_durably(folder.path / ENDED, json.dumps(ended, indent=2).encode())
        row = _row(folder, name, trials[name], ended, config.algorithm.iterations)
        shown = "no result" if row.best is None else f"{row.best:.4f} times best response"
        console.print(
            f"{len(ended)}/{len(trials)}  {name}: {shown}, {row.ended}", highlight=False, soft_wrap=True
        )

    with console.status("training"):
        complete = run_search(
            trials,
            partial(_train_trial, to_plain(everyone), frozenset(n for n, e in ended.items() if e is None)),
            folder.path,
            early_stop=space.early_stop,
            iterations=config.algorithm.iterations,
            validation_every=config.training.validation_every,
            concurrent=config.search.concurrent,
            cluster=config.cluster,
            on_end=on_end,
        )
    rows = [
        _row(folder, name, settings, ended, config.algorithm.iterations) for name, settings in trials.items()
    ]
    rows.sort(key=lambda row: float("inf") if row.best is None else row.best)
    _write(folder.path / RESULTS, rows)
    if not complete:
        console.print(f"interrupted; to go on: python train.py resume={folder.shown}", soft_wrap=True)
        sys.exit(INTERRUPTED)
    console.print(_table(rows))
    if rows[0].best is None:
        raise RuntimeError(f"no trial came as far as a validation; the first one: {rows[0].ended}")
    point_to(folder.path / BEST, f"{TRIALS}/{rows[0].folder}")
    console.print(
        f"the best is {folder.shown}/{BEST}: python evaluate.py policy={folder.shown}/{BEST}", soft_wrap=True
    )


def _folder(config: TrainConfig) -> RunFolder:
    """Of the search to resume, or a new one with a copy of its space, which may change elsewhere meanwhile."""
    if config.resume is not None:
        return RunFolder.open(Path(config.resume))
    space = space_file(config.search.space).read_text()
    folder = RunFolder.create(Path(config.folder), config.name, to_plain(config))
    (folder.path / SPACE).write_text(space)
    copied = replace(config, search=replace(config.search, space=str(folder.path / SPACE)))
    folder.write_config(to_plain(copied))
    (folder.path / TRIALS).mkdir()
    return folder


def _read_ended(folder: RunFolder) -> dict[str, str | None]:
    """The trials that ended well; those that failed are tried again."""
    file = folder.path / ENDED
    ended = json.loads(file.read_text()) if file.exists() else {}
    return {name: error for name, error in ended.items() if error is None}


def _train_trial(
    everyone: Mapping[str, Any],
    ended: frozenset[str],
    name: str,
    settings: Mapping[str, Any],
    report: Callable[[int, Mapping[str, float]], None],
) -> None:
    """Runs in the trial's own process: begin its run, or report what it has reported before and go on."""
    from train import train  # which imports this module

    config = replace(changed(everyone, settings), name=name)
    run = _run_of(Path(config.folder), name)
    if run is not None:
        rows = read_metrics(run.metrics_file) if run.metrics_file.exists() else []
        last = _last_checkpoint(run)
        if name not in ended and last == 0:
            shutil.rmtree(run.path)
        else:
            for row in rows:
                if name in ended or row[ITERATION] <= last:
                    report(int(row[ITERATION]), row)
            config = replace(config, resume=str(run.path))
        if name in ended or last >= config.algorithm.iterations:
            return
    with open(Path(config.folder) / f"{name}.log", "a") as screen:
        train(config, Console(file=screen, width=120), on_metrics=report)


def _run_of(trials: Path, name: str) -> RunFolder | None:
    """The run folder of the trial `name`; None before it began."""
    found = sorted(path for path in trials.glob(f"*-{name}") if path.is_dir())
    return RunFolder(found[-1]) if found else None


def _last_checkpoint(run: RunFolder) -> int:
    """The iteration that its newest checkpoint was written after; 0 without one."""
    checkpoints = run.checkpoints()
    return int(checkpoints[-1].name) if checkpoints else 0


def _row(
    folder: RunFolder,
    name: str,
    settings: Mapping[str, Any],
    ended: Mapping[str, str | None],
    iterations: int,
) -> Row:
    run = _run_of(folder.path / TRIALS, name)
    rows = read_metrics(run.metrics_file) if run is not None and run.metrics_file.exists() else []
    done = int(rows[-1][ITERATION]) if rows else 0
    fate = "complete" if done >= iterations else "stopped early"
    if name not in ended:
        fate = "not finished"
    elif ended[name] is not None:
        fate = f"failed: {ended[name]}"
    best = min((row[METRIC] for row in rows if METRIC in row), default=None)
    return Row(name, best, done, fate, dict(settings), run.path.name if run else "")


def _write(path: Path, rows: list[Row]) -> None:
    with open(path, "w", newline="") as file:
        fields = ["trial", METRIC, "iterations", "ended", "folder", *rows[0].settings]
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        for row in rows:
            plain = asdict(row)
            settings = plain.pop("settings")
            writer.writerow({METRIC: plain.pop("best"), **plain, **settings})


def _table(rows: list[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, title=f"{METRIC}, the best first")
    for column in ("trial", "ratio", "iterations", "ended", "settings"):
        table.add_column(column)
    for row in rows:
        settings = yaml.safe_dump(row.settings, sort_keys=False).strip()
        best = "-" if row.best is None else f"{row.best:.4f}"
        table.add_row(row.trial, best, str(row.iterations), row.ended, settings)
    return table
