"""benchmarks/deferral.py judges as the evaluation does, without keeping images."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.deferral import beyond_tabi, judged, line
from models.experiments.config import SpaceVerseConfig
from models.experiments.deferral import volume_tables
from models.experiments.runs import Draws, run_seed
from models.experiments.table import Row, number
from models.pair.model import PairModel
from models.workload import Workload


@pytest.mark.slow
def test_areas_are_those_of_the_evaluation(monkeypatch):
    monkeypatch.setattr("benchmarks.deferral.CHUNK", 25)
    small, large = PairModel.load("small"), PairModel.load("large")
    draws = Draws(SpaceVerseConfig(seeds=(0,), samples=1500, test_samples=60))
    ours = judged(draws, 0, small, large)
    theirs, _ = run_seed(draws, 0, small, large, Workload())
    expected = {(row["task"], row["method"]): row["audc"] for row in volume_tables([theirs])[1].rows}
    found = volume_tables([ours])[1].rows
    assert {row["method"] for row in found} == {"Tabi", "SpaceVerse", "SpaceVerse, gain", "random", "oracle"}
    for row in found:
        assert number(row, "audc") == pytest.approx(expected[row["task"], row["method"]], abs=1e-6)
    assert all(sample.image.size == 3 for sample in ours.test.samples)


def test_overlapping_intervals_are_no_victory():
    rows: list[Row] = [
        {"task": "question", "method": name, "audc": middle, "audc_ci95": half}
        for name, middle, half in (
            ("Tabi", 0.90, 0.01),
            ("SpaceVerse", 0.92, 0.009),
            ("SpaceVerse, gain", 0.92, 0.011),
        )
    ]
    assert [line.rsplit(" ", 1)[1] for line in beyond_tabi(rows)] == ["question", "nothing"]
    assert line(rows[1] | {"audc_over_tabi": 0.02, "audc_over_tabi_ci95": 0.001}).endswith("+0.0200 ± 0.0010")
    alone = [row | {"audc_ci95": np.nan} for row in rows]  # a single seed has no interval
    assert all(line.endswith("nothing") for line in beyond_tabi(alone))
