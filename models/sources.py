"""Models and data sets by name, as the command lines and configurations give them.

Models: pair-small, pair-large, qwen:<hub name or folder>, resnet18:<file> or resnet101:<file>. Data: procedural, or a
reader of models.datasets with its folder. Nothing is replaced silently: an unknown name or a missing file is an error
that says what would work.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pkgutil import resolve_name

from models.datasets import DATASETS
from models.interface import Encoder, ModelUnavailable, VisionLanguageModel
from models.sample import Sample, SampleError

PROCEDURAL = "procedural"
FIRST_EVALUATION_SEED = 1_000_000  # far above the scenes that trained the built-in pair


def _pair(size: str) -> VisionLanguageModel:
    from models.pair.model import PairModel

    return PairModel.load(size)


def _qwen(source: str) -> VisionLanguageModel:
    from models.qwen import QwenVL

    return QwenVL.load(source)


def _resnet(depth: int) -> Callable[[str], VisionLanguageModel]:
    def load(source: str) -> VisionLanguageModel:
        from models.resnets import ResNetClassifier, read_classes

        return ResNetClassifier.load(depth, read_classes(source), source)

    return load


MODELS: dict[str, Callable[[str], VisionLanguageModel]] = {
    "pair-small": lambda _: _pair("small"),
    "pair-large": lambda _: _pair("large"),
    "qwen": _qwen,
    "resnet18": _resnet(18),
    "resnet101": _resnet(101),
}
WITHOUT_SOURCE = ("pair-small", "pair-large")


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
            f"model {name!r} is unknown; use pair-small, pair-large, qwen:<hub name or folder>, "
            "resnet18:<safetensors file> or resnet101:<safetensors file>"
        )
    if kind not in WITHOUT_SOURCE and not source:
        raise ModelUnavailable(f"model {kind!r} needs a source: {kind}:<folder or file>")
    return MODELS[kind](source)


ATTENTIONS = ("own", "clip")


def load_encoder(attention: str, clip_weights: str) -> Encoder | None:
    """The encoder of eq. (2): None for the small model's own, or CLIP ViT-B/16 with these weights."""
    if attention not in ATTENTIONS:
        raise ValueError(f"attention is {attention!r}; it must be {' or '.join(ATTENTIONS)}")
    if attention == "own":
        return None
    from models.clip import ClipEncoder

    return ClipEncoder.load(clip_weights)


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
