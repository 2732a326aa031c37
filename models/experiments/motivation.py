"""Figs. 2 to 4: what the two models are worth, how redundant images are, and what contact with the ground costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.compressors import Compressor, IdealMask, RandomMask
from models.delivery import Delivery
from models.experiments.runs import Seeded, tasks_of
from models.experiments.table import Row, Table, summary
from models.link import EARTH_MU_KM3_S2, EARTH_RADIUS_KM, GroundStation, contact_windows, shell_satellites
from models.timing import RooflineTiming
from models.workload import Workload

ALTITUDES_KM = (400.0, 570.0, 800.0, 1000.0, 1200.0)
MASKED_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8)
HOURS = 72.0


def models_table(runs: Sequence[Seeded], workload: Workload) -> Table:
    """Fig. 2: accuracy and memory of the small and the large model."""
    rows: list[Row] = []
    for task in tasks_of(runs):
        for role, attribute, timing in (
            ("small", "small_score", workload.onboard),
            ("large", "large_score", workload.ground),
        ):
            values = [float(getattr(run.test.of_task(task), attribute).mean()) for run in runs]
            row: Row = {"task": task.value, "model": role, **summary(values, "accuracy")}
            if isinstance(timing, RooflineTiming):
                row |= {"timed_as": timing.model.name, "weights_gb": timing.model.memory_gb}
            rows.append(row)
    note = "accuracy: measured on these samples; weights_gb: of the models whose times are estimated, half precision"
    return Table("fig2", "Fig. 2: accuracy and memory of the small and the large model", note, rows)


def redundancy_table(runs: Sequence[Seeded], delivery: Delivery, samples_per_task: int) -> Table:
    """Fig. 3: accuracy of the ground model when regions are masked at random, and when only what matters is kept."""
    rows: list[Row] = []
    for task in tasks_of(runs):
        kinds: list[tuple[str, float, Compressor]] = [
            ("random", share, RandomMask(keep=1 - share)) for share in MASKED_SHARES
        ]
        if all(delivery.knows_truth(run.test, run.rows_of(task)[:samples_per_task]) for run in runs):
            kinds.append(("ideal", float("nan"), IdealMask()))
        for kind, share, compressor in kinds:
            scores, masked = [], []
            for run in runs:
                picked = run.rows_of(task)[:samples_per_task]
                arrived = delivery.judge(compressor, run.test, picked)
                scores.append(float(arrived.scores.mean()))
                masked.append(float(arrived.black.mean()))
            shown = share if kind == "random" else float(np.mean(masked))
            rows.append(
                {"task": task.value, "mask": kind, "masked_share": shown, **summary(scores, "accuracy")}
            )
    return Table(
        "fig3",
        "Fig. 3: masking regions of the image",
        "accuracy of the large model, masked regions black",
        rows,
    )


def contact_table(station: GroundStation) -> Table:
    """Fig. 4(a): share of time in contact by altitude of a circular orbit."""
    rows: list[Row] = []
    for altitude in ALTITUDES_KM:
        windows = contact_windows(shell_satellites(1, altitude_km=altitude)[0], station, HOURS)
        lengths = windows[:, 1] - windows[:, 0]
        period = 2 * np.pi * np.sqrt((EARTH_RADIUS_KM + altitude) ** 3 / EARTH_MU_KM3_S2)
        mean = float(lengths.mean()) if len(lengths) else 0.0
        rows.append(
            {
                "altitude_km": altitude,
                "mean_pass_s": mean,
                "pass_over_period": mean / period,
                "share_of_time": float(lengths.sum() / (HOURS * 3600)),
            }
        )
    note = f"simulated circular orbits over {HOURS:.0f} h, elevation above {station.mask_deg:g} degrees"
    return Table("fig4_contact", "Fig. 4(a): contact with one ground station", note, rows)


def ground_only_table(runs: Sequence[Seeded], workload: Workload) -> Table:
    """Fig. 4(b): where the time of an answer from the ground goes when raw frames are sent in contact."""
    rows: list[Row] = []
    for task in tasks_of(runs):
        part = runs[0].test.of_task(task)
        pairs = list(zip(part.samples, part.tokens.tolist(), strict=True))
        link = float(np.mean([workload.raw_link_s(sample) for sample in part.samples]))
        ground = float(np.mean([workload.ground_s(sample, tokens) for sample, tokens in pairs]))
        rows.append(
            {
                "task": task.value,
                "raw_link_s": link,
                "ground_s": ground,
                "link_share": link / (link + ground),
                "onboard_s": float(np.mean([workload.onboard_s(sample, tokens) for sample, tokens in pairs])),
            }
        )
    note = (
        f"raw RGB frames at 110.67 Mb/s; {workload.ground.name} ({workload.ground.source}), "
        f"{workload.onboard.name} ({workload.onboard.source})"
    )
    return Table("fig4", "Fig. 4(b): what an answer from the ground costs in contact", note, rows)
