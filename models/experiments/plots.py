"""The figures of the evaluation, one panel per task, as PNG and SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from models.experiments.table import Row, Table, number

Draw = Callable[[Any, list[Row]], None]
"""Draws the rows of one task into a panel."""

COLOURS = {
    "satellite only": "#7f7f7f",
    "ground only": "#000000",
    "Tabi": "#e69f00",
    "AI-RG": "#56b4e9",
    "g only": "#8fbc8f",
    "g' only": "#009e73",
    "SpaceVerse": "#d55e00",
    "SpaceVerse, gain": "#cc79a7",
    "random": "#bbbbbb",
    "oracle": "#333333",
    "resize": "#7f7f7f",
    "jpeg": "#56b4e9",
    "webp": "#0072b2",
    "random mask": "#bbbbbb",
    "attention only": "#009e73",
    "spaceverse": "#d55e00",
    "ideal": "#000000",
    "small": "#56b4e9",
    "large": "#d55e00",
}
PARTS = {  # of a latency: label and colour, from the satellite to the ground
    "wait_onboard_s": ("wait on board", "#dddddd"),
    "vision_s": ("vision", "#56b4e9"),
    "gate_s": ("gate", "#000000"),
    "prefill_s": ("prefill", "#0072b2"),
    "decode_s": ("decode", "#004470"),
    "compress_s": ("compress", "#009e73"),
    "wait_link_s": ("wait for link", "#f5e08a"),
    "link_s": ("link", "#e69f00"),
    "wait_ground_s": ("wait on the ground", "#eab8a5"),
    "ground_s": ("ground model", "#d55e00"),
}
LOG_TICKS = [a * 10**k for k in range(1, 8) for a in (1, 2.5, 5)]
GROUPED = {"random": "masked at random", "ideal": "only what matters"}


def write_plots(tables: Sequence[Table], folder: Path) -> list[Path]:
    """Draw every table that has a figure into <name>.png and <name>.svg."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table in tables:
        tasks = list(dict.fromkeys(str(row.get("task", "")) for row in table.rows))
        for name, draw in DRAWN.get(table.name, {}).items():
            figure = Figure(figsize=(4.0 * len(tasks) + 1.6, 3.9), layout="constrained")
            panels = figure.subplots(1, len(tasks), squeeze=False)[0]
            for panel, task in zip(panels, tasks, strict=True):
                draw(panel, [row for row in table.rows if str(row.get("task", "")) == task])
                panel.set_title(task, fontsize=10)
                _tidy(panel)
                panel.grid(alpha=0.25, linewidth=0.5)
                panel.set_axisbelow(True)
                panel.spines[["top", "right"]].set_visible(False)
            figure.suptitle(table.title, fontsize=11)
            handles, labels = panels[0].get_legend_handles_labels()
            if labels:
                figure.legend(handles, labels, loc="outside right center", fontsize=8, frameon=False)
            for kind in ("png", "svg"):
                path = folder / f"{name}.{kind}"
                figure.savefig(path, dpi=130)
                written.append(path)
    return written


def _tidy(panel: Any) -> None:
    """Accuracies lie in 0..1, however wide an interval is; a logarithmic axis gets readable numbers."""
    if panel.get_ylabel() == "accuracy":
        low, high = panel.get_ylim()
        panel.set_ylim(max(low, 0.0), min(high, 1.02))
    if panel.get_xscale() == "log":
        low, high = panel.get_xlim()
        panel.set_xticks([tick for tick in LOG_TICKS if low <= tick <= high])
        panel.xaxis.set_major_formatter("{x:g}")
        panel.xaxis.set_minor_formatter("")


def half(row: Row, column: str) -> float:
    """Half of the 95% interval; 0 where there is none."""
    value = row.get(f"{column}_ci95")
    return value if isinstance(value, float) and value == value else 0.0


def _lines(
    x: str, y: str, group: str, *, labels: tuple[str, str], log: bool = False, bars_every: int = 1
) -> Draw:
    """A line with error bars per value of `group`.

    bars_every: only every so many points have a bar, by turns, where many lines have points at the same x.
    """

    def draw(panel: Any, rows: list[Row]) -> None:
        names = list(dict.fromkeys(str(row[group]) for row in rows))
        for place, name in enumerate(names):
            mine = sorted((row for row in rows if row[group] == name), key=lambda row: number(row, x))
            panel.errorbar(
                [number(row, x) for row in mine],
                [number(row, y) for row in mine],
                yerr=[half(row, y) for row in mine],
                errorevery=(place % bars_every, bars_every),
                label=GROUPED.get(name, name) if group in ("mask", "compressor") else name,
                color=COLOURS.get(name),
                marker="o" if len(mine) < 8 else None,
                markersize=4,
                linewidth=2.0 if name.lower().startswith("spaceverse") else 1.2,
                linestyle="--" if name in ("random", "oracle") and len(mine) > 8 else "-",
                capsize=2,
                elinewidth=0.7,
            )
        panel.set_xlabel(labels[0])
        panel.set_ylabel(labels[1])
        if log:
            panel.set_xscale("log")

    return draw


