"""Gate against Tabi on many scenes: `python -m benchmarks.deferral` (about 9 minutes of one core).

Prints areas under the deferral curve (Fig. 10 of `evaluate.py experiment=spaceverse`) with 95% Student intervals over
seeds, of Tabi and both gates, and their differences to Tabi seed by seed. The methods differ by less than one seed's
1,500 scenes differ from the next one's; with thousands of test scenes a seed the intervals tell them apart.

Every seed has the training scenes that it has in the evaluation, and test scenes of its own: on common ones the
intervals would hold the noise of training alone, and say nothing about other scenes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing import get_context

import torch

from models.experiments.config import SpaceVerseConfig
from models.experiments.deferral import volume_tables
from models.experiments.runs import Draws, run_seed
from models.experiments.table import number
from models.methods import Tabi, spaceverse, spaceverse_by_gain
from models.metrics import interval
from models.pair.model import PairModel
from models.sample import Task

Areas = dict[tuple[str, str], float]
"""AUDC of one seed by task (or "mean") and method."""


def areas_of_seed(config: SpaceVerseConfig, seed: int) -> Areas:
    """Fit Tabi and both gates, and judge them on the seed's test scenes."""
    torch.set_num_threads(1)
    methods = [Tabi(), spaceverse(), spaceverse_by_gain()]
    run, _ = run_seed(Draws(config), seed, PairModel.load("small"), PairModel.load("large"), methods)
    rows = volume_tables([run])[1].rows
    return {(str(row["task"]), str(row["method"])): number(row, "audc") for row in rows}


def report(found: Sequence[Areas]) -> Iterator[str]:
    """A line per task and method, and whether a gate's interval lies above Tabi's."""
    yield f"{'task':9s} {'method':17s}   {'AUDC':15s}   to Tabi, seed by seed"
    ends: dict[str, float] = {}  # task -> upper end of Tabi's interval
    for task, method in found[0]:
        middle, half = interval([areas[task, method] for areas in found])
        line = f"{task:9s} {method:17s}   {middle:.4f} ± {half:.4f}"
        if method == "Tabi":
            ends[task] = middle + half
        else:
            over = interval([areas[task, method] - areas[task, "Tabi"] for areas in found])
            line += f"   {over[0]:+.4f} ± {over[1]:.4f}"
        if method.startswith("SpaceVerse"):
            line += "   intervals apart" if middle - half > ends[task] else "   intervals not apart"
        yield line


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--scenes", type=int, default=6_000, help="test scenes per seed")
    parser.add_argument("--workers", type=int, default=1, help="processes, a seed at a time each")
    options = parser.parse_args(argv)
    seeds = tuple(range(options.seeds))
    config = SpaceVerseConfig(seeds=seeds, test_samples=options.scenes * len(Task))
    found: list[Areas] = []
    with get_context("spawn").Pool(options.workers) as pool:
        for areas in pool.imap(partial(areas_of_seed, config), seeds):
            found.append(areas)
            print(f"seed {len(found) - 1}: {options.scenes} test scenes judged", flush=True)
    print("\n".join(report(found)))


if __name__ == "__main__":
    main()
