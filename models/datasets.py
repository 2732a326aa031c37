"""Readers of the three Earth-observation data sets of SpaceVerse, from a local folder in their published layout.

Nothing is downloaded. A missing folder or index is a DatasetError that says what is expected; an image that cannot be
read costs its own samples only: its error goes into the caller's list and reading goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path

import numpy as np

from models.boxes import SCALE, format_boxes
from models.sample import Sample, SampleError, Task, read_image
from models.tiles import boxes_in_tile, tile

RESISC_PROMPT = "What is the scene class of this image? Answer with one of: {classes}."
DOTA_PROMPT = "Find every {name} and give its box as [x0,y0,x1,y1] in thousandths of the image side."
DOTA_TARGETS = (  # the six categories SpaceVerse evaluates, as DOTA spells them
    "ground-track-field",
    "soccer-ball-field",
    "swimming-pool",
    "baseball-diamond",
    "basketball-court",
    "tennis-court",
)


class DatasetError(RuntimeError):
    """A data set is not where it was said to be, or not in its published layout."""


def _json(path: Path, key: str) -> list[dict]:
    if not path.is_file():
        raise DatasetError(
            f"{path} is missing; RSVQA-LR is expected as published (Images_LR/ and LR_split_*.json)"
        )
    try:
        rows = json.loads(path.read_text())[key]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} is not a RSVQA-LR index with the list {key!r}") from error
    return [row for row in rows if row.get("active", True)]


def read_rsvqa_lr(
    folder: str | Path,
    errors: list[SampleError],
    *,
    split: str = "test",
    kinds: tuple[str, ...] = ("presence", "comp"),
) -> Iterator[Sample]:
    """RSVQA-LR: Images_LR/<id>.tif and LR_split_<split>_{questions,answers}.json.

    kinds: question types to keep; SpaceVerse evaluates presence and comparison ("comp").
    """
    folder = Path(folder)
    questions = _json(folder / f"LR_split_{split}_questions.json", "questions")
    answers = {
        row["id"]: row["answer"] for row in _json(folder / f"LR_split_{split}_answers.json", "answers")
    }
    image_id, image = None, None
    whole = [row for row in questions if {"id", "img_id", "question"} <= row.keys()]
    if len(whole) < len(questions):
        errors.append(SampleError(f"{len(questions) - len(whole)} questions have no id, img_id or question"))
    for row in sorted(whole, key=lambda row: (row["img_id"], row["id"])):
        if row.get("type") not in kinds:
            continue
        known = [answers[number] for number in row.get("answers_ids", []) if number in answers]
        if not known:
            errors.append(SampleError(f"question {row['id']} has no answer in LR_split_{split}_answers.json"))
            continue
        if row["img_id"] != image_id:
            image_id, image = row["img_id"], None
            try:
                image = read_image(folder / "Images_LR" / f"{image_id}.tif")
            except SampleError as error:
                errors.append(error)
        if image is not None:
            yield Sample(
                image, row["question"], str(known[0]), Task.QUESTION, f"RSVQA-LR question {row['id']}"
            )


def read_resisc45(folder: str | Path, errors: list[SampleError]) -> Iterator[Sample]:
    """RESISC45: one folder per class with <class>_<number>.jpg."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder} is missing; RESISC45 is expected as one folder of JPEG files per class")
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if not classes:
        raise DatasetError(f"{folder} holds no class folders; RESISC45 has 45, such as airplane/")
    names = {name: name.replace("_", " ") for name in classes}
    prompt = RESISC_PROMPT.format(classes=", ".join(names.values()))
    files = [sorted((folder / name).glob("*.jpg")) for name in classes]
    for round_of_classes in zip_longest(*files):  # by turns, so that the first few samples hold every class
        for name, path in zip(classes, round_of_classes, strict=True):
            if path is None:
                continue
            try:
                yield Sample(read_image(path), prompt, names[name], Task.SCENE, f"RESISC45 {path.name}")
            except SampleError as error:
                errors.append(error)


def read_dota_labels(path: Path) -> list[tuple[str, np.ndarray]]:
    """Category and upright box (x0, y0, x1, y1) in pixels of every object of a labelTxt file."""
    found = []
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError as error:
        raise SampleError(f"{path}: is no text") from error
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or ":" in words[0]:  # imagesource: and gsd: head lines
            continue
        if len(words) < 9:
            raise SampleError(f"{path}: line {number} is not x1 y1 ... x4 y4 category [difficult]")
        try:
            corner = np.array([float(word) for word in words[:8]]).reshape(4, 2)
        except ValueError as error:
            raise SampleError(f"{path}: line {number} holds a coordinate that is not a number") from error
        if not np.isfinite(corner).all():
            raise SampleError(f"{path}: line {number} holds a coordinate that is NaN or infinite")
        found.append((words[8], np.concatenate([corner.min(0), corner.max(0)])))
    return found


def read_dota(
    folder: str | Path,
    errors: list[SampleError],
    *,
    categories: tuple[str, ...] = DOTA_TARGETS,
    tile_px: int = 1024,
    overlap_px: int = 128,
) -> Iterator[Sample]:
    """DOTA-v1.0: images/<name>.png with labelTxt/<name>.txt, tiled; one sample per tile and category present.

    The oriented boxes become their upright bounds, since the models answer with upright boxes.
    """
    folder = Path(folder)
    for needed in ("images", "labelTxt"):
        if not (folder / needed).is_dir():
            raise DatasetError(
                f"{folder / needed} is missing; DOTA-v1.0 is expected as images/ and labelTxt/"
            )
    for path in sorted((folder / "images").glob("*.png")):
        try:
            labels = read_dota_labels(folder / "labelTxt" / f"{path.stem}.txt")
            image = read_image(path)
        except FileNotFoundError:
            errors.append(SampleError(f"{path.name} has no labelTxt/{path.stem}.txt"))
            continue
        except SampleError as error:
            errors.append(error)
            continue
        for x, y, view in tile(image, tile_px, overlap_px):
            height, width = view.shape[:2]
            for name in categories:
                boxes = np.array([box for category, box in labels if category == name]).reshape(-1, 4)
                inside, _ = boxes_in_tile(boxes, x, y, width, height)
                if len(inside):
                    target = format_boxes(inside * (SCALE / np.array([width, height, width, height])))
                    prompt = DOTA_PROMPT.format(name=name.replace("-", " "))
                    yield Sample(view, prompt, target, Task.BOXES, f"DOTA {path.stem} at {x},{y} {name}")


DATASETS: dict[str, Callable[..., Iterator[Sample]]] = {
    "rsvqa-lr": read_rsvqa_lr,
    "resisc45": read_resisc45,
    "dota": read_dota,
}
