"""What a frame costs in seconds: as BS-MARL counts operations, or as SpaceVerse's models take on their devices."""

from __future__ import annotations

from dataclasses import dataclass, replace

from models.profile_file import Profile
from models.workload import Workload
from offload.config import ComputeConfig, FramesConfig


@dataclass(frozen=True)
class FrameSeconds:
    """Seconds of one frame.

    look_s: on board, of every frame, before anything is sent. send_s: on board, of a frame that is offloaded, on top.
    keep_s: on board, of a frame that is answered there, on top. large_s: at the large model.
    """

    look_s: float
    send_s: float
    keep_s: float
    large_s: float

    def compute(self, compute: ComputeConfig, frames: FramesConfig) -> ComputeConfig:
        """`compute` with operations that take these seconds, except `look_s`, which it has no place for."""
        return replace(
            compute,
            small_gop=self.keep_s * 1e3 * compute.utilisation * compute.sensing_tops,
            large_gop=self.large_s * 1e3 * compute.utilisation * compute.computing_tops,
            feature_cycles_per_bit=self.send_s
            * 1e3
            * compute.utilisation
            * compute.sensing_ghz
            / frames.frame_mbit,
        )


def operations(compute: ComputeConfig, frames: FramesConfig, *, gated: bool) -> FrameSeconds:
    """BS-MARL's: features are extracted of the frames that are offloaded, T^FE; a gate reads features of all frames."""
    feature_s = frames.frame_mbit * compute.feature_s_per_mbit
    return FrameSeconds(
        look_s=feature_s if gated else 0.0,
        send_s=0.0 if gated else feature_s,
        keep_s=compute.small_frame_s,
        large_s=compute.large_frame_s,
    )


def devices(profile: Profile, work: Workload) -> FrameSeconds:
    """SpaceVerse's, of the profile's models on its devices, under a gate.

    Every frame passes the vision tower and the gate; those kept go on from there, those sent are compressed.
    """
    vision, prefill, decode = profile.onboard_s.mean(0).tolist()
    return FrameSeconds(
        look_s=vision + work.gate_s,
        send_s=work.compress_s,
        keep_s=prefill + decode,
        large_s=float(profile.large_s.sum(1).mean()),
    )
