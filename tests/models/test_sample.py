"""Bad samples are refused one by one, with a message that names the sample and the remedy."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from models.pair.model import PairModel
from models.pair.network import SMALL, PairNetwork
from models.sample import Sample, SampleError, check_sample, read_image

GOOD = np.zeros((32, 32, 3), np.uint8)


@pytest.mark.parametrize(
    ("image", "prompt", "words"),
    [
        (GOOD, "  ", "prompt is empty"),
        (GOOD, "any \ud83d here?", "surrogate"),
        (np.zeros((32, 32), np.uint8), "q", "RGB"),
        (np.zeros((32, 32, 4), np.uint8), "q", "RGB"),
        (np.full((32, 32, 3), np.nan, np.float32), "q", "NaN"),
        (np.zeros((32, 32, 3), np.float32), "q", "uint8"),
        (np.zeros((4, 32, 3), np.uint8), "q", "smallest"),
        (np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (16, 40_000, 3)), "q", "tile"),
        ([[1, 2, 3]], "q", "numpy array"),
    ],
)
def test_bad_samples_are_named(image, prompt, words):
    with pytest.raises(SampleError, match=words) as caught:
        check_sample(Sample(image, prompt, "yes", name="frame 7"))
    assert "frame 7" in str(caught.value)


def test_a_good_sample_passes():
    sample = Sample(GOOD, "is there any ship?", "no")
    assert check_sample(sample) is sample


def test_unreadable_files_are_named(tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    with pytest.raises(SampleError, match="broken"):
        read_image(broken)
    with pytest.raises(SampleError, match="no such image"):
        read_image(tmp_path / "absent.png")
    Image.new("CMYK", (20, 20)).save(tmp_path / "print.jpg")
    with pytest.raises(SampleError, match="CMYK"):
        read_image(tmp_path / "print.jpg")
    whole = tmp_path / "cut.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(whole)
    whole.write_bytes(whole.read_bytes()[:600])
    with pytest.raises(SampleError, match="cut"):
        read_image(whole)


def test_a_run_goes_on_after_bad_samples_and_reports_them():
    model = PairModel(PairNetwork(SMALL), "untrained")
    image = np.zeros((96, 96, 3), np.uint8)
    samples = [
        Sample(image, "is there any ship?", "no", name="a"),
        Sample(image, "", "no", name="b"),
        Sample(image, "is there any dragon?", "no", name="c"),
        Sample(image[:3], "is there any ship?", "no", name="d"),
        Sample(image, "is there any " + "very " * 40 + "ship?", "no", name="e"),
        Sample(image, "find every plane", "none", name="f"),
    ]
    traces, errors = model.traces(samples)
    assert [trace is not None for trace in traces] == [True, False, False, False, False, True]
    assert [str(error).split(":")[0] for error in errors] == ["b", "c", "d", "e"]
