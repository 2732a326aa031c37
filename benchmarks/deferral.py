"""Gate against Tabi on many scenes: `python -m benchmarks.deferral` (about 12 minutes of one core).

Prints areas under the deferral curve (Fig. 10 of `evaluate.py experiment=spaceverse`) with 95% Student intervals over
seeds, of Tabi and both gates, and their differences to Tabi seed by seed. The methods differ by less than one seed's
1,500 scenes differ from the next one's; with thousands of test scenes a seed the intervals tell them apart.

Every seed has the training scenes that it has in the evaluation, and test scenes of its own: on common ones the
intervals would hold the noise of training alone, and say nothing about other scenes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from models.experiments.config import SpaceVerseConfig
from models.experiments.deferral import volume_tables
from models.experiments.runs import Draws, Seeded
from models.experiments.table import Row, number
from models.interface import VisionLanguageModel
from models.methods import Tabi, spaceverse, spaceverse_by_gain
from models.pair.model import PairModel
from models.record import Record, record
from models.sample import Task

CHUNK = 1500  # samples at a time


def light(known: Record) -> Record:
    """A record without its images and features: what is left when every gate has read them."""
    nothing = torch.zeros(1, 1)
    traces = [
        replace(trace, encoding=replace(trace.encoding, image=nothing, prompt=nothing), hidden=nothing)
        for trace in known.traces
    ]
    samples = [replace(sample, image=np.zeros((1, 1, 3), np.uint8)) for sample in known.samples]
    return replace(known, samples=samples, traces=traces)


def joined(parts: Sequence[Record]) -> Record:
    """One record after the other."""
    return Record(
        [sample for part in parts for sample in part.samples],
        [trace for part in parts for trace in part.traces],
        [answer for part in parts for answer in part.large_answer],
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("small_score", "large_score", "large_sure", "agreement")
        ),
    )


def judged(draws: Draws, seed: int, small: VisionLanguageModel, large: VisionLanguageModel) -> Seeded:
    """Fit Tabi and both gates and keep what they say of the seed's test samples; images go as soon as they are read."""
    train_samples, test_samples = draws.draw(seed)
    train, _ = record(small, large, train_samples)
    gates = [spaceverse(), spaceverse_by_gain()]
    methods = [Tabi(), *gates]
    for method in methods:
        method.fit(train, seed)
    parts: list[Record] = []
    told: dict[str, list[np.ndarray]] = {gate.name: [] for gate in gates}
    for start in range(0, len(test_samples), CHUNK):
        part, _ = record(small, large, test_samples[start : start + CHUNK])
        for gate in gates:
            told[gate.name].append(gate.confidences(part))
        parts.append(light(part))
    confidences = {name: np.concatenate(found) for name, found in told.items()}
    return Seeded(light(train), joined(parts), list(methods), confidences)


def line(row: Row) -> str:
    """One row of the areas, four digits."""
    columns = [f"{row['task']:9s} {row['method']:17s}"]
    for name, sign in (("audc", ""), ("audc_over_tabi", "+")):
        columns.append(f"{number(row, name):{sign}.4f} ± {number(row, f'{name}_ci95'):.4f}")
    return "   ".join(columns)


def beyond_tabi(rows: Sequence[Row]) -> Iterator[str]:
    """For every gate the tasks where its interval of AUDC lies above Tabi's."""
    ends: dict[tuple[str, str], tuple[float, float]] = {}
    for row in rows:
        middle, half = number(row, "audc"), number(row, "audc_ci95")
        ends[str(row["task"]), str(row["method"])] = middle - half, middle + half
    tasks = dict.fromkeys(task for task, _ in ends)
    for gate in (spaceverse().name, spaceverse_by_gain().name):
        above = [task for task in tasks if ends[task, gate][0] > ends[task, "Tabi"][1]]
        yield f"{gate}: interval above Tabi's on {', '.join(above) or 'nothing'}"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--scenes", type=int, default=6_000, help="test scenes per seed")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    small, large = PairModel.load("small"), PairModel.load("large")
    draws = Draws(
        SpaceVerseConfig(seeds=tuple(range(options.seeds)), test_samples=options.scenes * len(Task))
    )
    runs = []
    for seed in draws.config.seeds:
        runs.append(judged(draws, seed, small, large))
        print(f"seed {seed}: {len(runs[-1].test)} samples of {options.scenes} scenes judged", flush=True)
    areas = volume_tables(runs)[1].rows
    print(f"{'task':9s} {'method':17s}   {'AUDC':15s}   to Tabi, seed by seed")
    print("\n".join([*map(line, areas), *beyond_tabi(areas)]))


if __name__ == "__main__":
    main()
