"""The levels at which a frame may be coded before it is sent: two ladders, the same codec on both.

`plain` codes the whole frame at rising quality. `attention` drops and coarsens what the prompt does not ask for (eqs.
(2) and (3) of SpaceVerse) and codes the rest. The steps were chosen on 300 procedural questions (scenes from seed
5,000,000, which nothing else uses) so that neighbours differ in bytes by about a half.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.codec import Codec, encode_whole
from models.compressors import Compressor, Request, SpaceVerseCompressor

_PLAIN = (5, 10, 20, 40, 60, 85)
_ATTENTION = (
    (0.72, 0.85, 5),
    (0.72, 0.85, 20),
    (0.55, 0.70, 20),
    (0.55, 0.70, 50),
    (0.55, 0.70, 85),
    (0.35, 0.55, 85),
)


@dataclass(frozen=True)
class WholeFrame(Compressor):
    """The whole image in the codec that all levels share."""

    quality: int
    name: str = "plain"

    def compress(self, request: Request) -> bytes:
        return encode_whole(request.image, Codec("WEBP", self.quality))


@dataclass(frozen=True)
class Ladder:
    """Ways to code a frame, the coarsest first, and how a table calls them."""

    compressors: tuple[Compressor, ...]
    labels: tuple[str, ...]


LADDERS: dict[str, Ladder] = {
    "plain": Ladder(
        tuple(WholeFrame(quality) for quality in _PLAIN), tuple(f"quality {quality}" for quality in _PLAIN)
    ),
    "attention": Ladder(
        tuple(SpaceVerseCompressor(low, high, codec=Codec("WEBP", q)) for low, high, q in _ATTENTION),
        tuple(f"alpha {low:g} beta {high:g} quality {q}" for low, high, q in _ATTENTION),
    ),
}
"""By name; the names are those of `offload.joint`'s codings."""
