"""Frame profiles: what is measured, and that a cache is what would be measured now."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.codec import restore
from models.compressors import Request
from models.interface import VisionLanguageModel
from models.pair.model import PairModel
from models.profile import (
    Frames,
    ProfileOptions,
    current_profile,
    load_frames,
    main,
    measure_profile,
    provenance,
)
from models.profile_file import Profile, ProfileError, difference, load_profile, save_profile
from models.profile_levels import LADDERS
from models.similarity import quality

OPTIONS = ProfileOptions(frames=24, training=60, seed=3)


@pytest.fixture(scope="module")
def pair() -> tuple[VisionLanguageModel, VisionLanguageModel]:
    return PairModel.load("small"), PairModel.load("large")


@pytest.fixture(scope="module")
def frames() -> Frames:
    return load_frames(OPTIONS)


@pytest.fixture(scope="module")
def measured(pair: tuple[VisionLanguageModel, VisionLanguageModel], frames: Frames) -> Profile:
    return measure_profile(OPTIONS, *pair, frames)[0]


@pytest.fixture
def stored(tmp_path: Path, measured: Profile) -> Path:
    path = tmp_path / "profile.safetensors"
    save_profile(measured, path)
    return path


def test_files_are_as_readable_as_any_other(stored: Path) -> None:
    """On a disk that several people share, a profile is everybody's."""
    other = stored.with_name("other")
    other.touch()
    assert stored.stat().st_mode == other.stat().st_mode


def same(left: Profile, right: Profile) -> bool:
    arrays = ("confidence", "small_score", "large_score", "pixels", "onboard_s", "large_s")
    return (
        all(np.array_equal(getattr(left, name), getattr(right, name)) for name in arrays)
        and left.codings.keys() == right.codings.keys()
        and all(
            np.array_equal(a.coded_bytes, b.coded_bytes) and np.array_equal(a.score, b.score)
            for a, b in zip(left.codings.values(), right.codings.values(), strict=True)
        )
        and difference(left.provenance, right.provenance) is None
    )


def test_figures_are_those_of_each_frame_alone(
    pair: tuple[VisionLanguageModel, VisionLanguageModel], frames: Frames, measured: Profile
) -> None:
    small, large = pair
    for row in (0, 11, 23):
        sample = frames.profiled[row]
        trace = small.trace(sample)
        assert measured.small_score[row] == quality(trace.answer, sample.target, sample.task)
        for name, ladder in LADDERS.items():
            for level, compressor in enumerate(ladder.compressors):
                data = compressor.compress(Request(sample.image, trace.encoding))
                assert measured.codings[name].coded_bytes[row, level] == len(data)
                answer = large.trace(replace(sample, image=restore(data))).answer
                score = quality(answer, sample.target, sample.task)
                assert measured.codings[name].score[row, level] == score


def test_a_finer_level_of_plain_coding_takes_more_bytes(measured: Profile) -> None:
    assert (np.diff(measured.codings["plain"].coded_bytes.mean(0)) > 0).all()


def test_nothing_is_out_of_bounds(measured: Profile) -> None:
    assert len(measured) == 24
    assert measured.confidence.shape == (24, 2)
    assert (measured.pixels == 96 * 96).all()
    assert (measured.onboard_s > 0).all() and (measured.large_s > 0).all()
    for coding in measured.codings.values():
        assert (coding.coded_bytes > 0).all()
        assert ((coding.score >= 0) & (coding.score <= 1)).all()


def test_what_is_read_is_what_was_written(stored: Path, measured: Profile) -> None:
    assert same(load_profile(stored), measured)


def test_a_current_cache_is_kept(stored: Path, measured: Profile) -> None:
    said: list[str] = []
    assert same(current_profile(replace(OPTIONS, out=str(stored)), said.append), measured)
    assert not said


