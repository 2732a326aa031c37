"""Where the metrics and results of a run go besides its own folder.

A tracked run keeps `tracking.json` in its folder: who tracks it and under which id. Whoever has something to add to the
run later, a resumed training or an evaluation, finds the same run by it (`reopen_tracker`).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from agents.run.wandb_tracker import WandbTracker
from envs.config import ConfigError

TRACKING_FILE = "tracking.json"
"""In a run's folder: the service, and what the service needs to find the run again."""

Say = Callable[[str], object]


@dataclass(frozen=True)
class TrackingConfig:
    """An experiment tracker.

    service: `none`, or `wandb`: online where an API key is known, else offline inside the run's folder.
    project: name of the project there.
    """

    service: Literal["none", "wandb"] = "none"
    project: str = "leomix"


class Tracker(Protocol):
    """Receives what becomes known of a run. Trouble with the service never stops the run: it is said once."""

    def log(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Take the metrics of one iteration."""
        ...

    def policy(self, file: Path, iteration: int, metrics: Mapping[str, float]) -> None:
        """Take the best policy so far, found after `iteration`, as the next version of the run's model."""
        ...

    def results(
        self,
        *,
        figures: Mapping[str, Path],
        tables: Mapping[str, list[dict[str, Any]]],
        files: Mapping[str, Path],
        summary: Mapping[str, float],
    ) -> None:
        """Take results by their names: pictures, tables (rows of equal keys), files or folders, and single numbers."""
        ...

    def close(self) -> None:
        """Send what is left and let go."""
        ...


class NoTracker:
    """Tells nobody."""

    def log(self, iteration: int, metrics: Mapping[str, float]) -> None:
        pass

    def policy(self, file: Path, iteration: int, metrics: Mapping[str, float]) -> None:
        pass

    def results(
        self,
        *,
        figures: Mapping[str, Path],
        tables: Mapping[str, list[dict[str, Any]]],
        files: Mapping[str, Path],
        summary: Mapping[str, float],
    ) -> None:
        pass

    def close(self) -> None:
        pass


def _no_tracker(
    run: Path, project: str, settings: Mapping[str, Any] | None, state: Path, say: Say
) -> Tracker:
    return NoTracker()


TRACKERS: dict[str, Callable[[Path, str, Mapping[str, Any] | None, Path, Say], Tracker]] = {
    "none": _no_tracker,
    "wandb": WandbTracker,
}
"""Makers of trackers by the name of their service: (folder of the run, project, settings or None, state file, say)."""


def open_tracker(config: TrackingConfig, run: Path, settings: Mapping[str, Any], say: Say = print) -> Tracker:
    """The tracker of `config` for the run in the folder `run` with the configuration `settings`.

    A run that has been tracked before goes on under its id. `say` is told, in one line, what a person should know.

    Raises ConfigError when the run's tracking.json cannot be read.
    """
    _known(run)
    return TRACKERS[config.service](run, config.project, settings, run / TRACKING_FILE, say)


def reopen_tracker(run: Path, say: Say = print) -> Tracker:
    """The tracker that follows the run in the folder `run`; one that tells nobody where none does.

    Raises ConfigError when the run's tracking.json cannot be read.
    """
    known = _known(run)
    if known is None:
        return NoTracker()
    return TRACKERS[known["service"]](run, known["project"], None, run / TRACKING_FILE, say)


def _known(run: Path) -> dict[str, Any] | None:
    """Who tracks the run in the folder `run` and under which id; None where nobody does."""
    file = run / TRACKING_FILE
    if not file.exists():
        return None
    try:
        known = json.loads(file.read_text())
        if known["service"] not in TRACKERS or not known["project"]:
            raise ValueError(known)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} is damaged: delete it, and a new run begins at the tracker") from error
    return known


def track_results(run: Path, folder: Path, summary: Mapping[str, float], say: Say = print) -> None:
    """Add what was written into `folder` to the tracked run `run`; does nothing for a run that nobody tracks.

    Pictures and CSV tables of `folder`, pictures of the run's `figures/`, HTML reports and the run's `export/`; and the
    JSON file of an experiment, named as its folder, which a later report is made from.
    """
    prefix = "" if folder.resolve() == run.resolve() else f"{folder.name}/"
    pictures = {f"{prefix}{path.stem}": path for path in sorted(folder.glob("*.png"))}
    curves = {f"figures/{path.stem}": path for path in sorted((run / "figures").glob("*.png"))}
    tables = {
        f"{prefix}{path.stem}": _rows(path)
        for path in sorted(folder.glob("*.csv"))
        if path.name != "metrics.csv"
    }
    files = {
        f"{path.stem.removesuffix('report')}-report".strip("-"): path
        for path in sorted(folder.glob("*.html"))
    }
    if (folder / f"{folder.name}.json").is_file():
        files[f"{folder.name}-results"] = folder / f"{folder.name}.json"
    if (run / "export").is_dir():
        files["export"] = run / "export"
    with closing(reopen_tracker(run, say)) as tracker:
        tracker.results(figures=pictures | curves, tables=tables, files=files, summary=summary)


def _rows(file: Path) -> list[dict[str, Any]]:
    with open(file, newline="") as content:
        return [{key: _number(value) for key, value in row.items()} for row in csv.DictReader(content)]


def _number(text: str | None) -> float | str | None:
    try:
        return float(text) if text else None
    except ValueError:
        return text
