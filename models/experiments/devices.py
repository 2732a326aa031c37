"""The processors of the latency tables side by side: the paper's devices and this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.compressors import Request, SpaceVerseCompressor
from models.devices import MODEL_SIZES, measured_device
from models.experiments.runs import Seeded, tasks_of
from models.experiments.table import Row, Table
from models.interface import VisionLanguageModel
from models.sample import Sample
from models.timing import RooflineTiming, Timing, measure, median_s
from models.workload import Workload

TIMED = 40  # samples per task that are timed


def timed_samples(runs: Sequence[Seeded]) -> list[Sample]:
    """Some samples of every task."""
    return [runs[0].test.samples[i] for task in tasks_of(runs) for i in runs[0].rows_of(task)[:TIMED]]


def workload_here(
    base: Workload, runs: Sequence[Seeded], small: VisionLanguageModel, large: VisionLanguageModel
) -> Workload:
    """`base` with both models, the gate and the compressor as fast as they were just measured on this machine."""
    samples = timed_samples(runs)
    sample = samples[0]
    encoding = small.encode(sample.image, sample.prompt)
    steps = list(small.decode(encoding))
    gate = runs[0].spaceverse().gate
    if gate is None:
        raise RuntimeError("the gate has not been fitted")
    last = gate.config.stages - 1
    before = median_s(lambda: gate.estimate(encoding, [], 0))
    after = median_s(lambda: gate.estimate(encoding, steps, last))
    compressor = SpaceVerseCompressor()
    return replace(
        base,
        onboard=measure(small, samples),
        ground=measure(large, samples),
        own_frames=True,
        gate_s=(before + after) / 2,
        # of an encoding that remembers no attention yet
        compress_s=median_s(lambda: compressor.compress(Request(sample.image, replace(encoding)))),
    )


def devices_table(runs: Sequence[Seeded], workload: Workload, here: Workload) -> Table:
    """Seconds of every phase of one answer on every processor."""
    machine = measured_device()
    rows: list[Row] = []
    for task in tasks_of(runs):
        part = runs[0].test.of_task(task)
        tokens = int(np.median(part.tokens))
        for timed, role in ((workload, "paper"), (here, "here")):
            for timing in (timed.onboard, timed.ground):
                rows.append(_row(timing, timed, part.samples[0], tokens))
            if role == "paper" and not workload.own_frames:
                sizes = [MODEL_SIZES[name] for name in ("qwen2-vl-2b", "qwen2-vl-7b")]
                fitting = [size for size in sizes if size.memory_gb <= machine.memory_gb]
                rows += [
                    _row(RooflineTiming(machine, size), timed, part.samples[0], tokens) for size in fitting
                ]
    note = (
        f"this machine, measured: {machine.tflops * 1e3:.0f} GFLOP/s in single precision on one matrix product, "
        f"{machine.bandwidth_gb_s:.1f} GB/s copying; the built-in or user's pair is run, not estimated"
    )
    return Table("devices", "One answer on every processor, by phase", note, rows)


def _row(timing: Timing, workload: Workload, sample: Sample, tokens: int) -> Row:
    height, width = workload.frame(sample)
    times = timing.phases(height, width)
    length = workload.answer_length(tokens)
    return {
        "task": sample.task.value,
        "model_and_processor": timing.name,
        "source": timing.source,
        "frame_px": f"{height} x {width}",
        "tokens": length,
        "vision_s": times.vision_s,
        "prefill_s": times.prefill_s,
        "token_s": times.decode_token_s,
        "answer_s": timing.answer_s(height, width, length),
    }
