"""What benchmarks/deferral.py says of areas: intervals, paired differences, and when intervals are apart."""

from __future__ import annotations

from benchmarks.deferral import areas_of_seed, report
from models.experiments.config import SpaceVerseConfig


def test_a_seed_judges_tabi_and_both_gates():
    areas = areas_of_seed(SpaceVerseConfig(samples=1500, test_samples=60), 0)
    methods = {"Tabi", "SpaceVerse", "SpaceVerse, gain", "random", "oracle"}
    assert set(areas) == {
        (task, method) for task in ("question", "scene", "boxes", "mean") for method in methods
    }
    assert all(areas[task, "oracle"] >= areas[task, "SpaceVerse"] for task in ("question", "scene", "boxes"))


def test_differences_are_paired_and_overlapping_intervals_are_no_victory():
    found = [
        {
            ("scene", "Tabi"): 0.80 + noise,
            ("scene", "SpaceVerse"): 0.81 + noise,
            ("scene", "SpaceVerse, gain"): 0.90 + noise,
            ("scene", "random"): 0.7,
        }
        for noise in (-0.01, 0.0, 0.01)
    ]
    _, tabi, near, far, random = report(found)
    assert tabi.endswith("0.8000 ± 0.0248")
    assert "+0.0100 ± 0.0000" in near and near.endswith("intervals not apart")
    assert "+0.1000 ± 0.0000" in far and far.endswith("   intervals apart")
    assert "apart" not in random