def _scatter(
    x: str,
    y: str,
    *,
    labels: tuple[str, str],
    chosen: Callable[[Row], bool] = lambda row: True,
    times: float = 1.0,
) -> Draw:
    """A point with both error bars per method; times: factor of x, for its unit."""

    def draw(panel: Any, rows: list[Row]) -> None:
        for row in rows:
            if chosen(row):
                name = str(row["method"])
                panel.errorbar(
                    times * number(row, x),
                    number(row, y),
                    xerr=times * half(row, x),
                    yerr=half(row, y),
                    label=name,
                    color=COLOURS.get(name),
                    marker="*" if name.startswith("SpaceVerse") else "o",
                    markersize={"SpaceVerse": 13, "SpaceVerse, gain": 8}.get(name, 6),  # often at one place
                    capsize=2,
                    elinewidth=0.7,
                    linestyle="none",
                )
        panel.set_xlabel(labels[0])
        panel.set_ylabel(labels[1])

    return draw


def _stacked(panel: Any, rows: list[Row]) -> None:
    """The parts of each method's mean latency, one bar a method."""
    names = [str(row["method"]) for row in rows]
    start = [0.0] * len(rows)
    for part, (label, colour) in PARTS.items():
        widths = [number(row, part) for row in rows]
        panel.barh(names, widths, left=start, label=label, color=colour, height=0.7)
        start = [a + b for a, b in zip(start, widths, strict=True)]
    panel.invert_yaxis()
    panel.set_xlabel("mean seconds a sample")


def _bars(panel: Any, rows: list[Row]) -> None:
    for row in rows:
        name = str(row["model"])
        panel.bar(
            f"{name}\n(timed as {row['timed_as']},\n{number(row, 'weights_gb'):.1f} GB)"
            if "weights_gb" in row
            else name,
            number(row, "accuracy"),
            yerr=half(row, "accuracy"),
            color=COLOURS[name],
            capsize=3,
            width=0.6,
        )
    panel.set_ylim(0, 1)
    panel.set_ylabel("accuracy")


def _ground_only(panel: Any, rows: list[Row]) -> None:
    row = rows[0]
    panel.bar(
        "on board", number(row, "onboard_s"), color=PARTS["vision_s"][1], label="small model", width=0.6
    )
    panel.bar(
        "on the ground",
        number(row, "raw_link_s"),
        color=PARTS["link_s"][1],
        label="link, raw frame",
        width=0.6,
    )
    panel.bar(
        "on the ground",
        number(row, "ground_s"),
        bottom=number(row, "raw_link_s"),
        color=PARTS["ground_s"][1],
        label="large model",
        width=0.6,
    )
    panel.set_ylabel("seconds a sample")


def _contact(panel: Any, rows: list[Row]) -> None:
    altitude = [number(row, "altitude_km") for row in rows]
    for column, label in (
        ("pass_over_period", "mean pass / orbital period"),
        ("share_of_time", "share of all time"),
    ):
        panel.plot(
            altitude, [100 * number(row, column) for row in rows], marker="o", markersize=4, label=label
        )
    panel.set_xlabel("altitude, km")
    panel.set_ylabel("share, %")
    panel.set_ylim(bottom=0)


SECONDS = ("mean latency, s", "accuracy")
DRAWN: dict[str, dict[str, Draw]] = {
    "fig2": {"fig2": _bars},
    "fig3": {
        "fig3": _lines("masked_share", "accuracy", "mask", labels=("share of the image masked", "accuracy"))
    },
    "fig4_contact": {"fig4_contact": _contact},
    "fig4": {"fig4": _ground_only},
    "fig9": {"fig9": _scatter("latency_mean_s", "accuracy", labels=SECONDS), "fig9_parts": _stacked},
    "fig9_here": {
        "fig9_here": _scatter(
            "latency_mean_s", "accuracy", labels=("mean latency, ms", "accuracy"), times=1e3
        )
    },
    "fig10": {
        "fig10": _lines("share", "accuracy", "method", labels=("offloaded share", "accuracy"), bars_every=4)
    },
    "fig11": {
        "fig11": _scatter(
            "onboard_s_saved",
            "accuracy",
            labels=("onboard seconds saved a sample, 40% offloaded", "accuracy"),
            chosen=lambda row: row["share"] == 0.4,
        )
    },
    "fig12": {
        "fig12": _lines(
            "coded_bytes", "accuracy", "compressor", labels=("coded bytes a sample", "accuracy"), log=True
        )
    },
}
"""Table -> figure -> how one task of it is drawn."""
