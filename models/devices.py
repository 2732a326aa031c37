"""How long a model of some size takes on some device: a roofline, calibrated on published speeds.

A phase costs the larger of its arithmetic over the device's usable rate and its bytes over the usable bandwidth.
    vision   2 P_v n + 4 L_v d_v n^2 operations for n image patches (four patches make one image token)
    prefill  2 P_t m operations for m prompt and image tokens
    decode   P_t bytes_per_weight / (0.82 bandwidth) + overhead, per token
The 0.82 and the overheads reproduce published decoding speeds of Qwen2.5-VL-3B on a Jetson AGX Orin and of 1.5B and
7B models on an A100. No published speed of Qwen2-VL on a Jetson AGX Xavier or an RTX 3090 was found: those are
estimates and every table that uses them says so.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

BANDWIDTH_SHARE = 0.82
PATCHES_PER_TOKEN = 4


@dataclass(frozen=True)
class Device:
    """A processor: peak half-precision TFLOP/s, memory GB/s and GB, usable share of the peak, overhead per token."""

    name: str
    tflops: float
    bandwidth_gb_s: float
    memory_gb: float
    compute_share: float
    overhead_s: float

    def __post_init__(self) -> None:
        for name in ("tflops", "bandwidth_gb_s", "memory_gb", "compute_share"):
            if getattr(self, name) <= 0:
                raise ValueError(f"device.{name} is {getattr(self, name)}; it must be above 0")

    def phase_s(self, operations: float, moved_bytes: float) -> float:
        """Roofline time of one phase."""
        return max(
            operations / (self.tflops * 1e12 * self.compute_share),
            moved_bytes / (self.bandwidth_gb_s * 1e9 * BANDWIDTH_SHARE),
        )


@dataclass(frozen=True)
class ModelSize:
    """What a model asks of a device: weights of its vision tower and its language model, and the tower's shape."""

    name: str
    vision_weights: float
    language_weights: float
    vision_layers: int
    vision_width: int
    bytes_per_weight: float = 2.0

    @property
    def memory_gb(self) -> float:
        """Weights alone."""
        return (self.vision_weights + self.language_weights) * self.bytes_per_weight / 1e9


@dataclass(frozen=True)
class NetworkCost:
    """What a classifier asks of a device: operations for one image, and weights."""

    name: str
    operations: float
    weights: float
    bytes_per_weight: float = 2.0

    @property
    def memory_gb(self) -> float:
        """Weights alone."""
        return self.weights * self.bytes_per_weight / 1e9


@dataclass(frozen=True)
class PhaseTimes:
    """Seconds of a model's phases; decode per token."""

    vision_s: float
    prefill_s: float
    decode_token_s: float


DEVICES: dict[str, Device] = {
    "xavier": Device("Jetson AGX Xavier", 11.0, 137.0, 16.0, 0.35, 0.007),
    "rtx3090": Device("GeForce RTX 3090", 71.0, 936.0, 24.0, 0.40, 0.0035),
}
MODEL_SIZES: dict[str, ModelSize] = {
    "qwen2-vl-2b": ModelSize("Qwen2-VL-2B", 0.665e9, 1.54e9, 32, 1280),
    "qwen2-vl-7b": ModelSize("Qwen2-VL-7B", 0.675e9, 7.6e9, 32, 1280),
}


def phase_times(device: Device, model: ModelSize, image_tokens: int, prompt_tokens: int) -> PhaseTimes:
    """Roofline times of one sample. ValueError when the weights do not fit the device."""
    if model.memory_gb > device.memory_gb:
        raise ValueError(
            f"{model.name} needs {model.memory_gb:.1f} GB; {device.name} has {device.memory_gb:.1f} GB"
        )
    patches = image_tokens * PATCHES_PER_TOKEN
    attention = 4.0 * model.vision_layers * model.vision_width * patches**2
    language_bytes = model.language_weights * model.bytes_per_weight
    return PhaseTimes(
        vision_s=device.phase_s(
            2.0 * model.vision_weights * patches + attention, model.vision_weights * model.bytes_per_weight
        )
        if image_tokens
        else 0.0,
        prefill_s=device.phase_s(
            2.0 * model.language_weights * (image_tokens + prompt_tokens), language_bytes
        )
        + device.overhead_s,
        decode_token_s=device.phase_s(2.0 * model.language_weights, language_bytes) + device.overhead_s,
    )


def qwen_image_tokens(height: int, width: int, *, most_tokens: int = 1280) -> int:
    """Image tokens of Qwen2-VL: one per 28 x 28 px after rounding to that grid, scaled down to `most_tokens`."""
    rows, columns = max(1, round(height / 28)), max(1, round(width / 28))
    if rows * columns > most_tokens:
        shrink = (height * width / (most_tokens * 28 * 28)) ** 0.5
        rows, columns = max(1, int(height / shrink / 28)), max(1, int(width / shrink / 28))
    return rows * columns


def measured_device() -> Device:
    """This machine, measured: single-precision matrix products for the rate, copies for the bandwidth."""
    import torch

    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9

    side = 768
    left, right = torch.randn(side, side), torch.randn(side, side)
    block = torch.zeros(16_000_000)
    target = torch.empty_like(block)

    def best_s(work, repeats: int = 5) -> float:
        work()
        spans = []
        for _ in range(repeats):
            begin = time.perf_counter()
            work()
            spans.append(time.perf_counter() - begin)
        return min(spans)

    flops = 2.0 * side**3 / best_s(lambda: left @ right)
    bandwidth = 2.0 * block.numel() * 4 / best_s(lambda: target.copy_(block))
    return Device("this machine", flops / 1e12, bandwidth / 1e9, memory_gb, 1.0, 0.0)
