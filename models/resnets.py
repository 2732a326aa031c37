"""ResNet18 (satellite) and ResNet101 (ground) scene classifiers through torchvision, behind the common interface.

A classifier "generates" one token, its class. Image tokens are the last stage's cells; the rows of the classification
layer live in the same space and serve as the prompt's words, which makes eq. (2) a class-activation map.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from models.devices import NetworkCost
from models.interface import Encoding, ModelUnavailable, Step, VisionLanguageModel
from models.pair.weights import fingerprint

PIXEL_MEAN = (0.485, 0.456, 0.406)  # ImageNet statistics, as torchvision publishes them
PIXEL_STD = (0.229, 0.224, 0.225)
GFLOP_AT_224 = {18: 3.63, 101: 15.6}  # torchvision's figures, two operations a multiplication
DEPTHS = tuple(GFLOP_AT_224)


CLASSES_SUFFIX = ".classes.txt"


def read_classes(weights: str | Path) -> list[str]:
    """Names of a classifier's outputs, one a line, from <weights>.classes.txt beside its weights.

    Raises ModelUnavailable when the file is missing or empty: outputs without names answer nothing.
    """
    path = Path(f"{weights}{CLASSES_SUFFIX}")
    if not path.is_file():
        raise ModelUnavailable(
            f"{path}: there is no such list of class names; write one name a line, in output order"
        )
    names = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    if not names:
        raise ModelUnavailable(f"{path} names no classes; write one name a line, in output order")
    return names


class ResNetClassifier(VisionLanguageModel):
    """A torchvision ResNet whose outputs have names."""

    def __init__(self, network: Any, classes: Sequence[str], *, name: str, side_px: int = 256):
        if network.fc.out_features != len(classes):
            raise ValueError(
                f"{name} has {network.fc.out_features} outputs but {len(classes)} class names were given"
            )
        self.network = network.eval()
        self.classes = list(classes)
        self.name = name
        self.side_px = side_px

    @classmethod
    def load(
        cls, depth: int, classes: Sequence[str], weights: str | Path, *, side_px: int = 256
    ) -> ResNetClassifier:
        """ResNet18 or ResNet101 with weights from a safetensors file (names as in torchvision's state dict)."""
        if depth not in DEPTHS:
            raise ValueError(f"depth is {depth}; it must be one of {DEPTHS}")
        path = Path(weights)
        if not path.is_file():
            raise ModelUnavailable(
                f"{path}: there is no such weight file for ResNet{depth}; save one as safetensors"
            )
        from safetensors.torch import load_file

        network = build_resnet(depth, len(classes))
        try:
            network.load_state_dict(load_file(str(path)))
        except RuntimeError as error:
            raise ModelUnavailable(
                f"{path} does not fit ResNet{depth} with {len(classes)} classes: {error}"
            ) from error
        return cls(network, classes, name=f"resnet{depth}", side_px=side_px)

    @property
    def working_steps(self) -> int:
        return 1

    def cost(self) -> NetworkCost:
        """Published operations at 224 px, scaled to this classifier's side."""
        weights = sum(p.numel() for p in self.network.parameters())
        depth = 18 if weights < 30e6 else 101
        return NetworkCost(self.name, GFLOP_AT_224[depth] * 1e9 * (self.side_px / 224) ** 2, weights)

    def fingerprint(self) -> str:
        return fingerprint(self.network)

    @torch.no_grad()
    def encode(self, image: np.ndarray, prompt: str) -> Encoding:
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 255.0
        pixels = F.interpolate(pixels, size=(self.side_px, self.side_px), mode="bilinear", antialias=True)
        mean, std = torch.tensor(PIXEL_MEAN).view(1, 3, 1, 1), torch.tensor(PIXEL_STD).view(1, 3, 1, 1)
        net = self.network
        hidden = net.maxpool(net.relu(net.bn1(net.conv1((pixels - mean) / std))))
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            hidden = stage(hidden)
        rows, columns = hidden.shape[-2:]
        words = net.fc.weight.detach()
        return Encoding(
            hidden[0].flatten(1).T,
            words,
            torch.ones(len(words), dtype=torch.bool),
            (rows, columns),
            state=hidden,
        )

    @torch.no_grad()
    def decode(self, encoding: Encoding) -> Iterator[Step]:
        pooled = encoding.image.mean(0)  # [D]
        probability, index = torch.softmax(self.network.fc(pooled[None])[0], -1).max(-1)
        yield Step(self.classes[int(index)], pooled, float(probability))

    def answer(self, steps: Sequence[Step]) -> str:
        return steps[0].text if steps else ""


def build_resnet(depth: int, classes: int) -> Any:
    """An untrained ResNet of this depth. Raises ModelUnavailable when torchvision is not installed."""
    from models.torchvision_import import import_torchvision

    torchvision = import_torchvision()
    return getattr(torchvision.models, f"resnet{depth}")(weights=None, num_classes=classes)
