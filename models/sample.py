"""One sample of an Earth-observation task: what is looked at, what is asked, what would be right."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

SMALLEST_SIDE_PX = 16
LARGEST_SIDE_PX = 32_768


class SampleError(ValueError):
    """One sample cannot be used. The run reports it by name and goes on with the others."""


def of_sample(name: str, error: SampleError) -> SampleError:
    """The error with the sample's name before it, unless it is there already."""
    return error if str(error).startswith(name) else SampleError(f"{name}: {error}")


class Task(str, Enum):
    """The three tasks of the SpaceVerse evaluation (section 4.1.2)."""

    QUESTION = "question"
    SCENE = "scene"
    BOXES = "boxes"


@dataclass(frozen=True)
class Sample:
    """An image with a prompt and its right answer.

    image   [height, width, 3] uint8, RGB
    prompt  what the model is asked, in words
    target  the right answer as text; for boxes the text of `models.boxes.format_boxes`
    task    which of the three tasks the prompt belongs to: it selects the score, the models never see it
    name    how messages call this sample
    """

    image: np.ndarray
    prompt: str
    target: str
    task: Task = Task.QUESTION
    name: str = "sample"


def check_sample(sample: Sample) -> Sample:
    """Return `sample` unchanged, or raise a SampleError that names what is wrong and how to mend it."""

    def reject(problem: str) -> SampleError:
        return SampleError(f"{sample.name}: {problem}")

    image = sample.image
    if not isinstance(image, np.ndarray):
        raise reject(f"the image is a {type(image).__name__}; give a numpy array [height, width, 3] of uint8")
    if image.ndim != 3 or image.shape[2] != 3:
        raise reject(
            f"the image has shape {tuple(image.shape)}; expected [height, width, 3] RGB "
            "(select or average the bands before)"
        )
    if np.issubdtype(image.dtype, np.floating) and not np.isfinite(image).all():
        raise reject("the image holds NaN or infinite values; fill or drop those pixels before")
    if image.dtype != np.uint8:
        raise reject(f"the image holds {image.dtype} values; scale them to 0..255 and convert to uint8")
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_SIDE_PX:
        raise reject(f"the image is {height} x {width} px; the smallest usable side is {SMALLEST_SIDE_PX} px")
    if max(height, width) > LARGEST_SIDE_PX:
        raise reject(
            f"the image is {height} x {width} px; the largest usable side is {LARGEST_SIDE_PX} px: "
            "cut it with models.tiles.tile first"
        )
    if not isinstance(sample.prompt, str) or not sample.prompt.strip():
        raise reject("the prompt is empty; say what should be answered")
    try:
        sample.prompt.encode()
    except UnicodeEncodeError as error:
        raise reject("the prompt holds half a character (a lone surrogate); read it as UTF-8") from error
    return sample


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file as [height, width, 3] uint8 RGB, or raise a SampleError that names the file."""
    from PIL import Image, UnidentifiedImageError

    path = Path(path)
    if not path.is_file():
        raise SampleError(f"{path}: there is no such image file")
    # The limit on pixels is ours (LARGEST_SIDE_PX): Pillow's own guard would refuse ordinary DOTA scenes.
    previous, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, LARGEST_SIDE_PX**2
    try:
        with Image.open(path) as opened:
            if opened.mode not in ("RGB", "RGBA", "L", "P"):
                raise SampleError(
                    f"{path}: colour mode {opened.mode} is not RGB; convert the file to 8-bit RGB"
                )
            if max(opened.size) > LARGEST_SIDE_PX:
                raise SampleError(
                    f"{path}: {opened.size[0]} x {opened.size[1]} px is above {LARGEST_SIDE_PX} px a side"
                )
            return np.asarray(opened.convert("RGB"))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        raise SampleError(f"{path}: cannot be read as an image ({error})") from error
    finally:
        Image.MAX_IMAGE_PIXELS = previous
