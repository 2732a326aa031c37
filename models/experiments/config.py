"""What `evaluate.py experiment=spaceverse` can be told."""

from __future__ import annotations

from dataclasses import dataclass

from models.stream import Stream


@dataclass(frozen=True)
class SpaceVerseConfig(Stream):
    """Settings of the evaluation of SpaceVerse, beside those of its stream (models.stream).

    seeds            each draws its own samples and fits its own gates; five or more for intervals
    small, large     models by name, see models.sources
    data, folder     data set by name and, for a real one, its folder
    samples          size of the data set, at most this many are read; training_share of them fits the gates
    training_share   the paper: 5%
    test_samples     samples judged per seed
    compression_samples  part of them, per task, that every compressor of Figs. 3 and 12 is tried on
    checked_samples  part of them, per task, on which Fig. 9 and the compression one would fly with are judged
    share            offloaded share at which methods are compared in Fig. 9
    target_loss      relative loss of accuracy for which compression is chosen, on training samples that would be sent
    attention        whose patches and words give eq. (2): own (the small model's) or clip
    clip_weights     open_clip tag or file
    """

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    small: str = "pair-small"
    large: str = "pair-large"
    data: str = "procedural"
    folder: str = ""
    samples: int = 60_000
    training_share: float = 0.05
    test_samples: int = 4500
    compression_samples: int = 40
    checked_samples: int = 300
    share: float = 0.4
    target_loss: float = 0.05
    attention: str = "own"
    clip_weights: str = "openai"

    def __post_init__(self) -> None:
        def refuse(name: str, rule: str) -> ValueError:
            return ValueError(f"spaceverse.{name}={getattr(self, name)!r} is not possible: {rule}")

        if len(self.seeds) < 1 or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise refuse("seeds", "at least one, each once, none below 0 (five for intervals)")
        for name in ("training_share", "share", "target_loss"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise refuse(name, "it must lie in 0..1")
        for name, least in (
            ("test_samples", 6),
            ("compression_samples", 2),
            ("checked_samples", 2),
            ("satellites", 1),
        ):
            if getattr(self, name) < least:
                raise refuse(name, f"at least {least}")
        if self.samples * self.training_share < 60:
            raise refuse(
                "samples", "samples times training_share must be at least 60: a gate is fitted on them"
            )
        if self.interval_s <= 0:
            raise refuse("interval_s", "above 0")
        if self.attention not in ("own", "clip"):
            raise refuse("attention", "own or clip")
        _ = self.station
