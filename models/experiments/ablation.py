"""Fig. 11: the progressive gate against its parts and Tabi: accuracy, calibration, early exits, onboard time saved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.experiments.runs import Seeded, final_scores, tasks_of
from models.experiments.table import Row, Table, collect, summaries
from models.methods import Gated, Method, Plan, Tabi
from models.metrics import auroc, brier, expected_calibration_error
from models.record import Record
from models.workload import Workload

SHARES = (0.2, 0.4, 0.6)


def gates_table(runs: Sequence[Seeded], workload: Workload) -> Table:
    """Every method with a confidence at three offloaded shares."""
    rows: list[Row] = []
    for task in tasks_of(runs):
        for number, method in enumerate(runs[0].methods):
            if not isinstance(method, (Gated, Tabi)):
                continue
            for share in SHARES:
                collected: dict[str, list[float]] = {}
                for run in runs:
                    picked = run.rows_of(task)
                    part = run.test.select(picked)
                    plan = run.plan(run.methods[number], picked, share)
                    collect(collected, _judged(run.methods[number], part, plan, workload))
                row: Row = {"task": task.value, "method": method.name, "share": share}
                rows.append(row | summaries(collected))
    note = (
        "ece, brier, auroc: of the last confidence against what it predicts (agreement of the models, for Tabi and the "
        "gain gate the score); early_exit_rate: part of the offloads decided before any token; onboard_s_saved: of a "
        f"whole onboard answer, {workload.onboard.name} ({workload.onboard.source})"
    )
    return Table("fig11", "Fig. 11: the progressive gate against its parts", note, rows)


def _judged(method: Method, part: Record, plan: Plan, workload: Workload) -> dict[str, float]:
    outcome = method.target(part) if isinstance(method, Gated) else part.small_score
    sent = plan.offloaded
    spent, whole = [], []
    for i, (sample, tokens) in enumerate(zip(part.samples, part.tokens.tolist(), strict=True)):
        job = workload.job(i, sample, tokens=tokens, decoded=int(plan.decoded[i]))
        spent.append(job.onboard_s)
        whole.append(workload.onboard_s(sample, tokens))
    return {
        "accuracy": float(final_scores(method, part, plan).mean()),
        "ece": expected_calibration_error(plan.confidence, outcome),
        "brier": brier(plan.confidence, outcome),
        "auroc": auroc(-plan.confidence, outcome < 0.5),
        "early_exit_rate": float((sent & (plan.decoded == 0)).sum() / max(1, sent.sum())),
        "onboard_tokens_saved": float(1 - (plan.decoded / np.maximum(part.tokens, 1)).mean()),
        "onboard_s_saved": float(np.mean(whole) - np.mean(spent)),
    }
