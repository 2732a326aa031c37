"""Seconds of models on processors: closed forms, what counts as whose time, and a measurement of this machine."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.devices import DEVICES, MODEL_SIZES, NetworkCost, PhaseTimes
from models.interface import Encoding, Step, VisionLanguageModel
from models.pair.model import PairModel
from models.pair.network import SMALL, PairNetwork
from models.sample import Sample, Task
from models.stream import Stream
from models.timing import ClassifierTiming, MeasuredTiming, RooflineTiming, measure, timing_named
from models.workload import FRAME_PX, Workload

SAMPLE = Sample(np.zeros((48, 96, 3), np.uint8), "is there any ship?", "no", Task.QUESTION)


class Slow(VisionLanguageModel):
    """Takes known times: 20 ms to look, 30 ms to the first token, 10 ms to every other."""

    name = "slow"

    def encode(self, image, prompt):
        time.sleep(0.02)
        return Encoding(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([True]), (1, 1))

    def decode(self, encoding):
        time.sleep(0.03)
        for _ in range(4):
            yield Step("x", torch.zeros(2), 0.5)
            time.sleep(0.01)

    def answer(self, steps):
        return "x"

    def fingerprint(self):
        return "slow"


def test_a_measured_model_is_as_slow_as_it_was():
    timing = measure(Slow(), [SAMPLE] * 3)
    times = timing.phases(1, 1)
    assert times.vision_s >= 0.02 and times.decode_token_s >= 0.01
    assert times.prefill_s + times.decode_token_s >= 0.03
    assert timing.source == "measured" and "slow" in timing.name
    with pytest.raises(ValueError, match="none of the samples"):
        measure(Slow(), [replace(SAMPLE, prompt=" ")])


def test_pruned_image_tokens_save_prefill_only():
    timing = RooflineTiming(DEVICES["rtx3090"], MODEL_SIZES["qwen2-vl-7b"])
    full, pruned = timing.phases(1024, 1024), timing.phases(1024, 1024, token_share=0.5)
    assert pruned.prefill_s < full.prefill_s
    assert (pruned.vision_s, pruned.decode_token_s) == (full.vision_s, full.decode_token_s)
    whole = full.vision_s + full.prefill_s + 7 * full.decode_token_s
    assert timing.answer_s(1024, 1024, 7) == pytest.approx(whole)


def test_a_classifier_is_limited_by_arithmetic_or_by_its_weights():
    device = replace(DEVICES["xavier"], overhead_s=0.0)
    busy = ClassifierTiming(device, NetworkCost("busy", 1e12, 1e6)).answer_s(1, 1, 1)
    assert busy == pytest.approx(1e12 / (11e12 * 0.35))
    heavy = ClassifierTiming(device, NetworkCost("heavy", 1.0, 1e9)).answer_s(1, 1, 1)
    assert heavy == pytest.approx(2e9 / (137e9 * 0.82))


def test_names_of_processors_and_sizes_are_checked():
    model = PairModel(PairNetwork(SMALL), "untrained")
    with pytest.raises(ValueError, match="toaster"):
        timing_named("toaster", "auto", model, [SAMPLE], stand_in="qwen2-vl-2b")
    with pytest.raises(ValueError, match="gpt"):
        timing_named("xavier", "gpt", model, [SAMPLE], stand_in="qwen2-vl-2b")
    with pytest.raises(ValueError, match="needs 1"):
        timing_named("xavier", "qwen2-vl-7b", model, [SAMPLE], stand_in="qwen2-vl-2b")
    assert "2B" in timing_named("xavier", "auto", model, [SAMPLE], stand_in="qwen2-vl-2b").name
    assert timing_named("this-machine", "auto", model, [SAMPLE], stand_in="").source == "measured"


FIXED = MeasuredTiming("fixed", PhaseTimes(0.1, 0.2, 0.01))


def test_a_job_asks_for_what_the_cascade_did():
    work = Workload(onboard=FIXED, ground=FIXED, own_frames=True, gate_s=0.5, compress_s=0.7, satellites=2)
    early = work.job(5, SAMPLE, tokens=4, decoded=0, gates=1, compressed=True, coded_bytes=100.0)
    assert (early.arrival_s, early.satellite) == (2 * work.interval_s, 1)
    assert early.onboard_s == pytest.approx(0.1 + 0.5 + 0.7)
    assert early.size_bytes == 100.0 and early.ground_s == pytest.approx(0.1 + 0.2 + 4 * 0.01)
    kept = work.job(0, SAMPLE, tokens=4, decoded=4, gates=2)
    assert kept.onboard_s == pytest.approx(0.1 + 2 * 0.5 + 0.2 + 4 * 0.01)
    assert kept.size_bytes is None and kept.ground_s == 0.0
    raw = work.job(0, SAMPLE, tokens=4, decoded=0, looked=False, coded_bytes=100.0)
    assert raw.onboard_s == 0.0


def test_scenes_stand_for_frames_of_the_real_sets_in_size_and_bytes():
    work = Workload()
    side = FRAME_PX[Task.QUESTION]
    assert work.frame(SAMPLE) == (side, side)
    assert work.frame_bytes(SAMPLE, 100.0) == pytest.approx(100.0 * side**2 / (48 * 96))
    assert work.raw_bytes(SAMPLE) == 3 * side**2
    own = replace(work, own_frames=True)
    assert own.frame(SAMPLE) == (48, 96) and own.frame_bytes(SAMPLE, 100.0) == 100.0
    with pytest.raises(ValueError, match="downlinks"):
        Workload(downlinks=())


def test_what_is_measured_or_real_is_never_scaled():
    model = PairModel(PairNetwork(SMALL), "untrained")
    for stream, data, own in (
        (Stream(), "procedural", False),
        (Stream(onboard="this-machine"), "procedural", True),
        (Stream(), "dota", True),
    ):
        assert stream.workload(data, model, model, [SAMPLE]).own_frames == own
