"""Readers on tiny copies of the published layouts, with one broken file each; tiles cover and boxes follow."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.boxes import parse_boxes
from models.datasets import DATASETS, DatasetError, read_dota, read_resisc45, read_rsvqa_lr
from models.sample import SampleError, Task, check_sample
from models.tiles import boxes_in_tile, tile, tile_corners


def save(path, height=64, width=64, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def test_rsvqa_lr(tmp_path):
    pixels = save(tmp_path / "Images_LR" / "0.tif")
    (tmp_path / "Images_LR" / "1.tif").write_bytes(b"II*\x00broken")
    questions = [
        dict(id=0, img_id=0, type="presence", question="Is a road present?", answers_ids=[10], active=True),
        dict(id=1, img_id=0, type="count", question="How many roads?", answers_ids=[11], active=True),
        dict(id=2, img_id=1, type="comp", question="More roads than rivers?", answers_ids=[12], active=True),
        dict(id=3, active=False),
        dict(id=4, img_id=0, type="comp", question="Fewer?", answers_ids=[99], active=True),
    ]
    answers = [
        dict(id=n, question_id=n - 10, answer=a, active=True) for n, a in ((10, "yes"), (11, "3"), (12, "no"))
    ]
    (tmp_path / "LR_split_test_questions.json").write_text(json.dumps({"questions": questions}))
    (tmp_path / "LR_split_test_answers.json").write_text(json.dumps({"answers": answers}))
    errors: list[SampleError] = []
    samples = list(read_rsvqa_lr(tmp_path, errors))
    assert [(s.prompt, s.target, s.task) for s in samples] == [("Is a road present?", "yes", Task.QUESTION)]
    assert np.array_equal(samples[0].image, pixels)
    assert len(errors) == 2 and "1.tif" in str(errors[1]) and "question 4" in str(errors[0])
    assert len(list(read_rsvqa_lr(tmp_path, [], kinds=("count",)))) == 1
    with pytest.raises(DatasetError, match="LR_split_train_questions"):
        list(read_rsvqa_lr(tmp_path, [], split="train"))


def test_resisc45(tmp_path):
    for number, name in enumerate(("airplane", "tennis_court")):
        save(tmp_path / name / f"{name}_001.jpg", seed=number)
    (tmp_path / "airplane" / "airplane_002.jpg").write_bytes(b"no jpeg")
    save(tmp_path / "airplane" / "airplane_003.jpg", seed=3)
    errors: list[SampleError] = []
    samples = list(read_resisc45(tmp_path, errors))
    assert [s.target for s in samples] == ["airplane", "tennis court", "airplane"]  # classes by turns
    assert all("airplane, tennis court" in s.prompt and s.task is Task.SCENE for s in samples)
    assert len(errors) == 1
    with pytest.raises(DatasetError, match="missing"):
        list(read_resisc45(tmp_path / "absent", []))
    with pytest.raises(DatasetError, match="no class folders"):
        list(read_resisc45(tmp_path / "airplane", []))


def test_dota(tmp_path):
    save(tmp_path / "images" / "P0000.png", 300, 500)
    save(tmp_path / "images" / "P0001.png", 100, 100)
    labels = tmp_path / "labelTxt"
    labels.mkdir()
    labels.joinpath("P0000.txt").write_text(
        "imagesource:GoogleEarth\ngsd:0.15\n"
        "10 20 60 20 60 50 10 50 tennis-court 0\n"
        "400 200 440 200 440 260 400 260 tennis-court 1\n"
        "5 5 9 5 9 9 5 9 plane 0\n"
    )
    errors: list[SampleError] = []
    samples = list(read_dota(tmp_path, errors, tile_px=256, overlap_px=64))
    assert {s.task for s in samples} == {Task.BOXES} and all("tennis court" in s.prompt for s in samples)
    first = samples[0]
    np.testing.assert_allclose(parse_boxes(first.target)[0] * 0.256, [10, 20, 60, 50], atol=0.3)
    assert sum(len(parse_boxes(s.target)) for s in samples) >= 2
    assert len(errors) == 1 and "P0001" in str(errors[0])
    for sample in samples:
        check_sample(sample)
    labels.joinpath("P0001.txt").write_text("1 2 3 plane\n")
    errors.clear()
    list(read_dota(tmp_path, errors, tile_px=256, overlap_px=64))
    assert "line 1" in str(errors[0])
    with pytest.raises(DatasetError, match="labelTxt"):
        list(read_dota(tmp_path / "images", []))


def test_the_registry_names_the_three_sets():
    assert set(DATASETS) == {"rsvqa-lr", "resisc45", "dota"}


@settings(deadline=None)
@given(st.integers(1, 3000), st.integers(1, 900), st.integers(0, 200))
def test_tiles_cover_an_axis_without_gaps(length, side, overlap):
    if overlap >= side:
        with pytest.raises(ValueError, match="overlap"):
            tile_corners(length, side, overlap)
        return
    corners = tile_corners(length, side, overlap)
    assert corners[0] == 0 and corners[-1] + side >= length
    for left, right in pairwise(corners):
        assert left < right <= left + side - overlap


def test_tiles_are_views_and_boxes_move_with_them():
    image = np.zeros((300, 500, 3), np.uint8)
    for x, y, view in tile(image, 200, 50):
        view[:] = 255
        boxes, rows = boxes_in_tile(
            np.array([[x + 10.0, y + 10, x + 30, y + 20], [900, 900, 910, 910]]), x, y, 200, 200
        )
        assert boxes.tolist() == [[10, 10, 30, 20]] and rows.tolist() == [0]
    assert image.all()


def test_broken_labels_and_questions_cost_only_themselves(tmp_path):
    for name, label in (("a", b"\xff\xfe\xfa"), ("b", b"nan 0 9 0 9 9 0 9 tennis-court 0\n"), ("c", b"")):
        for folder in ("images", "labelTxt"):
            (tmp_path / folder).mkdir(exist_ok=True)
        Image.new("RGB", (32, 32)).save(tmp_path / "images" / f"{name}.png")
        (tmp_path / "labelTxt" / f"{name}.txt").write_bytes(label)
    errors: list[SampleError] = []
    assert list(read_dota(tmp_path, errors)) == []
    assert ["a.txt" in str(errors[0]), "NaN" in str(errors[1]), len(errors)] == [True, True, 2]

    (tmp_path / "Images_LR").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "Images_LR" / "0.tif")
    question = dict(id=1, img_id=0, type="presence", question="is there water?", answers_ids=[7])
    rows = [question, {key: value for key, value in question.items() if key != "img_id"}]
    (tmp_path / "LR_split_test_questions.json").write_text(json.dumps({"questions": rows}))
    (tmp_path / "LR_split_test_answers.json").write_text(json.dumps({"answers": [dict(id=7, answer="yes")]}))
    errors.clear()
    assert [sample.target for sample in read_rsvqa_lr(tmp_path, errors)] == ["yes"]
    assert len(errors) == 1 and "img_id" in str(errors[0])
