"""A calibrated gate on disk: weights, isotonic maps, thresholds, and the models they belong to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save

from models.codec import Codec
from models.compressors import SpaceVerseCompressor
from models.gate import GateConfig, ProgressiveGate
from models.gate_training import CalibratedGate, Isotonic
from models.sample import Task

FORMAT = "leomix-gate-2"
OWN = "own"


class CalibrationMismatch(RuntimeError):
    """Stored thresholds were made with other model weights than those loaded now."""


@dataclass(frozen=True)
class Calibration:
    """A gate with thresholds [I] and the SHA-256 of the satellite and ground models it was made with.

    compressors  per task how hard its images are compressed (models.compression_choice)
    predicts     what a confidence means: agreement or gain
    attention    SHA-256 of the encoder whose attention the compressors were chosen with; OWN: the satellite model's
    """

    gate: CalibratedGate
    threshold: np.ndarray
    target_offload: float
    small: str
    large: str
    compressors: dict[Task, SpaceVerseCompressor] = field(default_factory=dict)
    predicts: str = "agreement"
    attention: str = OWN

    def check(self, small: str, large: str, attention: str | None = None) -> None:
        """Raise CalibrationMismatch unless the fingerprints are those the calibration was made with.

        attention  of the encoder that compression is going to use; None: the stored compressors are not used
        """
        given = {"satellite": small, "ground": large, "attention": attention or self.attention}
        for role, stored in (
            ("satellite", self.small),
            ("ground", self.large),
            ("attention", self.attention),
        ):
            if stored != given[role]:
                raise CalibrationMismatch(
                    f"the {role} model's weights ({given[role][:12]}) are not those this gate was calibrated with "
                    f"({stored[:12]}); its thresholds mean nothing here: run python -m models.calibrate again"
                )


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Write one safetensors file; everything but tensors goes into its metadata."""
    gate = calibration.gate
    tensors = {f"gate.{name}": value.contiguous() for name, value in gate.gate.state_dict().items()}
    for stage, fitted in enumerate(gate.maps):
        tensors[f"map.{stage}.raw"] = torch.from_numpy(fitted.raw.astype(np.float64))
        tensors[f"map.{stage}.calibrated"] = torch.from_numpy(fitted.calibrated.astype(np.float64))
    tensors["threshold"] = torch.from_numpy(calibration.threshold.astype(np.float64))
    header = {
        "format": FORMAT,
        "config": json.dumps(asdict(gate.config)),
        "widths": json.dumps(gate.gate.widths),
        "target_offload": json.dumps(calibration.target_offload),
        "small": calibration.small,
        "large": calibration.large,
        "predicts": calibration.predicts,
        "attention": calibration.attention,
        "compressors": json.dumps(
            {task.value: asdict(compressor) for task, compressor in calibration.compressors.items()}
        ),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(save(tensors, metadata=header))  # `save_file` would keep it from all other users


def load_calibration(path: Path) -> Calibration:
    """Read what `save_calibration` wrote; raises FileNotFoundError or ValueError naming the file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no calibrated gate there; make one with python -m models.calibrate")
    with safe_open(str(path), framework="pt") as opened:
        header = opened.metadata() or {}
        if header.get("format") != FORMAT:
            raise ValueError(f"{path}: format {header.get('format')!r} is not {FORMAT!r}; calibrate again")
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (a file, not a dict)
    config = GateConfig(**json.loads(header["config"]))
    gate = ProgressiveGate(config, json.loads(header["widths"]))
    gate.load_state_dict({n.removeprefix("gate."): v for n, v in tensors.items() if n.startswith("gate.")})
    maps = tuple(
        Isotonic(tensors[f"map.{i}.raw"].numpy(), tensors[f"map.{i}.calibrated"].numpy())
        for i in range(config.stages)
    )
    return Calibration(
        CalibratedGate(gate.eval(), maps),
        tensors["threshold"].numpy(),
        json.loads(header["target_offload"]),
        header["small"],
        header["large"],
        {Task(task): _compressor(fields) for task, fields in json.loads(header["compressors"]).items()},
        header["predicts"],
        header["attention"],
    )


def _compressor(fields: dict) -> SpaceVerseCompressor:
    return SpaceVerseCompressor(
        **fields | {"codec": Codec(**fields["codec"]), "regions": tuple(fields["regions"])}
    )
