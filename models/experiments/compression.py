"""Fig. 12: accuracy over coded bytes for every compressor, BD-rates, and the compression chosen for a target loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.codec import Codec
from models.compression_choice import Choice, choose_per_task, relative_loss
from models.compressors import (
    LOSSY,
    AttentionMask,
    Compressor,
    IdealMask,
    JpegQuality,
    NoCompression,
    RandomMask,
    SpaceVerseCompressor,
    UniformResize,
)
from models.delivery import Delivery
from models.experiments.config import SpaceVerseConfig
from models.experiments.runs import Seeded, tasks_of
from models.experiments.table import Row, Table, collect, summaries, summary
from models.metrics import bd_rate
from models.sample import Task
from models.thresholds import would_send

KEPT_SHARES = (1.0, 0.7, 0.45, 0.25, 0.12)
LEVELS = (
    (0.0, 0.0, 85),
    (0.35, 0.55, 85),
    (0.35, 0.55, 50),
    (0.35, 0.55, 30),
    (0.55, 0.7, 25),
    (0.72, 0.85, 18),
)

FAMILIES: dict[str, list[Compressor]] = {
    "resize": [UniformResize(scale) for scale in (1.0, 0.75, 0.5, 0.35, 0.25)],
    "jpeg": [JpegQuality(quality) for quality in (85, 50, 20, 8, 3)],
    "webp": [UniformResize(1.0, Codec(LOSSY.format, quality)) for quality in (85, 60, 35, 18, 6)],
    "random mask": [RandomMask(keep) for keep in KEPT_SHARES],
    "attention only": [AttentionMask(keep) for keep in KEPT_SHARES],
    "spaceverse": [
        SpaceVerseCompressor(alpha, beta, codec=Codec(LOSSY.format, quality))
        for alpha, beta, quality in LEVELS
    ],
    "ideal": [IdealMask()],
}
"""Compressor -> its settings from gentle to hard. All that cut regions share one grid and one codec."""

FOUR_TO_ONE = SpaceVerseCompressor(codec=Codec(LOSSY.format, 55))
"""The paper's thresholds at the quality that sends a quarter of what the whole image takes in the same codec at 85."""

SHOWN = (
    "task",
    "compressor",
    "level",
    "ratio_to_lossless",
    "ratio_to_same_codec",
    "accuracy",
    "relative_change",
)


def choose_for_seeds(
    runs: Sequence[Seeded], delivery: Delivery, config: SpaceVerseConfig
) -> dict[Task, list[Choice]]:
    """Per task and seed the compression for a target loss, chosen on those of the seed's training samples that the
    gate of eq. (1) would send at the configured share of every task."""
    found = []
    for run in runs:
        gate = run.spaceverse()
        confidence = gate.training_confidences()
        sent = np.zeros(len(run.train), bool)
        for task in tasks_of(runs):
            rows = run.train.rows_of(task)
            sent[rows] = would_send(confidence[rows], config.share, gate.early)
        found.append(choose_per_task(run.train, delivery.judge, config.target_loss, sent, confidence[:, -1]))
    return {task: [choices[task] for choices in found] for task in tasks_of(runs)}


def _judge_whole_images(
    runs: Sequence[Seeded], delivery: Delivery, samples_per_task: int, checked_samples: int
) -> None:
    """Judge compressors that read no prompt on all tasks at once: prompts about one image share its bytes."""
    blind = [one for family in FAMILIES.values() for one in family if one.image_alone]
    for run in runs:

        def first(number: int, run: Seeded = run) -> np.ndarray:
            """The first rows of every task, samples of one scene side by side."""
            return np.sort(np.concatenate([run.rows_of(task)[:number] for task in tasks_of(runs)]))

        for compressor in blind:
            delivery.judge(compressor, run.test, first(samples_per_task))
        for compressor in REFERENCES:
            delivery.judge(compressor, run.test, first(checked_samples))


REFERENCES = (NoCompression(), UniformResize(1.0))
"""What bytes are compared with: no loss, and the whole image in the codec of the regions."""


