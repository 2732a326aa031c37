"""Qwen2-VL (2B, 7B or any configuration) through transformers, from the hub or a local folder.

The vision tower runs once, before anything is decoded, because the gate's first stage needs V(x) and nothing else.
Decoding is an own greedy loop over a key-value cache: the caller sees every hidden state and may stop; when it does
not, the tokens are those of `generate()`. Two traps of the library are taken care of: after the first step image
inputs must be gone, and the rotary offset of the image is state on the module, so positions are passed explicitly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.devices import ModelSize
from models.interface import Encoding, ModelUnavailable, Step, VisionLanguageModel
from models.pair.weights import fingerprint
from models.sample import SampleError

PIXELS_PER_TOKEN = 28 * 28
HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")
MOST_NEW_TOKENS = 64
# fmt: off
FUNCTION_WORDS = frozenset([
    "a", "an", "the", "is", "are", "was", "were", "be", "there", "this", "that", "these", "those", "of",
    "in", "on", "at", "to", "for", "with", "and", "or", "more", "less", "than", "how", "many", "much",
    "what", "which", "where", "any", "every", "each", "all", "it", "its", "as", "by", "from", "image",
    "picture", "find", "give", "answer", "question",
])
# fmt: on


class QwenVL(VisionLanguageModel):
    """A Qwen2-VL model with its tokenizer and image processor.

    most_image_tokens  larger images are scaled down to this many image tokens (tile them instead)
    most_new_tokens    length limit of an answer
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        image_processor: Any,
        *,
        name: str = "qwen2-vl",
        most_new_tokens: int = MOST_NEW_TOKENS,
    ):
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.name = name
        self.most_new_tokens = most_new_tokens
        self._fingerprint: str | None = None
        end = model.generation_config.eos_token_id
        self.end_tokens = set(end) if isinstance(end, list) else {end} if end is not None else set()

    @classmethod
    def load(
        cls,
        source: str,
        *,
        device: str = "cpu",
        most_image_tokens: int = 1280,
        most_new_tokens: int | None = None,
    ) -> QwenVL:
        """Load from a hub name such as "Qwen/Qwen2-VL-2B-Instruct" or a local folder (safetensors only).

        most_new_tokens None: as the model's own generation settings say, or MOST_NEW_TOKENS. Raises ModelUnavailable
        when it is not there or cannot be fetched; nothing takes its place.
        """
        from models.torchvision_import import import_torchvision

        if not Path(source).is_dir() and not HUB_NAME.fullmatch(source):
            raise ModelUnavailable(
                f"{source} is neither a folder nor a hub name such as Qwen/Qwen2-VL-2B-Instruct"
            )
        try:
            import_torchvision()
            from transformers import AutoImageProcessor, AutoTokenizer, Qwen2VLForConditionalGeneration
        except ImportError as error:
            raise ModelUnavailable(f"Qwen2-VL needs transformers and torchvision: {error}") from error
        try:
            model = Qwen2VLForConditionalGeneration.from_pretrained(
                source, use_safetensors=True, dtype="auto"
            )
            tokenizer = AutoTokenizer.from_pretrained(source)
            processor = AutoImageProcessor.from_pretrained(
                source, min_pixels=4 * PIXELS_PER_TOKEN, max_pixels=most_image_tokens * PIXELS_PER_TOKEN
            )
        except (OSError, ValueError) as error:
            raise ModelUnavailable(
                f"{source} cannot be loaded: give a folder with the model's safetensors, or a hub name and a network "
                f"({type(error).__name__}: {str(error).splitlines()[0]})"
            ) from error
        if most_new_tokens is None:
            most_new_tokens = model.generation_config.max_new_tokens or MOST_NEW_TOKENS
        model.to(torch.device(device))  # type: ignore[arg-type]
        return cls(model, tokenizer, processor, name=source, most_new_tokens=most_new_tokens)

    def cost(self) -> ModelSize:
        """Weights as they are counted, two bytes each."""
        tower = self.model.model.visual
        vision = sum(p.numel() for p in tower.parameters())
        language = sum(p.numel() for p in self.model.parameters()) - vision
        shape = self.model.config.vision_config
        return ModelSize(self.name, vision, language, shape.depth, shape.embed_dim)

    def fingerprint(self) -> str:
        if self._fingerprint is None:
            self._fingerprint = fingerprint(self.model)
        return self._fingerprint

    def _token(self, text: str) -> int:
        return self.tokenizer.convert_tokens_to_ids(text)

    def _ids(self, prompt: str, image_tokens: int) -> tuple[list[int], slice]:
        """The chat's token ids and where the prompt's own tokens are."""

        def plain(text: str) -> list[int]:
            return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

        start, end = self._token("<|im_start|>"), self._token("<|im_end|>")
        before = [start, *plain("user\n"), self._token("<|vision_start|>")]
        before += [self._token("<|image_pad|>")] * image_tokens + [self._token("<|vision_end|>")]
        words = plain(prompt)
        if not {self._token("<|image_pad|>"), self._token("<|video_pad|>")}.isdisjoint(words):
            raise SampleError("the prompt holds the model's own mark of an image; leave it out")
        after = [end, *plain("\n"), start, *plain("assistant\n")]
        return before + words + after, slice(len(before), len(before) + len(words))

    @torch.no_grad()
    def encode(self, image: np.ndarray, prompt: str) -> Encoding:
        if not prompt.strip():
            raise SampleError("the prompt is empty; say what should be answered")
        device = self.model.device
        try:
            inputs = self.image_processor(images=[image], return_tensors="pt")
        except ValueError as error:  # it refuses images a few hundred times as long as wide
            raise SampleError(
                f"the image, {image.shape[0]} x {image.shape[1]} px, cannot be used ({error}): cut it into tiles"
            ) from error
        grid = inputs["image_grid_thw"].to(device)  # [1, 3] in patches
        merge = self.model.config.vision_config.spatial_merge_size
        rows, columns = int(grid[0, 1]) // merge, int(grid[0, 2]) // merge
        ids, words = self._ids(prompt, rows * columns)
        limit = self.model.config.text_config.max_position_embeddings
        if len(ids) + self.most_new_tokens > limit:
            raise SampleError(
                f"prompt and image need {len(ids)} tokens and the answer {self.most_new_tokens}, above the model's "
                f"context of {limit}: shorten the prompt or cut the image into tiles"
            )
        pixels = inputs["pixel_values"].to(device, self.model.dtype)
        features = self.model.model.get_image_features(pixels, grid).pooler_output
        vision = torch.cat(list(features)) if isinstance(features, (list, tuple)) else features  # [N_V, D]
        token_ids = torch.tensor([ids], device=device)
        embedded = self.model.get_input_embeddings()(token_ids)  # [1, L, D]
        texts = [self.tokenizer.decode([token]).strip().lower() for token in ids[words]]
        content = torch.tensor(
            [any(c.isalnum() for c in text) and text not in FUNCTION_WORDS for text in texts]
        )
        return Encoding(
            image=vision.float(),
            prompt=embedded[0, words].float(),
            content=content,
            grid=(rows, columns),
            state=(token_ids, embedded, vision, grid),
        )

    @torch.no_grad()
    def decode(self, encoding: Encoding) -> Iterator[Step]:
        from transformers import DynamicCache

        assert isinstance(encoding.state, tuple), (
            "this encoding has no decoder state; encode the sample again"
        )
        ids, embedded, vision, grid = encoding.state
        is_image = ids == self._token("<|image_pad|>")
        embedded = embedded.masked_scatter(is_image[..., None].expand_as(embedded), vision.to(embedded.dtype))
        position, delta = self.model.model.get_rope_index(
            ids, mm_token_type_ids=is_image.int(), image_grid_thw=grid, attention_mask=torch.ones_like(ids)
        )
        cache = DynamicCache(config=self.model.config.get_text_config())
        inputs: dict[str, Tensor] = {"inputs_embeds": embedded, "position_ids": position}
        for number in range(self.most_new_tokens):
            out = self.model(**inputs, past_key_values=cache, use_cache=True, output_hidden_states=True)
            probability, token = torch.softmax(out.logits[0, -1].float(), -1).max(-1)
            if int(token) in self.end_tokens:
                return
            yield Step(
                self.tokenizer.decode([int(token)]), out.hidden_states[-1][0, -1].float(), float(probability)
            )
            place = (delta + ids.shape[1] + number).reshape(1, 1, 1).expand(3, 1, 1)
            inputs = {"input_ids": token.view(1, 1), "position_ids": place}

    def answer(self, steps: Sequence[Step]) -> str:
        return "".join(step.text for step in steps).strip()
