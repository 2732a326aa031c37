"""What a report is made from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.evaluation import Comparison
from report.config import GlobeConfig
from report.episodes import Episodes


@dataclass(frozen=True)
class Results:
    """An evaluation in memory, and the folder with whatever else was measured of the same policy.

    learned: name of the policy among the compared routers; None: there is no policy. run: the folder that the policy
    comes from. settings: the whole configuration, plain values. propagator: of the orbits. remarks: what a reader
    should know before anything else.
    """

    folder: Path
    comparison: Comparison
    episodes: Episodes
    globe: GlobeConfig
    settings: dict[str, Any]
    propagator: str
    learned: str | None = None
    run: Path | None = None
    remarks: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The router that the report is about: the policy, or without one the best rule that is written by hand."""
        return self.globe.left or self.learned or "look_ahead_3"

    def stored(self, *names: str) -> Any:
        """The content of the first of these JSON files that the results folder has; None: it has none of them."""
        for name in names:
            if (self.folder / name).is_file():
                return json.loads((self.folder / name).read_text())
        return None