def _judged(delivery: Delivery, compressor: Compressor, run: Seeded, rows: np.ndarray) -> dict[str, float]:
    """Bytes, ratios and scores of a compressor on some test samples of a run."""
    lossless, same_codec = (delivery.judge(one, run.test, rows).sizes.mean() for one in REFERENCES)
    arrived = delivery.judge(compressor, run.test, rows)
    size = arrived.sizes.mean()
    return {
        "coded_bytes": float(size),
        "ratio_to_lossless": float(lossless / size),
        "ratio_to_same_codec": float(same_codec / size),
        "accuracy": float(arrived.scores.mean()),
        "relative_change": -relative_loss(arrived.scores, run.test.large_score[rows])[0],
    }


def compression_tables(
    runs: Sequence[Seeded], delivery: Delivery, config: SpaceVerseConfig, chosen: dict[Task, list[Choice]]
) -> list[Table]:
    """Fig. 12, the BD-rates against random masking, and the settings one would fly with on more samples."""
    samples_per_task, checked_samples = config.compression_samples, config.checked_samples
    _judge_whole_images(runs, delivery, samples_per_task, checked_samples)
    rows: list[Row] = []
    rates: list[Row] = []
    choices: list[Row] = []
    for task in tasks_of(runs):
        families = dict(FAMILIES)
        if not all(delivery.knows_truth(run.test, run.rows_of(task)[:samples_per_task]) for run in runs):
            del families["ideal"]
        points: dict[str, list[list[tuple[float, float]]]] = {name: [] for name in families}  # [seed][level]
        levels: dict[tuple[str, int], dict[str, list[float]]] = {}
        picks: dict[str, dict[str, list[float]]] = {}
        for run, choice in zip(runs, chosen[task], strict=True):
            picked = run.rows_of(task)[:samples_per_task]
            for name, family in families.items():
                points[name].append([])
                for level, compressor in enumerate(family):
                    values = _judged(delivery, compressor, run, picked)
                    collect(levels.setdefault((name, level), {}), values)
                    points[name][-1].append((values["coded_bytes"], values["accuracy"]))
            for name, c, chosen_on in (
                ("chosen", choice.compressor, float(choice.samples)),
                ("4 : 1", FOUR_TO_ONE, float("nan")),
            ):
                settings = {"alpha": c.alpha, "beta": c.beta, "quality": float(c.codec.quality)}
                settings["chosen_on"] = chosen_on
                checked = run.rows_of(task)[:checked_samples]
                sent = checked[run.plan(run.spaceverse(), checked, config.share).offloaded]
                found = settings | {"samples": float(len(checked))} | _judged(delivery, c, run, checked)
                found["relative_change_sent"] = (
                    _judged(delivery, c, run, sent)["relative_change"] if len(sent) else float("nan")
                )
                collect(picks.setdefault(name, {}), found)
        rows += [
            {"task": task.value, "compressor": name, "level": level} | summaries(found)
            for (name, level), found in levels.items()
        ]
        choices += [{"task": task.value, "setting": name} | summaries(found) for name, found in picks.items()]
        for name, family in families.items():
            if len(family) > 1 and name != "random mask":
                values = [
                    bd_rate(*np.array(ours).T, *np.array(theirs).T)
                    for ours, theirs in zip(points[name], points["random mask"], strict=True)
                ]
                rates.append({"task": task.value, "compressor": name, **summary(values, "bd_rate")})
    note = (
        "accuracy of the large model on images restored from real coded bytes; ratio_to_lossless: against PNG; "
        "ratio_to_same_codec: against the whole image in WebP at quality 85"
    )
    return [
        Table("fig12", "Fig. 12: accuracy over coded bytes", note, rows, SHOWN),
        Table("fig12_bd_rate", "Bytes at equal accuracy against random masking (BD-rate)", note, rates),
        Table(
            "fig12_chosen",
            f"Compression chosen for a loss of {config.target_loss:.0%}, and 4 : 1, on test samples",
            note
            + "; samples: of the task, per seed; chosen_on: training samples that the gate would send, per seed; "
            + f"relative_change_sent: of the {config.share:.0%} of the test samples that the gate sends",
            choices,
            ("task", "setting", "chosen_on", *SHOWN[3:], "relative_change_sent"),
        ),
    ]
