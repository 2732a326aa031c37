"""Models and data sets by name, as the command lines and configurations give them.

Models: pair-small, pair-large, or qwen:<hub name or folder>. Data: procedural, or a reader of models.datasets with its
folder. Nothing is replaced silently: an unknown name or a missing file is an error that says what would work.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pkgutil import resolve_name

from models.datasets import DATASETS
from models.interface import ModelUnavailable, VisionLanguageModel
from models.sample import Sample, SampleError

PROCEDURAL = "procedural"
FIRST_EVALUATION_SEED = 1_000_000  # far above the scenes that trained the built-in pair


def _pair(size: str) -> VisionLanguageModel:
    from models.pair.model import PairModel

    return PairModel.load(size)


def _qwen(source: str) -> VisionLanguageModel:
    from models.qwen import QwenVL

    return QwenVL.load(source)


MODELS: dict[str, Callable[[str], VisionLanguageModel]] = {
    "pair-small": lambda _: _pair("small"),
    "pair-large": lambda _: _pair("large"),
    "qwen": _qwen,
}


def _own(name: str) -> VisionLanguageModel:
    """What `module:maker` of the user's makes (docs/extending.md)."""
    try:
        model = resolve_name(name)()
    except (ImportError, AttributeError) as error:
        raise ModelUnavailable(
            f"model {name!r} cannot be had: {error}; is its folder in PYTHONPATH?"
        ) from error
    if not isinstance(model, VisionLanguageModel):
        raise ModelUnavailable(f"model {name!r} is not a models.interface.VisionLanguageModel")
    return model


def load_model(name: str) -> VisionLanguageModel:
    """The model of a name such as pair-small or qwen:Qwen/Qwen2-VL-2B-Instruct."""
    kind, _, source = name.partition(":")
    if kind not in MODELS and source:
        return _own(name)
    if kind not in MODELS:
        raise ModelUnavailable(
            f"model {name!r} is unknown; use pair-small, pair-large or qwen:<hub name or folder>"
        )
    if kind == "qwen" and not source:
        raise ModelUnavailable("model 'qwen' needs a source: qwen:<hub name or folder>")
    return MODELS[kind](source)


def load_samples(
    data: str, folder: str, number: int, *, seed: int = 0
) -> tuple[list[Sample], list[SampleError]]:
    """The first `number` samples of a data set, and the errors of those that could not be read.

    folder  where a real data set lies; ignored (and to be left empty) for the procedural one
    """
    if number < 1:
        raise ValueError(f"samples is {number}; it must be at least 1")
    if data == PROCEDURAL:
        from models.procedural import procedural_samples

        if folder:
            raise ValueError(f"folder is {folder!r}; procedural scenes are drawn and need none")
        first = FIRST_EVALUATION_SEED * (1 + seed)
        return procedural_samples(range(first, first + -(-number // 3)))[:number], []
    if data not in DATASETS:
        raise ValueError(f"data {data!r} is unknown; use {PROCEDURAL}, {', '.join(DATASETS)}")
    errors: list[SampleError] = []
    return list(islice(DATASETS[data](folder, errors), number)), errors
