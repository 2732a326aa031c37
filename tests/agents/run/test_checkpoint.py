"""A checkpoint is read as it was written, or not at all: whatever bit of it changes, and wherever it is cut."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.run.checkpoint import Checkpoint, CheckpointDamaged, read_checkpoint, write_checkpoint
from agents.run.code_version import code_version
from envs.config import ConfigError

STATE = {
    "weights": {"a": torch.arange(3.0), "b": torch.zeros(0)},
    "counters": {"iterations": 7},
    "best": float("inf"),
}
FILES = ("index.json", "state.json", "tensors.safetensors", "metrics.csv")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint; tests that change one take a copy."""
    folder = tmp_path_factory.mktemp("written")
    metrics = folder.with_suffix(".csv").with_name("metrics.csv")
    metrics.write_text("iteration\n1\n")
    write_checkpoint(folder, STATE, files=(metrics, folder / "not there"))
    return folder


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "copy"))


def assert_as_written(read: Checkpoint) -> None:
    assert torch.equal(read.state["weights"]["a"], STATE["weights"]["a"])
    assert read.state["weights"]["b"].shape == (0,)
    assert read.state["counters"] == {"iterations": 7}
    assert read.state["best"] == float("inf")
    assert read.code == code_version()
    assert {name: path.read_text() for name, path in read.files.items()} == {"metrics.csv": "iteration\n1\n"}


def test_what_is_written_is_read(written: Path) -> None:
    assert sorted(path.name for path in written.iterdir()) == sorted(FILES)
    assert_as_written(read_checkpoint(written))


def test_tensors_are_not_tied_to_the_file(copy: Path) -> None:
    read = read_checkpoint(copy)
    with open(copy / "tensors.safetensors", "r+b") as file:
        file.write(bytes(2000))
    assert_as_written(read)


def test_everybody_may_read_what_the_writer_lets_them(written: Path) -> None:
    assert len({(written / name).stat().st_mode for name in ("index.json", "tensors.safetensors")}) == 1


@settings(deadline=None)
@given(data=st.data())
def test_every_flipped_bit_and_every_cut_is_found(written: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FILES))
    content = (written / name).read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    bit = data.draw(st.integers(0, 7))
    flipped = content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]
    changes = {"flipped": flipped, "cut": content[:place], "longer": content + b"x"}
    changed = changes[data.draw(st.sampled_from(sorted(changes)))]
    try:
        (written / name).write_bytes(changed)
        with pytest.raises(
            CheckpointDamaged, match=r"damaged \(.*\): resume from an older checkpoint, or start"
        ) as error:
            read_checkpoint(written)
        assert str(written / name) in str(error.value)
        assert "\n" not in str(error.value)
    finally:
        (written / name).write_bytes(content)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(CheckpointDamaged, match=rf"{name} is damaged \(it is missing\)"):
        read_checkpoint(copy)


def rewritten_index(folder: Path, change: Callable[[dict], object]) -> None:
    """Change the index as another version would have written it."""
    from agents.run.checkpoint import _sealed

    index = json.loads((folder / "index.json").read_text())
    del index["digest"]
    change(index)
    (folder / "index.json").write_bytes(_sealed(index))


def test_another_format_is_no_damage(copy: Path) -> None:
    rewritten_index(copy, lambda index: index.update(format="leomix-checkpoint-9", code="leomix 9.0"))
    with pytest.raises(ConfigError, match=r"format 'leomix-checkpoint-9', written by leomix 9\.0;") as error:
        read_checkpoint(copy)
    assert not isinstance(error.value, CheckpointDamaged)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "learner_group").mkdir()
    (tmp_path / "learner_group" / "state.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(
        ConfigError, match="as pickles, which are not read any more: resume with that version"
    ):
        read_checkpoint(tmp_path)


def test_a_state_with_something_else_in_it_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="replay/0 is a object"):
        write_checkpoint(tmp_path, {"replay": [object()]})


def test_the_version_of_the_code_names_package_and_commit() -> None:
    assert code_version().startswith("leomix ")
    assert "\n" not in code_version()
