"""Fig. 9: latency and accuracy of every method, on the paper's devices, on this machine, through contact windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.compressors import Compressor, NoCompression
from models.delivery import Delivery
from models.experiments.config import SpaceVerseConfig
from models.experiments.runs import Seeded, final_scores, tasks_of
from models.experiments.table import Row, Table, collect, summaries
from models.link import Downlink
from models.methods import Method, Plan
from models.record import Record
from models.sample import Task
from models.workload import Workload, latency_row

DAY_S = 24 * 3600.0
SHOWN = (
    *("task", "method", "accuracy", "offloaded", "decided_before_decoding"),
    *("latency_mean_s", "latency_p50_s", "latency_p95_s"),
)


def latency_of(
    workload: Workload, method: Method, plan: Plan, test: Record, coded_bytes: np.ndarray
) -> dict[str, float]:
    """Follow every sample of a plan through time. coded_bytes [n]: of the sample if it is offloaded."""
    jobs = [
        workload.job(
            i,
            sample,
            tokens=tokens,
            decoded=int(plan.decoded[i]),
            looked=plan.looked,
            gates=int(plan.gates[i]),
            compressed=bool(plan.offloaded[i]) and method.compresses,
            coded_bytes=float(coded_bytes[i]) if plan.offloaded[i] else None,
            token_share=method.pruned_share,
        )
        for i, (sample, tokens) in enumerate(zip(test.samples, test.tokens.tolist(), strict=True))
    ]
    return latency_row(workload.run(jobs))


def methods_tables(
    runs: Sequence[Seeded],
    delivery: Delivery,
    config: SpaceVerseConfig,
    workload: Workload,
    compressors: dict[Task, Sequence[Compressor]],
    downlinks: tuple[Downlink, ...],
    here: Workload | None,
) -> list[Table]:
    """Fig. 9 at one offloaded share: in permanent contact, through `downlinks` all day, and as measured `here`.

    compressors  per task one for every seed
    here         processors measured on this machine; None: `workload` is that already
    """
    spread = DAY_S * config.satellites / config.checked_samples
    timings = {"fig9": workload, "fig9_contact": replace(workload, interval_s=spread, downlinks=downlinks)}
    if here is not None:
        timings["fig9_here"] = here
    rows: dict[str, list[Row]] = {name: [] for name in timings}
    for task in tasks_of(runs):
        collected: list[dict[str, dict[str, list[float]]]] = [
            {name: {} for name in timings} for _ in runs[0].methods
        ]
        for run, compressor in zip(runs, compressors[task], strict=True):
            picked = run.rows_of(task)[: config.checked_samples]
            part = run.test.select(picked)
            lossless = delivery.judge(NoCompression(), run.test, picked)
            arrived = delivery.judge(compressor, run.test, picked)
            for number, method in enumerate(run.methods):
                plan = run.plan(method, picked, config.share)
                seen = replace(part, large_score=arrived.scores) if method.compresses else part
                sizes = (arrived if method.compresses else lossless).sizes
                early = plan.offloaded & (plan.decoded == 0) if plan.looked else np.zeros(len(part), bool)
                values = {
                    "accuracy": float(final_scores(method, seen, plan).mean()),
                    "offloaded": float(plan.offloaded.mean()),
                    "decided_before_decoding": float(early.sum() / max(1, plan.offloaded.sum())),
                    "coded_bytes": float(sizes.mean()),
                }
                for name, timing in timings.items():
                    collect(collected[number][name], values | latency_of(timing, method, plan, part, sizes))
        for number, method in enumerate(runs[0].methods):
            for name in timings:
                row: Row = {"task": task.value, "method": method.name}
                rows[name].append(row | summaries(collected[number][name]))
    share = f"at an offloaded share of {config.share:.0%}"
    note = (
        f"accuracy: measured; seconds: {workload.onboard.name} ({workload.onboard.source}), {workload.ground.name} "
        + (f"({workload.ground.source})")
    )
    if not workload.own_frames:
        note += "; frames of RSVQA-LR, RESISC45 and DOTA size, coded bits per pixel as measured"
    titles = {
        "fig9": (f"Fig. 9: latency and accuracy {share}, in contact", note),
        "fig9_contact": (f"Latency {share}, through the contact windows of one station", note),
        "fig9_here": (
            f"Latency and accuracy {share}, in contact, both models on this machine",
            "seconds: measured on this machine with the samples' own sizes; link at 110.67 Mb/s",
        ),
    }
    return [Table(name, *titles[name], found, SHOWN) for name, found in rows.items()]


def headline_table(fig9: Table) -> Table:
    """The paper's two headline numbers, computed as it describes them: against the mean of the other methods."""
    others = ("satellite only", "ground only", "Tabi", "AI-RG")
    rows: list[Row] = []
    for task in dict.fromkeys(str(row["task"]) for row in fig9.rows):
        values = {
            str(row["method"]): (float(str(row["accuracy"])), float(str(row["latency_mean_s"])))
            for row in fig9.rows
            if row["task"] == task
        }
        accuracy, latency = values["SpaceVerse"]
        their_accuracy, their_latency = np.mean([values[name] for name in others], axis=0)
        rows.append(
            {
                "task": task,
                "accuracy_gain": float(accuracy / their_accuracy - 1),
                "latency_reduction": float(1 - latency / their_latency),
                "accuracy_gain_over_Tabi": accuracy / values["Tabi"][0] - 1,
                "latency_reduction_to_Tabi": 1 - latency / values["Tabi"][1],
            }
        )
    columns = [column for column in rows[0] if column != "task"]
    mean: Row = {name: float(np.mean([float(str(row[name])) for row in rows])) for name in columns}
    rows.append({"task": "mean"} | mean)
    rows.append({"task": "paper (Qwen2-VL, real data)", "accuracy_gain": 0.312, "latency_reduction": 0.512})
    note = "relative to the mean of satellite only, ground only, Tabi and AI-RG; the last row is the paper's claim"
    return Table("headline", "Accuracy gain and latency reduction", note, rows)
