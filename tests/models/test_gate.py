"""The progressive gate: what each stage may see, exactness of generation under it, calibration, stored thresholds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.calibrate import CalibrateOptions, calibrate
from models.calibration_file import CalibrationMismatch, load_calibration, save_calibration
from models.cascade import run_onboard
from models.codec import Codec
from models.compressors import SpaceVerseCompressor
from models.gate import GateConfig, ProgressiveGate, stage_features
from models.gate_training import CalibratedGate, Isotonic, fit_calibrated, gate_inputs
from models.interface import Encoding, Step, Trace, VisionLanguageModel
from models.options import read_options
from models.pair.model import PairModel
from models.procedural import procedural_samples
from models.qwen import QwenVL
from models.sample import Sample, Task
from models.thresholds import KEPT, decide, would_send
from tests.models.tiny_models import tiny_qwen

IDENTITY = Isotonic(np.array([0.0, 1.0]), np.array([0.0, 1.0]))


class Counting(VisionLanguageModel):
    """Yields fixed tokens and counts how many were asked for."""

    name = "counting"

    def __init__(self, length: int = 6):
        self.length, self.made = length, 0
        generator = torch.Generator().manual_seed(0)
        self.hidden = torch.randn(length, 8, generator=generator)

    def encode(self, image, prompt):
        generator = torch.Generator().manual_seed(int(image.sum()) % 1000)
        tokens = torch.randn(9, 8, generator=generator)
        return Encoding(tokens, torch.ones(2, 8), torch.tensor([False, True]), (3, 3))

    def decode(self, encoding):
        self.made = 0
        for index in range(self.length):
            self.made += 1
            yield Step(str(index), self.hidden[index], 0.5 + 0.05 * index)

    def answer(self, steps):
        return "".join(step.text for step in steps)

    def fingerprint(self):
        return "counting"


def fixed_gate(config: GateConfig, model: VisionLanguageModel, sample: Sample) -> CalibratedGate:
    widths = [stage_features(model.trace(sample), config, stage).shape[0] for stage in range(config.stages)]
    torch.manual_seed(0)
    return CalibratedGate(ProgressiveGate(config, widths).eval(), (IDENTITY,) * config.stages)


SAMPLE = Sample(np.full((16, 16, 3), 7, np.uint8), "is there any ship?", "no")


@pytest.mark.parametrize(
    ("config", "decoded"),
    [
        (GateConfig(stages=2, chunk=2), [0, 6]),
        (GateConfig(stages=3, chunk=2), [0, 2, 6]),
        (GateConfig(stages=4, chunk=1), [0, 1, 2, 6]),
        (GateConfig(stages=1, only_last=True), [6]),
        (GateConfig(stages=1), [0]),
    ],
)
def test_a_stage_that_objects_stops_the_model_there(config, decoded):
    model = Counting()
    gate = fixed_gate(config, model, SAMPLE)
    for stage, tokens in enumerate(decoded):
        model.made = 0
        threshold = np.where(np.arange(config.stages) == stage, 2.0, 0.0)  # only this stage objects, always
        result = run_onboard(model, gate, threshold, SAMPLE)
        assert (result.stage, len(result.steps), model.made) == (stage, tokens, tokens)
        assert result.answer is None and len(result.confidence) == stage + 1


def test_a_gate_that_never_objects_changes_nothing():
    model = Counting()
    gate = fixed_gate(GateConfig(stages=3, chunk=2), model, SAMPLE)
    result = run_onboard(model, gate, np.zeros(3), SAMPLE)
    assert result.stage == KEPT and result.answer == model.trace(SAMPLE).answer
    with pytest.raises(ValueError, match="threshold"):
        run_onboard(model, gate, np.zeros(2), SAMPLE)


def test_short_outputs_pass_over_stages_whose_tokens_never_come():
    model = Counting(length=1)
    gate = fixed_gate(GateConfig(stages=4, chunk=2), model, SAMPLE)
    assert run_onboard(model, gate, np.zeros(4), SAMPLE).answer == "0"


def test_live_confidences_are_those_of_the_whole_trace():
    model = Counting()
    config = GateConfig(stages=3, chunk=2)
    gate = fixed_gate(config, model, SAMPLE)
    live = run_onboard(model, gate, np.zeros(3), SAMPLE).confidence
    batch = gate.confidences(gate_inputs([model.trace(SAMPLE)], config))[0]
    np.testing.assert_allclose(live, batch, atol=1e-5)


def test_qwen_under_a_silent_gate_says_what_it_says_alone():
    qwen = QwenVL(*tiny_qwen(), most_new_tokens=8)
    sample = Sample(np.random.default_rng(0).integers(0, 255, (84, 84, 3), dtype=np.uint8), "any ship?", "no")
    gate = fixed_gate(GateConfig(stages=3, chunk=2), qwen, sample)
    assert run_onboard(qwen, gate, np.zeros(3), sample).answer == qwen.trace(sample).answer
    assert len(run_onboard(qwen, gate, np.array([0.0, 2.0, 0.0]), sample).steps) == 2


def traces_with_known_difficulty(number: int) -> tuple[list[Trace], torch.Tensor]:
    """The image tells a little of the similarity, the tokens the rest."""
    generator = torch.Generator().manual_seed(3)
    hard, late = torch.rand(number, generator=generator), torch.rand(number, generator=generator)
    traces = []
    for i in range(number):
        image = torch.randn(4, 6, generator=generator) * 0.1
        image[:, 0] += hard[i]
        encoding = Encoding(image, torch.ones(1, 6), torch.tensor([True]), (2, 2))
        hidden = torch.randn(3, 5, generator=generator) * 0.1
        hidden[:, 0] += late[i]
        traces.append(Trace(encoding, hidden, torch.full((3,), 0.9), ""))
    return traces, 1.0 - 0.5 * hard - 0.5 * late


def test_later_stages_know_more_and_calibration_is_monotone():
    traces, target = traces_with_known_difficulty(400)
    config = GateConfig(stages=2, width=16)
    inputs = gate_inputs(traces, config)
    gate, _ = fit_calibrated([rows[:300] for rows in inputs], target[:300], config, seed=0, epochs=40)
    confidence = gate.confidences([rows[300:] for rows in inputs])
    error = ((confidence - target[300:, None].numpy()) ** 2).mean(0)
    assert error[1] < error[0] < float(target.var())
    for fitted in gate.maps:
        values = fitted(np.linspace(0, 1, 50))
        assert (np.diff(values) > 0).all()


def test_no_member_learns_from_the_samples_it_is_calibrated_on():
    """Other targets for one part of the samples change every member but the one that leaves this part out."""
    traces, target = traces_with_known_difficulty(100)
    config = GateConfig(width=8, members=4)
    inputs = gate_inputs(traces, config)
    part = torch.randperm(100, generator=torch.Generator().manual_seed(0)) % 4 == 2
    targets = (target, torch.where(part, 1.0 - target, target))
    fitted = [fit_calibrated(inputs, wanted, config, seed=0, epochs=1)[0] for wanted in targets]
    unchanged = torch.ones(4, dtype=torch.bool)
    for left, right in zip(*(one.gate.parameters() for one in fitted), strict=True):
        unchanged &= (left == right).flatten(1).all(1)
    assert unchanged.tolist() == [False, False, True, False]


def test_what_is_said_of_training_samples_is_said_by_members_that_have_not_seen_them():
    """Targets of pure noise can be learned by heart and not be guessed."""
    traces, _ = traces_with_known_difficulty(100)
    target = torch.rand(100, generator=torch.Generator().manual_seed(5))
    config = GateConfig(width=64, members=4)
    inputs = gate_inputs(traces, config)
    gate, held_out = fit_calibrated(inputs, target, config, seed=0, epochs=200)
    by_heart = np.corrcoef(gate.confidences(inputs)[:, -1], target)[0, 1]
    assert held_out.shape == (100, 2) and by_heart > 0.5 > abs(np.corrcoef(held_out[:, -1], target)[0, 1])
    _, half = fit_calibrated(inputs, target, GateConfig(width=8, members=1), seed=0, epochs=1)
    assert np.isnan(half).all(1).sum() == 50 and not np.isnan(half[~np.isnan(half[:, 0])]).any()
    sent = would_send(half, 0.4)
    assert sent.sum() == 20 and not sent[np.isnan(half[:, 0])].any()


def test_too_few_or_useless_training_samples_are_named():
    traces, target = traces_with_known_difficulty(60)
    inputs = gate_inputs(traces, GateConfig())
    with pytest.raises(ValueError, match="too few"):
        fit_calibrated([rows[:20] for rows in inputs], target[:20], GateConfig(), seed=0)
    with pytest.raises(ValueError, match="nothing to learn"):
        fit_calibrated(inputs, torch.ones(60), GateConfig(), seed=0)


@pytest.mark.parametrize(
    "bad", [dict(stages=0), dict(chunk=0), dict(width=0), dict(members=0), dict(stages=2, only_last=True)]
)
def test_impossible_gates_name_the_field(bad):
    with pytest.raises(ValueError, match="gate"):
        GateConfig(**bad)


@pytest.fixture(scope="module")
def calibrated():
    small, large = PairModel.load("small"), PairModel.load("large")
    samples = procedural_samples(range(5_000_000, 5_000_200), (Task.QUESTION, Task.SCENE))
    calibration, report = calibrate(
        small,
        large,
        samples,
        GateConfig(),
        target_offload=0.3,
        training_share=0.5,
        early=0.6,
        seed=0,
        predicts="gain",
    )
    return small, large, samples, calibration, report


def test_calibration_meets_its_target_share(calibrated):
    *_, report = calibrated
    assert report["offloaded_share"] == pytest.approx(0.3, abs=0.15)  # 100 held-out samples
    assert report["unusable_samples"] == 0


def test_stored_thresholds_come_back_and_refuse_other_models(calibrated, tmp_path):
    small, large, samples, calibration, _ = calibrated
    chosen = {Task.BOXES: SpaceVerseCompressor(0.4, 0.6, codec=Codec("WEBP", 33))}
    calibration = replace(calibration, compressors=chosen)
    save_calibration(calibration, tmp_path / "gate.safetensors")
    (tmp_path / "other").touch()  # everybody may read it as any other file
    assert (tmp_path / "gate.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode
    again = load_calibration(tmp_path / "gate.safetensors")
    np.testing.assert_array_equal(again.threshold, calibration.threshold)
    assert again.compressors == chosen
    assert again.predicts == "gain"
    traces = small.traces(samples[:20])[0]
    inputs = gate_inputs(traces, again.gate.config)
    np.testing.assert_allclose(
        again.gate.confidences(inputs), calibration.gate.confidences(inputs), atol=1e-6
    )
    again.check(small.fingerprint(), large.fingerprint())
    again.check(small.fingerprint(), large.fingerprint(), "own")
    with pytest.raises(CalibrationMismatch, match="attention"):
        again.check(small.fingerprint(), large.fingerprint(), "another encoder")
    with pytest.raises(CalibrationMismatch, match="satellite"):
        again.check(large.fingerprint(), large.fingerprint())
    with pytest.raises(FileNotFoundError, match="calibrate"):
        load_calibration(tmp_path / "none.safetensors")


def test_batched_decisions_are_the_live_ones(calibrated):
    small, _, samples, calibration, _ = calibrated
    part = samples[:40]
    confidence = calibration.gate.confidences(gate_inputs(small.traces(part)[0], calibration.gate.config))
    stage = decide(confidence, calibration.threshold)
    live = [run_onboard(small, calibration.gate, calibration.threshold, sample).stage for sample in part]
    assert live == stage.tolist()


def test_options_are_read_or_refused_by_name():
    assert read_options(CalibrateOptions, ["target_offload=0.4", "stages=3"]) == CalibrateOptions(
        target_offload=0.4, stages=3
    )
    for word, named in (
        ("offload=1", "target_offload="),
        ("stages=two", "stages"),
        ("target_offload=7", "target"),
    ):
        with pytest.raises(ValueError, match=named):
            read_options(CalibrateOptions, [word])
