"""A user's own models and data: local folders and files from calibration to advice and to the whole evaluation."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from models import advise, calibrate
from models.boxes import format_boxes
from models.experiments.config import SpaceVerseConfig
from models.experiments.spaceverse import measure_spaceverse
from models.experiments.table import number
from models.interface import Encoding, ModelUnavailable, Step, VisionLanguageModel
from models.record import record
from models.resnets import build_resnet
from models.sources import load_model, load_samples
from models.timing import timing_named
from tests.models.tiny_models import tiny_qwen

PX = 56


def picture(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((PX, PX), Image.Resampling.NEAREST).save(path)


@pytest.fixture(scope="module")
def qwen_pair(tmp_path_factory):
    """Two local folders with tiny Qwen2-VL models that often, but not always, say the same."""
    folders = []
    for name, noise in (("small", 0.0), ("large", 0.004)):
        folder = tmp_path_factory.mktemp(name)
        model, tokenizer, processor = tiny_qwen()
        model.generation_config.max_new_tokens = 3
        with torch.no_grad():
            for weight in model.lm_head.parameters():
                weight += noise * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
        for part in (model, tokenizer, processor):
            part.save_pretrained(folder)
        folders.append(f"qwen:{folder}")
    return folders


@pytest.fixture(scope="module")
def rsvqa(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rsvqa")
    questions, answers = [], []
    for index in range(130):
        image = index // 5
        if image != 3:
            picture(folder / "Images_LR" / f"{image}.tif", image)
        questions.append(
            dict(
                id=index,
                img_id=image,
                type="presence",
                question=f"Is thing {index % 7} present?",
                answers_ids=[1000 + index],
                active=True,
            )
        )
        answers.append(dict(id=1000 + index, question_id=index, answer="yes", active=True))
    (folder / "Images_LR" / "3.tif").write_bytes(b"broken")
    (folder / "LR_split_test_questions.json").write_text(json.dumps({"questions": questions}))
    (folder / "LR_split_test_answers.json").write_text(json.dumps({"answers": answers}))
    return folder


@pytest.mark.slow
def test_advice_for_local_qwen_models_on_rsvqa(qwen_pair, rsvqa, tmp_path, capsys):
    gate, out = tmp_path / "gate.safetensors", tmp_path / "advice.csv"
    shared = [f"small={qwen_pair[0]}", f"large={qwen_pair[1]}", "data=rsvqa-lr", f"folder={rsvqa}"]
    calibrate.main([*shared, "samples=110", "training_share=0.6", f"out={gate}", "target_offload=0.4"])
    assert "3.tif" in capsys.readouterr().out, "the broken image is named and the run goes on"
    advise.main([*shared, "samples=40", f"calibration={gate}", f"out={out}"])
    printed = capsys.readouterr().out
    assert (
        "on Jetson AGX Xavier, estimated" in printed
        and "left out" in printed
        and "all on the ground" in printed
    )
    with out.open() as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == 40 and all(float(row["latency_s"]) > 0 for row in rows)
    advise.main([*shared, "samples=6", f"calibration={gate}", f"out={out}", "onboard=this-machine"])
    assert "this machine, measured" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="calibrate again"):
        advise.main([*shared, f"small={qwen_pair[1]}", "samples=6", f"calibration={gate}"])


class BoxGuesser(VisionLanguageModel):
    """Answers one box that depends on the picture; two of them with different grids agree now and then."""

    def __init__(self, step: int):
        self.name, self.step = f"guesser {step}", step

    def encode(self, image, prompt):
        cells = torch.from_numpy(np.ascontiguousarray(image[::14, ::14])).float().flatten(0, 1) / 255.0
        side = int(len(cells) ** 0.5)
        return Encoding(cells, torch.ones(2, 3), torch.tensor([False, True]), (side, side))

    def decode(self, encoding):
        place = int(encoding.image.mean() * 1e6) % 4 // self.step * self.step * 100
        yield Step(
            format_boxes(np.array([place, 70, place + 200, 360])), encoding.image[0], 0.5 + place / 1000
        )

    def answer(self, steps):
        return " ".join(step.text for step in steps)

    def fingerprint(self):
        return self.name


def fine_guesser() -> BoxGuesser:
    return BoxGuesser(1)


def coarse_guesser() -> BoxGuesser:
    return BoxGuesser(2)


@pytest.mark.slow
def test_the_evaluation_of_ones_own_models_on_dota(tmp_path):
    for index in range(64):
        picture(tmp_path / "images" / f"P{index:04d}.png", index)
        label = tmp_path / "labelTxt" / f"P{index:04d}.txt"
        label.parent.mkdir(exist_ok=True)
        kinds = ["tennis-court", "swimming-pool"]
        label.write_text(
            "".join(
                f"{a} 4 {a + 12} 4 {a + 12} 20 {a} 20 {kind} 0\n"
                for a, kind in zip((2, 30), kinds, strict=True)
            )
        )
    (tmp_path / "images" / "A0000.png").write_bytes(b"no image")
    (tmp_path / "labelTxt" / "A0000.txt").write_text("")
    config = SpaceVerseConfig(
        seeds=(0,),
        small=f"{__name__}:fine_guesser",
        large=f"{__name__}:coarse_guesser",
        data="dota",
        folder=str(tmp_path),
        samples=120,
        training_share=0.6,
        test_samples=12,
        compression_samples=2,
        satellites=2,
    )
    tables = {table.name: table for table in measure_spaceverse(config, lambda line: None)}
    assert {row["task"] for row in tables["fig9"].rows} == {"boxes"}
    assert "A0000.png" in str(tables["left_out"].rows)
    assert {row["compressor"] for row in tables["fig12"].rows} >= {"spaceverse", "ideal"}, (
        "boxes say what matters"
    )
    assert all(number(row, "latency_mean_s") > 0 for row in tables["fig9"].rows)


@pytest.mark.slow
def test_local_resnets_answer_about_resisc_and_are_timed(tmp_path):
    from safetensors.torch import save_file

    classes = ["airplane", "beach", "dense residential"]
    for index in range(6):
        name = classes[index % 3].replace(" ", "_")
        picture(tmp_path / "data" / name / f"{name}_{index:03d}.jpg", index)
    models = []
    for size in ("small", "large"):
        path = tmp_path / f"{size}.safetensors"
        save_file(build_resnet(18, 3).state_dict(), str(path))
        (tmp_path / f"{size}.safetensors.classes.txt").write_text("\n".join(classes) + "\n")
        models.append(load_model(f"resnet18:{path}"))
    samples, errors = load_samples("resisc45", str(tmp_path / "data"), 5)
    known, more = record(models[0], models[1], samples)
    assert len(known) == 5 and not errors + more
    assert {trace.answer for trace in known.traces} <= set(classes)
    timing = timing_named("xavier", "auto", models[0], samples, stand_in="")
    assert timing.name == "resnet18 on Jetson AGX Xavier" and timing.source == "estimated"


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(ModelUnavailable, match=r"classes\.txt"):
        load_model(f"resnet18:{tmp_path / 'w.safetensors'}")
    (tmp_path / "w.safetensors.classes.txt").write_text("\n")
    with pytest.raises(ModelUnavailable, match="names no classes"):
        load_model(f"resnet18:{tmp_path / 'w.safetensors'}")
    with pytest.raises(ModelUnavailable, match="needs a source"):
        load_model("resnet101")
