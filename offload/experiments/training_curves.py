"""Fig. 6: how training went, over packet sizes and constellations, from the metrics of real runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from agents.run.metrics_file import ITERATION, read_metrics
from agents.study.seeds import over_seeds
from agents.study.settling import settled_after
from envs.config import ConfigError
from offload.experiments.result import Result, Row

PANELS = {"validation_delay_s": "delay of a packet (validation), s", "return": "return of a training episode"}
"""Metrics shown: their labels."""
SETTLED = 0.02
"""A curve has settled when it stays within this share of its level."""


def training_result(runs: Sequence[Path]) -> Result:
    """Curves of `runs`; those of the same constellation and tasks are averaged, with 95% intervals over seeds.

    runs: folders of runs, or of studies that hold many.
    The last point of every curve is shown with the iteration after which it has settled (agents/study/settling.py).
    Raises ConfigError when a folder holds no run.
    """
    groups: dict[str, list[list[dict[str, float]]]] = {}
    for run in (one for path in runs for one in _runs_in(path)):
        config = yaml.safe_load((run / "config.yaml").read_text())
        groups.setdefault(_label(config), []).append(read_metrics(run / "metrics.csv"))
    rows: list[Row] = []
    for label, metrics in groups.items():
        for name in PANELS:
            by_iteration: dict[int, list[float]] = {}
            for row in (row for run in metrics for row in run if name in row):
                by_iteration.setdefault(int(row[ITERATION]), []).append(row[name])
            for iteration, values in sorted(by_iteration.items()):
                over = over_seeds(values)
                rows.append(
                    {
                        "run": label,
                        "seeds": len(values),
                        "metric": name,
                        "iteration": iteration,
                        "mean": over.mean,
                        "low": over.low,
                        "high": over.high,
                    }
                )
    ends = [_end_of(curve) for curve in _curves(rows)]
    title = f"Fig. 6: training, last iteration; settled: within {SETTLED:.0%} of its level from there on"
    return Result(
        "fig6_training", title, rows, lambda figure: _draw(figure, rows), screen=ends, size=(10, 5.2)
    )


def _runs_in(folder: Path) -> list[Path]:
    """`folder` itself if it is a run's, else the runs below it."""
    runs = sorted(
        file.parent for file in folder.rglob("config.yaml") if (file.parent / "metrics.csv").is_file()
    )
    if not runs:
        raise ConfigError(f"bs_marl.training_runs: {folder} is not the folder of a run, and holds none")
    return [folder] if folder in runs else runs


def _curves(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each curve, in order."""
    curves: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        curves.setdefault((row["run"], row["metric"]), []).append(row)
    return list(curves.values())


def _end_of(curve: Sequence[Row]) -> Row:
    """The last row of a curve for a screen, and when it had settled."""
    epoch = settled_after(
        [row["iteration"] for row in curve], [row["mean"] for row in curve], tolerance=SETTLED
    )
    metric = str(curve[-1]["metric"]).removeprefix("validation_")
    return curve[-1] | {"metric": metric, "settled": "no" if epoch is None else f"after {epoch}"}


def _label(config: dict[str, Any]) -> str:
    task = config["task"]
    low, high = task["data_mbit"]
    return f"{config['constellation']['name']}, {task['n_tasks']} tasks, data {low:g}-{high:g} Mbit"


def _draw(figure: Any, rows: list[Row]) -> None:
    panels = [metric for metric in PANELS if any(row["metric"] == metric for row in rows)]
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, metric in zip(axes, panels, strict=True):
        for number, run in enumerate(dict.fromkeys(row["run"] for row in rows)):
            own = [row for row in rows if row["run"] == run and row["metric"] == metric]
            if not own:
                continue
            k = [int(row["iteration"]) for row in own]
            axis.plot(k, [row["mean"] for row in own], color=f"C{number}", label=run)
            axis.fill_between(
                k, [row["low"] for row in own], [row["high"] for row in own], color=f"C{number}", alpha=0.2
            )
        axis.set_xlabel(ITERATION)
        axis.set_title(PANELS[metric], fontsize=10)
        axis.grid(alpha=0.3)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
