"""The command a user starts: decisions per sample, honest refusals, and runs that go on after bad samples."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from models import advise as command
from models import calibrate as calibrate_command
from models.advise import AdviseOptions, advise
from models.calibration_file import CalibrationMismatch, load_calibration
from models.compressors import SpaceVerseCompressor
from models.interface import ModelUnavailable
from models.options import read_options
from models.pair.model import PairModel
from models.sample import Sample, Task
from models.sources import load_model, load_samples
from models.thresholds import KEPT
from models.workload import Workload

COMPRESSORS = dict.fromkeys(Task, SpaceVerseCompressor())


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    path = tmp_path_factory.mktemp("gate") / "gate.safetensors"
    calibrate_command.main(
        [f"out={path}", "samples=240", "training_share=0.3", "target_offload=0.4", "target_loss=0"]
    )
    return path


def test_the_commands_work_together(gate, tmp_path, capsys):
    out = tmp_path / "advice.csv"
    command.main([f"calibration={gate}", f"out={out}", "samples=60"])
    printed = capsys.readouterr().out
    with out.open() as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == 60 and "sent to the ground" in printed
    sent = [row for row in rows if int(row["stage"]) != KEPT]
    assert 0 < len(sent) < 60
    assert all((int(row["sent_bytes"]) > 0) == (int(row["stage"]) != KEPT) for row in rows)
    assert all(int(row["sent_bytes"]) < int(row["raw_bytes"]) for row in rows)
    for row in rows:
        parts = sum(float(row[name]) for name in ("wait_s", "onboard_s", "link_s", "ground_s"))
        assert float(row["latency_s"]) == pytest.approx(parts)
        assert (float(row["link_s"]) > 0) == (int(row["stage"]) != KEPT)
    for way in ("as advised", "all on board", "all on the ground", "estimated"):
        assert way in printed


def test_a_bad_sample_is_left_out_and_named(gate):
    small, large = PairModel.load("small"), PairModel.load("large")
    samples, _ = load_samples("procedural", "", 4)
    samples.insert(2, Sample(np.zeros((96, 96), np.uint8), "is there any ship?", "no", name="grey one"))
    found = advise(small, large, load_calibration(gate), COMPRESSORS, samples, Workload())
    assert len(found.advice) == 4 and [str(error).split(":")[0] for error in found.errors] == ["grey one"]
    assert [way.name for way in found.ways] == ["as advised"]


def test_a_gate_of_other_models_is_refused(gate):
    small, large = PairModel.load("small"), PairModel.load("large")
    with pytest.raises(CalibrationMismatch, match="calibrate again"):
        advise(large, small, load_calibration(gate), COMPRESSORS, [], Workload())
    nothing = advise(small, large, load_calibration(gate), COMPRESSORS, [], Workload())
    assert nothing.advice == [] and nothing.ways == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["calibration=nowhere.safetensors"], "nowhere"),
        (["interval_s=often"], "interval_s"),
        (["link=maybe"], "link"),
        (["attention=magic"], "attention"),
        (["depth=3"], "depth"),
        (["samples=many"], "samples"),
    ],
)
def test_bad_options_end_with_one_clear_line(words, named):
    with pytest.raises(SystemExit, match=named):
        command.main(words)


def test_names_of_models_and_data_are_checked(tmp_path):
    for name in ("gpt", "qwen", f"qwen:{tmp_path}"):
        with pytest.raises(ModelUnavailable):
            load_model(name)
    for arguments in (("flowers", "", 3), ("procedural", "somewhere", 3), ("procedural", "", 0)):
        with pytest.raises(ValueError, match=r"unknown|need none|at least"):
            load_samples(*arguments)


def test_compression_is_as_calibrated_or_as_given(gate):
    calibration = load_calibration(gate)
    assert AdviseOptions().compressors(calibration) == calibration.compressors
    given = read_options(AdviseOptions, ["compression=0.4,0.6,30"]).compressors(calibration)[Task.SCENE]
    assert (given.alpha, given.beta, given.codec.quality) == (0.4, 0.6, 30)
    for wrong in ("0.4,0.6", "0.4,0.6,none", "0.4,0.6,400"):
        with pytest.raises(ValueError, match="compression"):
            AdviseOptions(compression=wrong).compressors(calibration)


def test_waiting_for_contact_is_part_of_the_advice(gate, tmp_path, capsys):
    words = [f"calibration={gate}", f"out={tmp_path / 'a.csv'}", "samples=12", "alternatives=no"]
    command.main([*words, "satellites=1"])
    always = capsys.readouterr().out
    command.main([*words, "satellites=1", "link=contact"])
    seconds = [
        float(line.split()[-3])
        for text in (always, capsys.readouterr().out)
        for line in text.splitlines()
        if line.startswith("as advised")
    ]
    assert seconds[1] > 60 > seconds[0]
