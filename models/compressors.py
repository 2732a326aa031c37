"""Ways to shrink an image before the downlink: the SpaceVerse preprocessing and what it is compared with.

Each compressor turns an image into bytes that `models.codec.restore` turns back. All that depend on regions share
one grid, one codec and one container, so that their bytes are comparable.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from models.attention import NORMALISERS, attention_mean, with_halo
from models.codec import Codec, encode_regions, encode_whole, region_means
from models.interface import Encoding

LOSSY = Codec("WEBP", 85)
COARSEST = 4


@dataclass(frozen=True)
class Request:
    """What a compressor may look at.

    image     [h, w, 3] uint8
    encoding  onboard features of image and prompt (attention compressors)
    relevant  [h, w] bool, the pixels that matter, known only to the ideal compressor
    seed      randomness of this sample
    """

    image: np.ndarray
    encoding: Encoding | None = None
    relevant: np.ndarray | None = None
    seed: int = 0


class Compressor(ABC):
    """Image in, coded bytes out.

    needs_truth  it asks for `Request.relevant`, which no satellite knows
    image_alone  its bytes depend on the image and on nothing else of the request
    """

    name: str
    needs_truth: ClassVar[bool] = False
    image_alone: ClassVar[bool] = False

    @abstractmethod
    def compress(self, request: Request) -> bytes: ...


def scale_factors(scores: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    """Eq. (3) as a scaling factor per region: 0 discard, 1 keep, between them (beta - alpha) / (K - alpha).

    The printed factor has no upper end (K -> alpha); it is clamped to COARSEST. The result is continuous.
    """
    if not alpha <= beta:
        raise ValueError(f"alpha is {alpha} and beta {beta}; alpha must not be above beta")
    with np.errstate(divide="ignore"):
        middle = np.clip((beta - alpha) / np.maximum(scores - alpha, 1e-12), 1.0, COARSEST)
    return np.where(scores < alpha, 0.0, np.where(scores < beta, middle, 1.0))


def coded_factors(factor: np.ndarray) -> np.ndarray:
    """The nearest factor the container knows (1, 2 or 4, in the logarithm); 0 stays 0."""
    power = np.rint(np.log2(np.maximum(factor, 1.0))).astype(int)
    return np.where(factor == 0, 0, 2**power)


@dataclass(frozen=True)
class NoCompression(Compressor):
    """The whole image without loss."""

    name: str = "none"
    image_alone: ClassVar[bool] = True

    def compress(self, request: Request) -> bytes:
        return encode_whole(request.image, Codec("PNG"))


@dataclass(frozen=True)
class UniformResize(Compressor):
    """The whole image at a smaller scale."""

    scale: float = 0.5
    codec: Codec = LOSSY
    name: str = "resize"
    image_alone: ClassVar[bool] = True

    def compress(self, request: Request) -> bytes:
        return encode_whole(request.image, self.codec, self.scale)


@dataclass(frozen=True)
class JpegQuality(Compressor):
    """The whole image as JPEG of some quality."""

    quality: int = 50
    name: str = "jpeg"
    image_alone: ClassVar[bool] = True

    def compress(self, request: Request) -> bytes:
        return encode_whole(request.image, Codec("JPEG", self.quality))


@dataclass(frozen=True)
class RandomMask(Compressor):
    """A random share of the regions."""

    keep: float = 0.5
    regions: tuple[int, int] = (12, 12)
    codec: Codec = LOSSY
    name: str = "random mask"

    def compress(self, request: Request) -> bytes:
        number = self.regions[0] * self.regions[1]
        kept = np.zeros(number, int)
        chosen = np.random.default_rng(request.seed).permutation(number)[: max(1, round(self.keep * number))]
        kept[chosen] = 1
        return encode_regions(request.image, kept.reshape(self.regions), self.codec)


def _attention(request: Request, regions: tuple[int, int], halo: float) -> torch.Tensor:
    if request.encoding is None:
        raise ValueError(
            "an attention compressor needs request.encoding, the onboard features of image and prompt"
        )
    return with_halo(attention_mean(request.encoding, regions), halo)


@dataclass(frozen=True)
class AttentionMask(Compressor):
    """The regions the prompt attends to most, at full scale; eq. (2) without eq. (3)."""

    keep: float = 0.5
    regions: tuple[int, int] = (12, 12)
    codec: Codec = LOSSY
    halo: float = 0.0
    name: str = "attention only"

    def compress(self, request: Request) -> bytes:
        rank = NORMALISERS["rank"](_attention(request, self.regions, self.halo)).numpy()
        kept = (rank > 1.0 - max(self.keep, 1.0 / rank.size)).astype(int)
        return encode_regions(request.image, kept, self.codec)


@dataclass(frozen=True)
class SpaceVerseCompressor(Compressor):
    """Eqs. (2) and (3): discard below alpha, coarsen up to beta, keep above.

    normaliser  how K is put on [0, 1] before alpha and beta apply; the raw sum of eq. (2) has no fixed scale
    halo        how much a region gains from its best neighbour
    """

    alpha: float = 0.35
    beta: float = 0.55
    normaliser: str = "rank"
    regions: tuple[int, int] = (12, 12)
    codec: Codec = LOSSY
    halo: float = 0.5
    name: str = "spaceverse"

    def __post_init__(self) -> None:
        if self.normaliser not in NORMALISERS:
            raise ValueError(f"normaliser is {self.normaliser!r}; it must be one of {', '.join(NORMALISERS)}")

    def compress(self, request: Request) -> bytes:
        scores = NORMALISERS[self.normaliser](_attention(request, self.regions, self.halo)).numpy()
        return encode_regions(
            request.image, coded_factors(scale_factors(scores, self.alpha, self.beta)), self.codec
        )


@dataclass(frozen=True)
class IdealMask(Compressor):
    """Exactly the regions that matter, by the truth: a bound, not a method."""

    regions: tuple[int, int] = (12, 12)
    codec: Codec = LOSSY
    name: str = "ideal"
    needs_truth: ClassVar[bool] = True

    def compress(self, request: Request) -> bytes:
        if request.relevant is None:
            raise ValueError("the ideal compressor needs request.relevant, the true mask of what matters")
        relevant = request.relevant[..., None].astype(float)
        matters = region_means(relevant, *self.regions)[..., 0] > 0
        return encode_regions(request.image, matters.astype(int), self.codec)


COMPRESSORS: dict[str, type[Compressor]] = {
    "none": NoCompression,
    "resize": UniformResize,
    "jpeg": JpegQuality,
    "random": RandomMask,
    "attention": AttentionMask,
    "spaceverse": SpaceVerseCompressor,
    "ideal": IdealMask,
}
