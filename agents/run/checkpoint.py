"""A checkpoint: a folder that holds a nested state without a pickle, and that shows whether it is whole.

index.json          format, version of the code, size and SHA-256 of every other file, and a digest of itself
state.json          everything that is not a tensor (agents/run/nested_state.py)
tensors.safetensors all tensors
...                 copies of other files that belong to this moment

Reading checks every byte first, so that a truncated or altered file is found before anything is built from it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from agents.run.code_version import code_version
from agents.run.nested_state import put_together, take_apart
from envs.config import ConfigError

FORMAT = "leomix-checkpoint-1"
_INDEX, _STATE, _TENSORS = "index.json", "state.json", "tensors.safetensors"
_REMEDY = "resume from an older checkpoint, or start a new run"


class CheckpointDamaged(ConfigError):
    """A checkpoint is not as it was written. file: which of its files; reason: what is wrong with it."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file} is damaged ({reason}): {_REMEDY}")
        self.file, self.reason = file, reason


@dataclass(frozen=True)
class Checkpoint:
    """What was read from `folder`.

    code: version of the code that wrote it (`agents.run.code_version`).
    state: the nested state; its tensors are on the CPU.
    files: the copies beside it, by name.
    """

    folder: Path
    code: str
    state: dict[str, Any]
    files: Mapping[str, Path]


def write_checkpoint(folder: Path, state: Mapping[str, Any], *, files: Iterable[Path] = ()) -> None:
    """Fill the empty `folder` with `state` and copies of those of `files` that exist.

    Raises TypeError, naming the place, where `state` holds something that is neither a tensor nor a plain value, and
    OSError where the disk does not take a file.
    """
    values, tensors = take_apart(dict(state))
    (folder / _STATE).write_text(json.dumps(values, allow_nan=False, indent=1))
    try:
        save_file(tensors, folder / _TENSORS)
    except SafetensorError as error:  # the operating system's error, of which it keeps only the words
        raise OSError(errno.EIO, str(error), str(folder / _TENSORS)) from error
    shutil.copymode(folder / _STATE, folder / _TENSORS)  # safetensors lets nobody but the owner read
    for file in files:
        if file.exists():
            shutil.copyfile(file, folder / file.name)
    index = {"format": FORMAT, "code": code_version(), "files": {}}
    for file in sorted(folder.iterdir()):
        index["files"][file.name] = {"bytes": file.stat().st_size, "sha256": _sha256(file)}
    (folder / _INDEX).write_bytes(_sealed(index))


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read `folder` after checking that it is as it was written.

    Raises CheckpointDamaged naming the file, or ConfigError where another version wrote it in another format.
    """
    index = _read_index(folder)
    for name, expected in index["files"].items():
        _check(folder / name, expected["bytes"], expected["sha256"])
    try:
        values = json.loads((folder / _STATE).read_bytes())
        mapped = load_file(folder / _TENSORS)
        state = put_together(values, {name: tensor.clone() for name, tensor in mapped.items()})
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointDamaged(folder / _STATE, f"it does not fit its tensors: {error}") from error
    copies = {name: folder / name for name in index["files"] if name not in (_STATE, _TENSORS)}
    return Checkpoint(folder, index["code"], state, copies)


def written_by(folder: Path) -> str:
    """The version of the code that wrote the checkpoint in `folder`; raises as `read_checkpoint` does."""
    return _read_index(folder)["code"]


def _read_index(folder: Path) -> dict[str, Any]:
    file = folder / _INDEX
    if not file.exists() and any(folder.rglob("*.pkl")):
        raise ConfigError(
            f"{folder} was written by an older version, as pickles, which are not read any more: "
            "resume with that version, or start a new run"
        )
    try:
        content = file.read_bytes()
        index = json.loads(content)
        whole = content == _sealed({name: value for name, value in index.items() if name != "digest"})
    except FileNotFoundError:
        raise CheckpointDamaged(file, "it is missing") from None
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointDamaged(file, f"it cannot be read: {error}") from error
    if not whole:
        raise CheckpointDamaged(file, "its content has changed")
    if index["format"] != FORMAT:
        raise ConfigError(
            f"{folder} has format {index['format']!r}, written by {index['code']}; this version reads {FORMAT!r}: "
            "resume with the version that wrote it, or start a new run"
        )
    return index


def _check(file: Path, size: int, sha256: str) -> None:
    try:
        if file.stat().st_size != size:
            raise CheckpointDamaged(file, f"{file.stat().st_size} bytes instead of {size}")
        if _sha256(file) != sha256:
            raise CheckpointDamaged(file, "its content has changed")
    except FileNotFoundError:
        raise CheckpointDamaged(file, "it is missing") from None
    except OSError as error:
        raise CheckpointDamaged(file, f"it cannot be read: {error}") from error


def _sealed(index: dict[str, Any]) -> bytes:
    """The one way to write `index`, with a digest of itself in it. The same in every format, so that any version
    can tell a damaged index from one of another format."""
    digest = hashlib.sha256(json.dumps(index, sort_keys=True).encode()).hexdigest()
    return json.dumps({**index, "digest": digest}, sort_keys=True, indent=1).encode()


def _sha256(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
