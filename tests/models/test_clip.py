"""CLIP's patches and words: the right tensors in the right space, and eq. (2) on them."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from models.attention import attention_mean
from models.clip import ClipEncoder
from models.interface import ModelUnavailable
from tests.models.tiny_models import tiny_clip

pytestmark = pytest.mark.skipif(find_spec("open_clip") is None, reason="open_clip is not installed")


@pytest.fixture(scope="module")
def clip() -> ClipEncoder:
    return ClipEncoder(*tiny_clip())


def test_the_end_of_text_row_is_the_librarys_text_embedding(clip):
    ids = clip.tokenizer(["is there a baseball diamond?"])
    with torch.no_grad():
        tokens = clip.text_tokens(ids)
        torch.testing.assert_close(tokens[0, ids.argmax(-1)[0]], clip.model.encode_text(ids)[0])


def test_patches_are_projected_into_the_joint_space(clip):
    image = np.random.default_rng(0).integers(0, 256, (200, 150, 3), dtype=np.uint8)
    encoding = clip.encode(image, "a harbour")
    assert encoding.image.shape == (16, 24) and encoding.prompt.shape[1] == 24
    assert encoding.grid == (4, 4)
    assert not bool(encoding.content[0]) and bool(encoding.content[1:].all())  # all but the start of text
    assert torch.isfinite(attention_mean(encoding, (10, 10))).all()


def test_no_word_of_a_long_prompt_is_lost(clip):
    image = np.zeros((64, 64, 3), np.uint8)
    part = "airport beach bridge church desert forest harbour island lake meadow river ship " * 6  # 72 words
    one, both = clip.encode(image, part), clip.encode(image, part + "and a dam in the valley")
    assert len(one.prompt) == 74 and bool(one.content[-1])
    # the last six words begin in the first window and go on in the second, between a start and an end of their own
    assert len(both.prompt) == 72 + 6 + 2 * 2 and int(both.content.sum()) == len(both.prompt) - 2
    torch.testing.assert_close(both.prompt[:73], one.prompt[:73])


def test_unknown_weights_are_a_clear_error(tmp_path):
    with pytest.raises(ModelUnavailable, match="neither"):
        ClipEncoder.load(tmp_path / "none.safetensors")
