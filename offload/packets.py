"""How large a task's packets must be: subproblems (5) and (6) of BS-MARL.

data packet   a L s_feat + sum_f P kappa_f r_f      the smallest that the large model's accuracy allows
model packet  the smallest update that the small model's accuracy allows
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from envs.config import ConfigError
from offload.accuracy import AccuracyModel, Quantity, RequirementError
from offload.config import MEASUREMENTS, FramesConfig, ModelPackets, ModelUpdateConfig, OffloadConfig
from offload.residuals import EqualFrames, Levels, cheapest_levels
from offload.tasks import Tasks


@dataclass(frozen=True)
class DataPackets:
    """Data packets of E x n tasks: size_mbit [E, n] float64, and level_frames [E, n, J + 1] long, how many of the
    offloaded frames send residuals of each level (0: none)."""

    size_mbit: Tensor
    level_frames: Tensor


class DataPacketDesign(Protocol):
    """Turns numbers of offloaded frames into data packets."""

    @property
    def levels(self) -> Levels: ...

    def select(self, index: Tensor) -> DataPacketDesign:
        """The same for the worlds at `index`."""
        ...

    def __call__(self, tasks: Tasks, offloaded: Tensor) -> DataPackets:
        """Smallest data packets for `offloaded` [E, n] frames."""
        ...


class EqualFramesDesign:
    """All frames keep all their pixels."""

    def __init__(self, frames: FramesConfig, model: AccuracyModel) -> None:
        self.levels = Levels.of(frames.quantisers, model)
        self._solver = EqualFrames(self.levels)
        self._frames = frames

    def select(self, index: Tensor) -> EqualFramesDesign:
        return self

    def __call__(self, tasks: Tasks, offloaded: Tensor) -> DataPackets:
        level_frames = self._solver.solve(offloaded, tasks.large_accuracy)
        bits = torch.tensor(self.levels.bits_per_pixel, dtype=torch.float64, device=offloaded.device)
        residual_mbit = level_frames.double() @ bits * (self._frames.pixels / 1e6)
        return DataPackets(offloaded.double() * self._frames.feature_mbit + residual_mbit, level_frames)


def offloading_order(confidence: np.ndarray, kept_share: np.ndarray) -> np.ndarray:
    """Shares [L] of a task's frames in the order of offloading: those first that the gate trusts least.

    confidence: [L] what a confidence gate thinks of the small model's answer to each frame (`models.gate`).
    kept_share: [L] share of its pixels that a compressor keeps (`models.compressors`).
    """
    if confidence.shape != kept_share.shape:
        raise ConfigError(
            f"kept_share has shape {kept_share.shape}, confidence {confidence.shape}: one value a frame in each"
        )
    return kept_share[np.argsort(confidence, kind="stable")]


class RankedFramesDesign:
    """Every frame keeps its own share kappa_f of its pixels, and frames are offloaded in a given order.

    That is what a confidence gate (the order) and an attention compressor (the shares) decide; see `offloading_order`.

    kept_share: for every world and task, the shares of its frames, those offloaded first at the front.
    """

    def __init__(
        self, frames: FramesConfig, model: AccuracyModel, kept_share: Sequence[Sequence[np.ndarray]]
    ) -> None:
        for world in kept_share:
            for shares in world:
                if not ((shares > 0) & (shares <= 1)).all():
                    raise ConfigError(
                        "kept_share has values outside of (0, 1]: it is the share of pixels kept"
                    )
        self.levels = Levels.of(frames.quantisers, model)
        self._model = model
        self._frames = frames
        self._kept_share = kept_share

    def select(self, index: Tensor) -> RankedFramesDesign:
        chosen = [self._kept_share[world] for world in index.tolist()]
        return RankedFramesDesign(self._frames, self._model, chosen)

    def __call__(self, tasks: Tasks, offloaded: Tensor) -> DataPackets:
        bits = np.array(self.levels.bits_per_pixel)
        level_frames = np.zeros((*offloaded.shape, len(bits)), np.int64)
        pixels = np.zeros(offloaded.shape)  # sum of kappa_f r_f
        for world, shares_of_world in enumerate(self._kept_share):
            for task, shares in enumerate(shares_of_world):
                kept = shares[: int(offloaded[world, task])]
                level = cheapest_levels(kept, self.levels, float(tasks.large_accuracy[world, task]))
                level_frames[world, task] = np.bincount(level, minlength=len(bits))
                pixels[world, task] = (kept * bits[level]).sum()
        residual_mbit = torch.from_numpy(pixels).to(offloaded.device) * (self._frames.pixels / 1e6)
        return DataPackets(
            offloaded.double() * self._frames.feature_mbit + residual_mbit,
            torch.from_numpy(level_frames).to(offloaded.device),
        )


class UpdateDesign(Protocol):
    """Sizes model packets."""

    def __call__(self, tasks: Tasks, offloaded: Tensor) -> Tensor:
        """[E, n] float64 Mbit for tasks with `offloaded` frames."""
        ...

    def require_reachable(self, tasks: Tasks) -> None:
        """Raise RequirementError naming the highest accuracy that a model packet can give."""
        ...


class ModelPacketDesign:
    """Smallest model packets: share x of n weights sent as differences with their positions, or all n as they are."""

    def __init__(self, update: ModelUpdateConfig, model: AccuracyModel, model_packets: ModelPackets) -> None:
        self._update = update
        self._model = model
        self._model_packets = model_packets

    @property
    def largest_share(self) -> float:
        """The largest share of the weights that a packet can carry."""
        update = self._update
        if update.largest_mbit >= update.whole_mbit:
            return 1.0
        return update.largest_mbit / (update.position_factor * update.whole_mbit)

    def __call__(self, tasks: Tasks, offloaded: Tensor) -> Tensor:
        """[E, n] float64 Mbit for tasks with `offloaded` frames."""
        update = self._update
        share = self._model.inverse(tasks.small_accuracy)
        size = update.whole_mbit * (update.position_factor * share).clamp(max=1.0)
        size = torch.where(tasks.present, size.clamp(update.smallest_mbit, update.largest_mbit), 0.0)
        if self._model_packets is ModelPackets.needed:
            size = torch.where(offloaded < tasks.frames, size, 0.0)
        return size

    def require_reachable(self, tasks: Tasks) -> None:
        """Raise RequirementError naming the highest accuracy that a model packet can give."""
        self._model.require_reachable(
            tasks.small_accuracy,
            self.largest_share,
            "small_accuracy",
            "require less, allow larger model packets (offload.model.largest_mbit) or fit a better small model",
        )


@dataclass(frozen=True)
class PacketDesign:
    """Both packets of every task."""

    data: DataPacketDesign
    model: UpdateDesign

    @classmethod
    def of(
        cls, config: OffloadConfig, kept_share: Sequence[Sequence[np.ndarray]] | None = None
    ) -> PacketDesign:
        """The design that `config` describes; `kept_share` as in `RankedFramesDesign`, None: frames are equal."""
        large, small = load_accuracy_models(config)
        data: DataPacketDesign = (
            EqualFramesDesign(config.frames, large)
            if kept_share is None
            else RankedFramesDesign(config.frames, large, kept_share)
        )
        return cls(data, ModelPacketDesign(config.model, small, config.compute.model_packets))

    def select(self, index: Tensor) -> PacketDesign:
        """The same for the worlds at `index`."""
        return PacketDesign(self.data.select(index), self.model)

    def sizes(self, tasks: Tasks, offloaded: Tensor) -> tuple[Tensor, DataPackets]:
        """Model packets [E, n] Mbit and data packets for `offloaded` [E, n] frames."""
        return self.model(tasks, offloaded), self.data(tasks, offloaded)

    def require_reachable(self, tasks: Tasks) -> None:
        """Raise RequirementError naming the highest accuracy that packets can give, before any search."""
        levels = self.data.levels
        highest = float(tasks.large_accuracy.max())
        if highest > levels.accuracy[-1]:
            raise RequirementError(
                f"large_accuracy={highest:g} is not possible: at most {levels.accuracy[-1]:.4f} with residuals of "
                f"{levels.bits_per_pixel[-1]:g} bits per pixel; require less, allow finer quantisers "
                "(offload.frames.quantisers) or fit a better large model"
            )
        self.model.require_reachable(tasks)


def load_accuracy_models(config: OffloadConfig) -> tuple[AccuracyModel, AccuracyModel]:
    """f and h: the files that `config` names, or those that come with LEOMix."""
    large = Path(config.large_model) if config.large_model else MEASUREMENTS / "large_model.json"
    small = Path(config.small_model) if config.small_model else MEASUREMENTS / "small_model.json"
    return (
        AccuracyModel.load(large, Quantity.residual_bits_per_pixel),
        AccuracyModel.load(small, Quantity.update_share),
    )
