"""Whether a policy is tested where it was trained: the same constellation at the same time of the day."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from configs.convert import to_dataclass
from configs.schema import AnyFleet, EvaluateConfig
from envs.constellation import CONSTELLATIONS
from envs.day import DayConfig


@dataclass(frozen=True)
class _Trained:
    """What matters here of a run's configuration."""

    constellation: AnyFleet
    day: DayConfig = field(default_factory=DayConfig)


def seen_slots(config: EvaluateConfig, policy: Path) -> list[int]:
    """The test slots of `config` in which `policy`, a run's folder or a file in it, was trained or chosen.

    Empty if there is no config.yaml, for then nobody knows, or was trained on another constellation.
    """
    stored_file = (policy if policy.is_dir() else policy.parent) / "config.yaml"
    if not stored_file.is_file():
        return []
    stored = DictConfig(OmegaConf.load(stored_file))
    trained = to_dataclass(_Trained, {key: stored[key] for key in ("constellation", "day") if key in stored})
    beside = [CONSTELLATIONS.get(name) for name in OmegaConf.select(stored, "training.also_on") or ()]
    if config.constellation not in (trained.constellation, *beside):
        return []
    return config.day.seen_in(trained.day)
