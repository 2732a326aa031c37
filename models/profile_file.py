"""Frame profiles on disk: a safetensors file of figures and a JSON file that says what they were measured on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from models.codec import CODING
from models.sample import Sample
from models.sources import load_model

FORMAT = "leomix-profile-1"
EITHER = "either"
"""All ladders together: every frame may be coded by whichever gives more for its bytes."""
PHASES = ("vision", "prefill", "decode")


class ProfileError(ValueError):
    """A profile cannot be used; the message names the file, what is wrong and the remedy."""


@dataclass(frozen=True)
class Coding:
    """N frames coded at J levels, the coarsest first.

    labels: [J] what each level is. coded_bytes: [N, J] int64. score: [N, J] float64 in [0, 1], of the large model's
    answers to the frames as they are after decoding.
    """

    labels: tuple[str, ...]
    coded_bytes: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class Profile:
    """What is known of N frames.

    confidence: [N, I] of the gate's stages, the first of which needs no decoding. small_score, large_score: [N] of the
    onboard answer, and of the large model's to the untouched frame. pixels: [N]. onboard_s, large_s: [N, 3] seconds of
    `PHASES` on the device profiles. codings: by name of the ladder. provenance: hashes and settings.
    """

    confidence: np.ndarray
    small_score: np.ndarray
    large_score: np.ndarray
    pixels: np.ndarray
    onboard_s: np.ndarray
    large_s: np.ndarray
    codings: dict[str, Coding]
    provenance: dict[str, Any]

    def __len__(self) -> int:
        return len(self.small_score)

    def select(self, rows: np.ndarray | slice) -> Profile:
        """The frames at `rows`."""
        return Profile(
            self.confidence[rows],
            self.small_score[rows],
            self.large_score[rows],
            self.pixels[rows],
            self.onboard_s[rows],
            self.large_s[rows],
            {n: Coding(c.labels, c.coded_bytes[rows], c.score[rows]) for n, c in self.codings.items()},
            self.provenance,
        )

    def coded(self, name: str) -> Coding:
        """The frames as the ladder `name` codes them; `EITHER`: levels of all ladders, one ladder after the other."""
        if name != EITHER:
            return self.codings[name]
        every = list(self.codings.values())
        return Coding(
            tuple(label for coding in every for label in coding.labels),
            np.concatenate([coding.coded_bytes for coding in every], 1),
            np.concatenate([coding.score for coding in every], 1),
        )

    def require_models(self, small: str = "", large: str = "") -> None:
        """Raise ProfileError unless these were measured; names as of `models.sources.load_model`, "": whichever."""
        for part, name in (("small", small), ("large", large)):
            if name and load_model(name).fingerprint() != self.provenance.get(part):
                raise ProfileError(
                    f"its {part} model is another than {name}; measure again with `python -m models.profile`"
                )


_PLAIN_TENSORS = ("confidence", "small_score", "large_score", "pixels", "onboard_s", "large_s")


def save_profile(profile: Profile, path: Path) -> None:
    """Write `path` and the JSON beside it, the latter last: a profile without it is none."""
    tensors = {name: np.ascontiguousarray(getattr(profile, name)) for name in _PLAIN_TENSORS}
    for name, coding in profile.codings.items():
        tensors[f"{name}.coded_bytes"] = np.ascontiguousarray(coding.coded_bytes)
        tensors[f"{name}.score"] = np.ascontiguousarray(coding.score)
    path.parent.mkdir(parents=True, exist_ok=True)
    _description(path).unlink(missing_ok=True)
    path.write_bytes(save(tensors))  # `save_file` would keep it from all other users
    content = {
        "format": FORMAT,
        "sha256": _file_hash(path),
        "codings": {name: coding.labels for name, coding in profile.codings.items()},
        "provenance": profile.provenance,
    }
    _description(path).write_text(json.dumps(content, indent=2) + "\n")


def load_profile(path: Path) -> Profile:
    """Read what `save_profile` wrote. Raises ProfileError for a missing, foreign or altered file, and for frames that
    another codec has coded."""
    remedy = "measure it with `python -m models.profile`"
    if not path.is_file() or not _description(path).is_file():
        raise ProfileError(f"{path}: there is no such profile with its {_description(path).name}; {remedy}")
    try:
        content = json.loads(_description(path).read_text())
        if content["format"] != FORMAT:
            raise TypeError(f"its format is {content['format']!r}, not {FORMAT!r}")
        if content["sha256"] != _file_hash(path):
            raise ProfileError(
                f"{path} was altered after it was measured (its SHA-256 differs); {remedy} again"
            )
        coding = content["provenance"].get("formats", [CODING])[0]
        if coding != CODING:
            raise ProfileError(
                f"{path}: coded as {coding}, and frames are coded as {CODING} now; {remedy} again"
            )
        tensors = load_file(str(path))
        return Profile(
            **{name: tensors[name] for name in _PLAIN_TENSORS},
            codings={
                name: Coding(tuple(labels), tensors[f"{name}.coded_bytes"], tensors[f"{name}.score"])
                for name, labels in content["codings"].items()
            },
            provenance=content["provenance"],
        )
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise ProfileError(f"{path} is no profile ({error}); {remedy} again") from error


def difference(stored: dict[str, Any], wanted: dict[str, Any], path: str = "") -> str | None:
    """The first key in which two provenances differ, dotted, with both values; None: they agree."""
    for key in dict.fromkeys([*wanted, *stored]):
        name = f"{path}{key}"
        left, right = stored.get(key), wanted.get(key)
        if isinstance(left, dict) and isinstance(right, dict):
            inner = difference(left, right, f"{name}.")
            if inner is not None:
                return inner
        elif left != right:
            return f"{name} was {_shortened(left)} and is {_shortened(right)}"
    return None


def _shortened(value: Any, most: int = 24) -> str:
    text = str(value)
    return text if len(text) <= most else f"{text[:most]}..."


def data_hash(samples: Sequence[Sample]) -> str:
    """SHA-256 over images, prompts, targets and tasks, in order."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(f"{sample.image.shape}{sample.prompt}\0{sample.target}\0{sample.task.value}\0".encode())
        digest.update(np.ascontiguousarray(sample.image).data)
    return digest.hexdigest()


def _description(path: Path) -> Path:
    return path.with_suffix(".json")


def _file_hash(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
