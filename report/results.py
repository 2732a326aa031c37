"""What a report is made from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
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

    def stored(self, name: str) -> Any:
        """The content of a JSON file in the results folder; None: there is no such file."""
        file = self.folder / name
        return json.loads(file.read_text()) if file.is_file() else None

    def origin(self, name: str) -> str:
        """A sentence about a stored file: it may be older than the evaluation, and of another scenario."""
        written = datetime.fromtimestamp((self.folder / name).stat().st_mtime, UTC)
        return f"Read from {name}, written {written:%Y-%m-%d %H:%M} UTC."
