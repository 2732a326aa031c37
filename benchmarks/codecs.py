"""Which picture format to send: coded bytes at equal error of what is kept, and the time to code and to decode.

    python benchmarks/codecs.py [--scenes 64] [--like-webp 50]

In every scene a third of the regions is dropped and a fifth coarsened, at random. Each format is then coded at the
lowest quality that gives the kept regions no more error than WebP at `--like-webp`. Bytes are means over the scenes.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from models.codec import Codec, encode_regions, encode_whole, on_pixels, restore
from models.scenes import render

REGIONS = 10
FIRST_SCENE = 800_000_000  # far from every other scene that is drawn


@dataclass(frozen=True)
class Coded:
    """Means over scenes: bytes, squared error of the kept regions, processor ms to code and to decode."""

    size: float
    error: float
    encode_ms: float
    decode_ms: float

    @property
    def psnr_db(self) -> float:
        return float(10 * np.log10(255**2 / self.error))


def coded(images: list[np.ndarray], factors: list[np.ndarray], codec: Codec) -> Coded:
    """All images [h, w, 3], regions at `factors` [rows, columns] (models.codec), in one format and quality."""
    sizes, errors = [], []
    encode_s = decode_s = 0.0
    for image, factor in zip(images, factors, strict=True):
        start = time.process_time()
        data = encode_regions(image, factor, codec)
        between = time.process_time()
        again = restore(data)
        encode_s, decode_s = encode_s + between - start, decode_s + time.process_time() - between
        kept = on_pixels(factor == 1, *image.shape[:2])
        errors.append(((again[kept].astype(float) - image[kept]) ** 2).mean())
        sizes.append(len(data))
    n = len(images)
    return Coded(float(np.mean(sizes)), float(np.mean(errors)), 1e3 * encode_s / n, 1e3 * decode_s / n)


def quality_of_error(
    images: list[np.ndarray], factors: list[np.ndarray], format: str, error: float
) -> tuple[int, Coded]:
    """The lowest quality of a format whose error is `error` at most (the highest there is if none is)."""
    low, high = 1, 100
    while low < high:
        middle = (low + high) // 2
        if coded(images, factors, Codec(format, middle)).error <= error:
            high = middle
        else:
            low = middle + 1
    return low, coded(images, factors, Codec(format, low))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--scenes", type=int, default=64)
    parser.add_argument("--like-webp", type=int, default=50, help="quality of WebP whose error all have")
    options = parser.parse_args()
    images = [render(FIRST_SCENE + number).image for number in range(options.scenes)]
    random = np.random.default_rng(0)
    factors = [
        random.choice([0, 1, 2, 4], (REGIONS, REGIONS), p=[1 / 3, 1 - 1 / 3 - 1 / 5, 1 / 10, 1 / 10])
        for _ in images
    ]
    wanted = coded(images, factors, Codec("WEBP", options.like_webp)).error
    table = Table("format", "quality", "bytes", "kept regions, dB", "code, ms", "decode, ms")
    for format in ("WEBP", "AVIF", "JPEG"):
        quality, found = quality_of_error(images, factors, format, wanted)
        table.add_row(
            format,
            str(quality),
            f"{found.size:.0f}",
            f"{found.psnr_db:.1f}",
            f"{found.encode_ms:.1f}",
            f"{found.decode_ms:.1f}",
        )
    console = Console()
    console.print(table)
    for name, codec in (("PNG, without loss", Codec("PNG")), ("WebP at quality 85", Codec("WEBP", 85))):
        size = np.mean([len(encode_whole(image, codec)) for image in images])
        console.print(f"a whole scene in {name}: {size:.0f} bytes")


if __name__ == "__main__":
    main()
