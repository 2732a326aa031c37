"""CLIP patch and prompt tokens in one space, for the text-image attention of eq. (2), through open_clip.

One pass over the whole image gives every region its patches; running CLIP once per region costs ten times as much
and sees no context. open_clip returns patch tokens before the projection into the joint space, so the projection is
applied here; the text tower is run by hand for its per-token outputs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from models.interface import Encoding, ModelUnavailable
from models.pair.weights import fingerprint
from models.sample import SampleError

PIXEL_MEAN = (0.48145466, 0.4578275, 0.40821073)  # CLIP's published normalisation
PIXEL_STD = (0.26862954, 0.26130258, 0.27577711)


class ClipEncoder:
    """A CLIP model used as an encoder of patches and words.

    model      an open_clip CLIP with a vision transformer
    tokenizer  open_clip tokenizer: list of text -> [n, context] ids, end-of-text the largest id
    """

    def __init__(self, model: Any, tokenizer: Any, *, name: str = "clip"):
        self.model = model.eval()
        self.model.visual.output_tokens = True
        self.tokenizer = tokenizer
        self.name = name

    @classmethod
    def load(
        cls, weights: str | Path = "openai", *, model: str = "ViT-B-16", side_px: int = 640
    ) -> ClipEncoder:
        """Load weights by their open_clip tag (needs a network) or from a local file.

        side_px  the image's side in the model's one pass; 640 gives 40 x 40 patches, 16 for each of 100 regions.
        Raises ModelUnavailable when the package, the file or the network is missing.
        """
        from models.torchvision_import import import_torchvision

        import_torchvision()
        try:
            import open_clip
        except ImportError as error:
            raise ModelUnavailable("CLIP needs open_clip; pip install open_clip_torch") from error
        known = {tag for _, tag in open_clip.list_pretrained()}
        if str(weights) not in known and not Path(weights).is_file():
            raise ModelUnavailable(
                f"{weights} is neither an open_clip weight tag nor a file with CLIP weights"
            )
        try:
            built = open_clip.create_model(model, pretrained=str(weights), force_image_size=side_px)
        except Exception as error:  # open_clip passes on whatever its download or reading raised
            raise ModelUnavailable(
                f"CLIP {model} with weights {weights} cannot be loaded ({type(error).__name__}: {error}); "
                "give a local weight file or a network"
            ) from error
        return cls(built, open_clip.get_tokenizer(model), name=f"{model} {weights}")

    def fingerprint(self) -> str:
        """SHA-256 of the weights."""
        return fingerprint(self.model)

    @torch.no_grad()
    def encode(self, image: np.ndarray, prompt: str) -> Encoding:
        """Patch tokens [N_V, D] and the prompt's tokens [N_E, D] (end-of-text included, padding not)."""
        if not prompt.strip():
            raise SampleError("the prompt is empty; say what should be looked for")
        visual = self.model.visual
        side = visual.image_size if isinstance(visual.image_size, tuple) else (visual.image_size,) * 2
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 255.0
        pixels = F.interpolate(pixels, size=side, mode="bicubic", antialias=True).clamp(0, 1)
        mean, std = torch.tensor(PIXEL_MEAN).view(1, 3, 1, 1), torch.tensor(PIXEL_STD).view(1, 3, 1, 1)
        _, patches = visual((pixels - mean) / std)  # [1, N_V, width]
        joint = patches[0] @ visual.proj
        ids = self._windows(prompt)
        words, lengths = self.text_tokens(ids), (ids.argmax(-1) + 1).tolist()
        prompt_tokens = torch.cat([row[:length] for row, length in zip(words, lengths, strict=True)])
        content = torch.cat([torch.arange(length) > 0 for length in lengths])  # all but the start of text
        grid = tuple(visual.grid_size)
        return Encoding(joint, prompt_tokens, content, (grid[0], grid[1]))

    def _windows(self, prompt: str) -> torch.Tensor:
        """Token ids of a prompt, [n, context]: as many windows as its words need, for the tokenizer cuts the rest off.

        Eq. (2) is a sum over words, so it does not matter that a word sees its own window only.
        """
        context = self.model.positional_embedding.shape[0]
        most = 4 * len(prompt.encode()) + 2  # no text has more tokens than bytes; cleaning it may add a few
        ids = self.tokenizer([prompt], context_length=most)[0]
        start, inner, end = ids[:1], ids[1 : int(ids.argmax())], ids.max()[None]
        windows = torch.zeros(-(-max(1, len(inner)) // (context - 2)), context, dtype=ids.dtype)
        for row, words in zip(windows, inner.split(context - 2), strict=True):
            row[: len(words) + 2] = torch.cat([start, words, end])
        return windows

    def text_tokens(self, ids: torch.Tensor) -> torch.Tensor:
        """Every text token in the joint space, [n, context, D]; the end-of-text row equals `encode_text`."""
        model = self.model
        hidden = model.token_embedding(ids) + model.positional_embedding
        hidden = model.ln_final(model.transformer(hidden, attn_mask=model.attn_mask))
        return hidden @ model.text_projection
