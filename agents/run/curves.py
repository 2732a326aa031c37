"""Training curves, drawn from a run's metrics.csv."""

from __future__ import annotations

from pathlib import Path

from agents.run.metrics_file import ITERATION, read_metrics

PANELS = {
    "return": "return of a training episode",
    "validation_ratio": "validation delay / best response",
    "validation_delivery": "packets delivered (validation)",
    "loss": "loss",
    "epsilon": "exploration rate",
    "decisions_per_s": "decisions per second",
}
"""Metrics drawn, each in a panel of its own: its axis label."""


def draw_training_curves(metrics_file: Path, path: Path) -> None:
    """Write a picture (format by the suffix of `path`) with a panel for each known metric over the iterations."""
    from matplotlib.figure import Figure  # slow to import, and needed only here

    rows = read_metrics(metrics_file)
    panels = {name: label for name, label in PANELS.items() if any(name in row for row in rows)}
    figure = Figure(figsize=(12, 2.8 * ((len(panels) + 2) // 3)), layout="constrained")
    axes = figure.subplots((len(panels) + 2) // 3, 3, sharex=True, squeeze=False).flatten()
    for axis, (name, label) in zip(axes, panels.items(), strict=False):
        points = [(row[ITERATION], row[name]) for row in rows if name in row]
        axis.plot(*zip(*points, strict=True), color="#4477aa", marker="." if len(points) < 30 else None)
        axis.ticklabel_format(
            axis="y", useOffset=False
        )  # a share of 0.9995 reads as such, not as -0.0005 and "+1"
        axis.set_title(label, fontsize=10)
        axis.set_xlabel(ITERATION)
        axis.grid(alpha=0.3)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