def test_a_stale_cache_is_measured_again_says_why_and_comes_out_the_same(
    stored: Path, measured: Profile
) -> None:
    description = json.loads(stored.with_suffix(".json").read_text())
    description["provenance"]["large"] = "another model"
    stored.with_suffix(".json").write_text(json.dumps(description))
    said: list[str] = []
    assert same(current_profile(replace(OPTIONS, out=str(stored)), said.append), measured)
    assert said[0].startswith(
        f"{stored} is of other models, data, codec or settings: large was another model and is"
    )
    assert said[0].endswith(": measured again")
    assert same(load_profile(stored), measured)


def test_an_altered_file_is_refused(stored: Path) -> None:
    content = bytearray(stored.read_bytes())
    content[-1] ^= 1
    stored.write_bytes(bytes(content))
    with pytest.raises(ProfileError, match="was altered after it was measured"):
        load_profile(stored)


@pytest.mark.parametrize("damage", ["{", "[]", '{"format": "other"}'])
def test_a_damaged_description_is_refused(stored: Path, damage: str) -> None:
    stored.with_suffix(".json").write_text(damage)
    with pytest.raises(ProfileError, match="is no profile"):
        load_profile(stored)


def test_what_must_not_be_measured_is_an_error_that_says_why(stored: Path, measured: Profile) -> None:
    options = replace(OPTIONS, out=str(stored))
    assert same(current_profile(options, print, measure=False), measured)
    elsewhere = replace(options, out=str(stored.with_name("none.safetensors")))
    with pytest.raises(ProfileError, match=r"none\.safetensors: there is no such profile; measure it with"):
        current_profile(elsewhere, print, measure=False)
    with pytest.raises(ProfileError, match=r"other models.*data was \w+\.\.\. and is \w+\.\.\.; measure it"):
        current_profile(replace(options, frames=25), print, measure=False)


def test_a_profile_of_another_codec_is_refused(stored: Path) -> None:
    description = json.loads(stored.with_suffix(".json").read_text())
    description["provenance"]["formats"][0] = "leomix-image-1"
    stored.with_suffix(".json").write_text(json.dumps(description))
    with pytest.raises(
        ProfileError, match="coded as leomix-image-1, and frames are coded as leomix-image-2 now"
    ):
        load_profile(stored)
    with pytest.raises(ProfileError, match="coded as leomix-image-1"):
        current_profile(replace(OPTIONS, out=str(stored)), print, measure=False)


def test_a_profile_of_other_models_is_refused(measured: Profile) -> None:
    measured.require_models(small="pair-small", large="pair-large")
    measured.require_models()
    with pytest.raises(ProfileError, match="its large model is another than pair-small"):
        measured.require_models(large="pair-small")


def test_a_missing_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="there is no such profile"):
        load_profile(tmp_path / "none.safetensors")


def test_provenance_knows_settings_and_samples(
    pair: tuple[VisionLanguageModel, VisionLanguageModel], frames: Frames
) -> None:
    before = provenance(OPTIONS, *pair, frames)
    assert difference(before, provenance(replace(OPTIONS, out="elsewhere"), *pair, frames)) is None
    clip = provenance(replace(OPTIONS, attention="clip"), *pair, frames)
    assert str(difference(before, clip)).startswith("encoder was")
    fewer = Frames(frames.training, frames.profiled[:-1], [])
    assert str(difference(before, provenance(OPTIONS, *pair, fewer))).startswith("data was")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["task=riddle"], "task is 'riddle'; it must be one of question"),
        (["data=nothing"], "data is 'nothing'"),
        (["frames=1"], "at least 2 frames"),
        (["training=10"], "at least 50"),
        (["folder=/x"], "procedural scenes are drawn"),
        (["small=pair-tiny"], "model 'pair-tiny' is unknown"),
        (["data=dota", "task=boxes", "folder=/nowhere"], "/nowhere"),
        (["calibration=/nowhere.safetensors", "frames=2"], "no calibrated gate there"),
    ],
)
def test_bad_input_is_one_line(words: list[str], problem: str) -> None:
    with pytest.raises(SystemExit, match=problem):
        main(words)


def test_gates_and_tasks_never_share_a_scene(frames: Frames) -> None:
    scenes = [{sample.name.split()[1] for sample in part} for part in (frames.training, frames.profiled)]
    assert not scenes[0] & scenes[1]
