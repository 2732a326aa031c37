"""The whole evaluation at a tiny size: every figure is there and its numbers are consistent."""

from __future__ import annotations

import csv
import json

import pytest

from models.experiments.config import SpaceVerseConfig
from models.experiments.plots import DRAWN, write_plots
from models.experiments.report import cell, on_screen, write_all, write_table
from models.experiments.runs import Draws
from models.experiments.spaceverse import left_out, run
from models.experiments.table import number
from models.pair.model import PairModel
from models.sample import SampleError

PARTS = (
    *("wait_onboard", "vision", "gate", "prefill", "decode", "compress"),
    *("wait_link", "link", "wait_ground", "ground"),
)
TINY = SpaceVerseConfig(
    seeds=(0, 1),
    samples=1500,
    training_share=0.05,
    test_samples=60,
    compression_samples=3,
    checked_samples=5,
    satellites=3,
)


@pytest.fixture(scope="module")
def tables():
    found = run(TINY, PairModel.load("small"), PairModel.load("large"), say=lambda line: None)
    return {table.name: table for table in found}


@pytest.mark.slow
def test_every_figure_is_there(tables):
    assert set(tables) == {
        *(f"fig{number}" for number in (2, 3, 4, 9, 10, 11, 12)),
        *("fig4_contact", "devices", "fig9_contact", "fig9_here", "fig10_areas"),
        *("fig12_bd_rate", "fig12_chosen", "headline"),
    }
    assert all(table.rows and table.note for table in tables.values())


@pytest.mark.slow
def test_latencies_are_the_sum_of_their_parts(tables):
    for name in ("fig9", "fig9_contact", "fig9_here"):
        for row in tables[name].rows:
            parts = sum(number(row, f"{part}_s") for part in PARTS)
            assert number(row, "latency_mean_s") == pytest.approx(parts)
            assert number(row, "latency_p50_s") <= number(row, "latency_p95_s")
    by_method = {row["method"]: row for row in tables["fig9"].rows if row["task"] == "boxes"}
    assert by_method["satellite only"]["link_s"] == 0 and by_method["ground only"]["decode_s"] == 0
    assert number(by_method["SpaceVerse"], "link_s") < number(by_method["Tabi"], "link_s")
    waiting = {row["method"]: row for row in tables["fig9_contact"].rows if row["task"] == "boxes"}
    assert number(waiting["ground only"], "wait_link_s") > 60
    assert number(waiting["satellite only"], "wait_link_s") == 0


@pytest.mark.slow
def test_every_processor_is_there_and_says_where_its_seconds_come_from(tables):
    rows = [row for row in tables["devices"].rows if row["task"] == "question"]
    names = {str(row["model_and_processor"]): row["source"] for row in rows}
    assert (
        names["Qwen2-VL-2B on Jetson AGX Xavier"] == names["Qwen2-VL-7B on GeForce RTX 3090"] == "estimated"
    )
    assert names["pair-small on this machine"] == names["pair-large on this machine"] == "measured"
    for row in rows:
        whole = sum(number(row, name) for name in ("vision_s", "prefill_s"))
        whole += number(row, "token_s") * number(row, "tokens")
        assert number(row, "answer_s") == pytest.approx(whole)


@pytest.mark.slow
def test_no_method_beats_the_oracle_and_ends_are_shared(tables):
    for task in ("question", "scene", "boxes"):
        rows = [row for row in tables["fig10"].rows if row["task"] == task]
        oracle = {row["share"]: number(row, "accuracy") for row in rows if row["method"] == "oracle"}
        for row in rows:
            if row["method"] != "Tabi":  # its ensemble may use answers the others do not have
                assert number(row, "accuracy") <= oracle[row["share"]] + 1e-9
        starts = {round(number(row, "accuracy"), 9) for row in rows if row["share"] == 0.0}
        assert len(starts) == 1


@pytest.mark.slow
def test_compression_ratios_follow_bytes(tables):
    for row in tables["fig12"].rows:
        assert number(row, "coded_bytes") > 0
        assert number(row, "ratio_to_lossless") > number(row, "ratio_to_same_codec")
    settings = [(row["task"], row["setting"]) for row in tables["fig12_chosen"].rows]
    assert settings == [(task, one) for task in ("question", "scene", "boxes") for one in ("chosen", "4 : 1")]
    assert all(number(row, "samples") == TINY.checked_samples for row in tables["fig12_chosen"].rows)


@pytest.mark.slow
def test_reports_are_written(tables, tmp_path):
    for table in tables.values():
        with write_table(table, tmp_path).open() as opened:
            assert len(list(csv.DictReader(opened))) == len(table.rows)
        assert on_screen(table).row_count == len(table.rows)
    stored = json.loads(write_all(list(tables.values()), tmp_path, {"seeds": 2}).read_text())
    assert set(stored) == set(tables)
    assert json.loads((tmp_path / "settings.json").read_text()) == {"seeds": 2}
    plots = write_plots(list(tables.values()), tmp_path)
    assert len(plots) == 2 * sum(map(len, DRAWN.values()))
    assert all(path.stat().st_size > 1000 for path in plots)


def test_numbers_are_shown_with_their_intervals():
    row = {
        "a": 0.5,
        "a_ci95": 0.01,
        "b": 1234.5,
        "c": float("nan"),
        "d": "text",
        "e": 0.5,
        "e_ci95": float("nan"),
    }
    assert [cell(row, key) for key in "abcde"] == ["0.500 ± 0.010", "1234.5", "-", "text", "0.500"]


def test_training_and_test_samples_of_all_seeds_are_different():
    draws = Draws(TINY)
    names = [
        sample.name.rsplit(" ", 2)[0] for seed in (0, 1) for part in draws.draw(seed) for sample in part[::3]
    ]
    assert len(names) == len(set(names)) == 2 * (25 + 20)


def test_unusable_samples_are_listed_once():
    assert left_out([]) == []
    table = left_out([SampleError("a: broken"), SampleError("a: broken"), SampleError("b: empty")])[0]
    assert [row["sample_and_reason"] for row in table.rows] == ["a: broken", "b: empty"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (dict(seeds=()), "seeds"),
        (dict(seeds=(1, 1)), "seeds"),
        (dict(share=2.0), "share"),
        (dict(samples=10), "samples"),
        (dict(attention="magic"), "attention"),
        (dict(interval_s=0.0), "interval_s"),
        (dict(station_latitude_deg=99.0), "latitude"),
    ],
)
def test_impossible_experiments_name_the_field(changes, named):
    with pytest.raises(ValueError, match=named):
        SpaceVerseConfig(**changes)
