"""Fig. 10: accuracy over the offloaded share, with random and oracle curves, and the areas under the curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.experiments.runs import Seeded, final_scores, tasks_of
from models.experiments.table import Row, Table, summary
from models.methods import Method
from models.metrics import apgr, audc, deferral_curve, oracle_area, random_area

SHARES = np.linspace(0.0, 1.0, 11)
FIXED = ("satellite only", "ground only")


def deferral(run: Seeded, method: Method, rows: np.ndarray) -> np.ndarray:
    """Accuracy at every share of SHARES on uncompressed images."""
    part = run.test.select(rows)
    return np.array(
        [final_scores(method, part, run.plan(method, rows, float(share))).mean() for share in SHARES]
    )


def volume_tables(runs: Sequence[Seeded]) -> list[Table]:
    """The curves, and their areas: per task, and averaged over the tasks seed by seed."""
    names = [method.name for method in runs[0].methods if method.name not in FIXED]
    tasks = tasks_of(runs)
    curve_rows: list[Row] = []
    area_rows: list[Row] = []
    everywhere: dict[str, np.ndarray] = {}  # method -> areas [tasks, seeds]
    for task in tasks:
        curves: dict[str, list[np.ndarray]] = {name: [] for name in (*names, "random", "oracle")}
        areas: dict[str, list[float]] = {name: [] for name in curves}
        ends: list[tuple[float, float]] = []
        for run in runs:
            rows = run.rows_of(task)
            part = run.test.select(rows)
            small, large = part.small_score, part.large_score
            ends.append((float(small.mean()), float(large.mean())))
            for method in run.methods:
                if method.name in curves:
                    curves[method.name].append(deferral(run, method, rows))
                    areas[method.name].append(audc(SHARES, curves[method.name][-1]))
            curves["random"].append(small.mean() + SHARES * (large.mean() - small.mean()))
            areas["random"].append(random_area(small, large))
            best = deferral_curve(np.argsort(-(large - small), kind="stable"), small, large)
            curves["oracle"].append(np.interp(SHARES, np.linspace(0, 1, len(best)), best))
            areas["oracle"].append(oracle_area(small, large))
        for name, found in curves.items():
            for index, share in enumerate(SHARES):
                row: Row = {"task": task.value, "method": name, "share": float(share)}
                curve_rows.append(row | summary([float(curve[index]) for curve in found], "accuracy"))
            gaps = [apgr(area, *end) for area, end in zip(areas[name], ends, strict=True)]
            area_rows.append(_area_row(task.value, name, areas, summary(gaps, "apgr")))
            everywhere[name] = np.array([*everywhere.get(name, []), areas[name]])
    if len(tasks) > 1:
        means = {name: list(found.mean(0)) for name, found in everywhere.items()}
        area_rows += [_area_row("mean", name, means, {}) for name in means]
    note = "uncompressed images; audc_over_tabi: difference to Tabi on the same samples, seed by seed"
    return [
        Table("fig10", "Fig. 10: accuracy over the offloaded share", note, curve_rows, on_screen=False),
        Table("fig10_areas", "Area under the deferral curve and recovered performance gap", note, area_rows),
    ]


def _area_row(task: str, name: str, areas: dict[str, list[float]], gaps: Row) -> Row:
    over = [area - tabi for area, tabi in zip(areas[name], areas["Tabi"], strict=True)]
    return {
        "task": task,
        "method": name,
        **summary(areas[name], "audc"),
        **gaps,
        **summary(over, "audc_over_tabi"),
    }
