"""Coded bytes of an image cut into regions, each kept, coarsened or dropped; and the way back.

The image is coded in one piece: coarsened regions are smoothed where they lie, dropped ones are painted flat in the
colour of the nearest region that stays, so that codec and regions work together and no border between neighbours costs
anything. Which regions were dropped travels beside the picture, and the ground blackens them. The bytes stand alone:
the ground needs nothing else to rebuild the image.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt

CODING = "leomix-image-2"  # changes whenever the bytes of an image do
FACTORS = (0, 1, 2, 4)  # what a region's two bits say: dropped, kept, averaged down by 2 or by 4
_HEAD = struct.Struct("<cBHHBB")  # kind, format, height, width, rows, columns
_FORMATS = ("WEBP", "JPEG", "PNG", "AVIF")


@dataclass(frozen=True)
class Codec:
    """A Pillow codec and its quality (ignored by PNG, which is lossless)."""

    format: str = "WEBP"
    quality: int = 80

    def __post_init__(self) -> None:
        if self.format not in _FORMATS:
            raise ValueError(f"codec.format is {self.format!r}; it must be one of {', '.join(_FORMATS)}")
        if not 1 <= self.quality <= 100:
            raise ValueError(f"codec.quality is {self.quality}; it must lie in 1..100")

    def encode(self, image: np.ndarray) -> bytes:
        """[h, w, 3] uint8 -> file bytes."""
        out = io.BytesIO()
        extra = {
            "WEBP": {"quality": self.quality, "method": 6},
            "JPEG": {"quality": self.quality, "optimize": True},
            "PNG": {"optimize": True},
            "AVIF": {"quality": self.quality, "speed": 8},
        }[self.format]
        Image.fromarray(image).save(out, self.format, **extra)
        return out.getvalue()


def _decode(data: bytes, format: str) -> np.ndarray:
    with Image.open(
        io.BytesIO(data), formats=(format,)
    ) as opened:  # trying every reader takes as long as reading
        return np.array(opened.convert("RGB"))  # a copy: the file's own buffer is read-only


def edges(length: int, parts: int) -> np.ndarray:
    """Borders [parts + 1] of nearly equal parts of a side."""
    if not 1 <= parts <= length:
        raise ValueError(f"a side of {length} px cannot be cut into {parts} regions")
    return np.rint(np.linspace(0, length, parts + 1)).astype(int)


@lru_cache(maxsize=64)
def _part_of(length: int, parts: int) -> np.ndarray:
    """Which part each pixel of a side lies in, [length]."""
    return np.repeat(np.arange(parts), np.diff(edges(length, parts)))


def on_pixels(regions: np.ndarray, height: int, width: int) -> np.ndarray:
    """One value per region [rows, columns, ...] spread over the pixels of an image, [height, width, ...]."""
    return regions[_part_of(height, regions.shape[0])][:, _part_of(width, regions.shape[1])]


def region_means(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Mean colour of every region, [rows, columns, 3]."""
    high, wide = edges(image.shape[0], rows), edges(image.shape[1], columns)
    total = np.add.reduceat(np.add.reduceat(image.astype(float), high[:-1], 0), wide[:-1], 1)
    return total / (np.diff(high)[:, None, None] * np.diff(wide)[None, :, None])


def coarsen(image: np.ndarray, factor: int) -> np.ndarray:
    """The image [h, w, 3] averaged down by `factor` and brought back to its size."""
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize((-(-width // factor), -(-height // factor)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))


def encode_regions(image: np.ndarray, factor: np.ndarray, codec: Codec) -> bytes:
    """Code an image [h, w, 3] whose regions [rows, columns] have factors out of FACTORS."""
    height, width = image.shape[:2]
    unknown = set(np.unique(factor)) - set(FACTORS)
    if unknown:
        raise ValueError(f"region factors {sorted(unknown)} are not among {FACTORS}")
    pixel_factor = on_pixels(factor, height, width)[..., None]
    painted = image
    for scale in FACTORS[2:]:
        if (factor == scale).any():
            painted = np.where(pixel_factor == scale, coarsen(image, scale), painted)
    if (factor == 0).all():
        painted = np.zeros_like(image)
    elif (factor == 0).any():
        nearest = np.asarray(distance_transform_edt(factor == 0, return_distances=False, return_indices=True))
        colour = region_means(painted, *factor.shape)[tuple(nearest)]
        painted = np.where(
            pixel_factor == 0, on_pixels(np.rint(colour).astype(np.uint8), height, width), painted
        )
    head = _HEAD.pack(b"R", _FORMATS.index(codec.format), height, width, *factor.shape)
    codes = np.searchsorted(FACTORS, factor).astype(np.uint8).ravel()
    codes = np.pad(codes, (0, -len(codes) % 4)).reshape(-1, 4)
    plan = zlib.compress((codes << np.array([0, 2, 4, 6], np.uint8)).sum(1).astype(np.uint8).tobytes(), 9)
    return b"".join([head, struct.pack("<H", len(plan)), plan, codec.encode(painted)])


def encode_whole(image: np.ndarray, codec: Codec, scale: float = 1.0) -> bytes:
    """Code a whole image, averaged down by `scale` in (0, 1] first."""
    height, width = image.shape[:2]
    if not 0.0 < scale <= 1.0:
        raise ValueError(f"scale is {scale}; it must lie in (0, 1]")
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
    return _HEAD.pack(b"W", _FORMATS.index(codec.format), height, width, 1, 1) + codec.encode(image)


def _restore_whole(data: bytes, format: str, height: int, width: int, shape: tuple[int, int]) -> np.ndarray:
    image = _decode(data, format)
    if image.shape[:2] == (height, width):
        return image
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def _restore_regions(data: bytes, format: str, height: int, width: int, shape: tuple[int, int]) -> np.ndarray:
    (length,) = struct.unpack_from("<H", data)
    packed = np.frombuffer(zlib.decompress(data[2 : 2 + length]), np.uint8)
    codes = (packed[:, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
    kept = codes.ravel()[: shape[0] * shape[1]].reshape(shape) > 0
    return _decode(data[2 + length :], format) * on_pixels(kept, height, width)[..., None]


_RESTORE = {b"R": _restore_regions, b"W": _restore_whole}


def restore(data: bytes) -> np.ndarray:
    """The image [h, w, 3] uint8 from coded bytes; dropped regions are black. ValueError on foreign bytes."""
    if len(data) < _HEAD.size or data[:1] not in _RESTORE:
        raise ValueError("these bytes are not an image coded by models.codec")
    kind, format, height, width, rows, columns = _HEAD.unpack_from(data)
    if format >= len(_FORMATS):
        raise ValueError(f"these bytes name a picture format, {format}, that models.codec does not know")
    return _RESTORE[kind](data[_HEAD.size :], _FORMATS[format], height, width, (rows, columns))
