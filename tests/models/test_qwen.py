"""Qwen2-VL's real classes at a tiny size: the own decoding loop is the library's, token for token."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from models.interface import ModelUnavailable
from models.qwen import QwenVL
from models.sample import Sample, SampleError
from tests.models.tiny_models import tiny_qwen

pytestmark = pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")
TOKENS = 12


@pytest.fixture(scope="module")
def qwen() -> QwenVL:
    return QwenVL(*tiny_qwen(), most_new_tokens=TOKENS)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (112, 84, 3), dtype=np.uint8)


def test_the_loop_gives_the_tokens_of_generate(qwen, image):
    encoding = qwen.encode(image, "is there a ship?")
    ids, _, _, grid = encoding.state
    steps = list(qwen.decode(encoding))
    pixels = qwen.image_processor(images=[image], return_tensors="pt")
    is_image = (ids == qwen._token("<|image_pad|>")).int()
    with torch.no_grad():
        reference = qwen.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values=pixels["pixel_values"],
            image_grid_thw=grid,
            mm_token_type_ids=is_image,
            max_new_tokens=TOKENS,
            do_sample=False,
            pad_token_id=0,
            return_dict_in_generate=True,
            output_hidden_states=True,
        )
    expected = reference.sequences[0, ids.shape[1] :].tolist()
    expected = (
        expected[: expected.index(min(qwen.end_tokens))] if set(expected) & qwen.end_tokens else expected
    )
    assert [step.text for step in steps] == [qwen.tokenizer.decode([token]) for token in expected]
    for step, layers in zip(steps, reference.hidden_states, strict=False):
        torch.testing.assert_close(step.hidden, layers[-1][0, -1], atol=1e-4, rtol=1e-3)


def test_features_have_the_announced_shapes(qwen, image):
    encoding = qwen.encode(image, "is there a ship?")
    assert encoding.image.shape == (encoding.grid[0] * encoding.grid[1], 64)
    assert encoding.prompt.shape == (len("is there a ship?"), 64)
    assert encoding.content.shape == (len(encoding.prompt),)
    assert bool(encoding.content.any())


def test_stopping_early_leaves_the_first_tokens_unchanged(qwen, image):
    whole = [step.text for step in qwen.decode(qwen.encode(image, "count the ships"))]
    loop = qwen.decode(qwen.encode(image, "count the ships"))
    assert [next(loop).text for _ in range(3)] == whole[:3]


def test_a_prompt_beyond_the_context_is_the_samples_error_and_the_run_goes_on(image):
    short = QwenVL(*tiny_qwen(context=96), most_new_tokens=4)
    samples = [Sample(image, "x" * 200, "yes", name="long"), Sample(image, "any ship?", "yes", name="good")]
    traces, errors = short.traces(samples)
    assert traces[0] is None and traces[1] is not None
    assert len(errors) == 1 and "context" in str(errors[0])


def test_an_empty_prompt_is_refused(qwen, image):
    with pytest.raises(SampleError, match="prompt is empty"):
        qwen.encode(image, "  ")


def test_a_saved_model_loads_and_a_missing_one_is_a_clear_error(qwen, image, tmp_path):
    qwen.model.save_pretrained(tmp_path)
    qwen.tokenizer.save_pretrained(tmp_path)
    qwen.image_processor.save_pretrained(tmp_path)
    again = QwenVL.load(str(tmp_path), most_new_tokens=TOKENS, most_image_tokens=64)
    assert again.fingerprint() == qwen.fingerprint()
    assert (
        again.trace(Sample(image, "any ship?", "no")).answer
        == qwen.trace(Sample(image, "any ship?", "no")).answer
    )
    with pytest.raises(ModelUnavailable, match="folder"):
        QwenVL.load(str(tmp_path / "nothing here"))


def test_what_the_image_processor_or_the_template_cannot_take_is_the_samples_error(qwen, image):
    strip = np.zeros((16, 4000, 3), np.uint8)
    samples = [
        Sample(strip, "any ship?", "no", name="strip"),
        Sample(image, "what is <|image_pad|>?", "no", name="mark"),
        Sample(image, "any ship?", "no", name="good"),
    ]
    traces, errors = qwen.traces(samples)
    assert [trace is not None for trace in traces] == [False, False, True]
    assert [str(error).split(":")[0] for error in errors] == ["strip", "mark"]
