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

SCENARIO = ("constellation", "link", "day", "task", "environment", "failures")
"""Groups of the configuration that decide what a number means."""


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

    def elsewhere(self, stored: Any) -> str:
        """A sentence when a stored experiment was of another scenario than the evaluation; empty when it was not.

        stored: content of its file, with the whole configuration under `config`.
        """
        theirs = stored.get("config", {})
        ours = json.loads(json.dumps(self.settings))
        other = [
            group
            for group in SCENARIO
            if group in theirs and _values(theirs[group]) != _values(ours.get(group, {}))
        ]
        if not other:
            return ""
        fleet = theirs.get("constellation", {})
        name = Path(fleet.get("file") or fleet.get("name", "")).stem
        return f"This was measured in another scenario, on {name}: {_listed(other)} differ{'s' * (len(other) == 1)}."

    def origin(self, name: str) -> str:
        """A sentence about a stored file: it may be older than the evaluation, and of another scenario."""
        written = datetime.fromtimestamp((self.folder / name).stat().st_mtime, UTC)
        return f"Read from {name}, written {written:%Y-%m-%d %H:%M} UTC."


def _values(group: dict[str, Any]) -> dict[str, Any]:
    """What a group sets, without the word by which a file of the configuration says which class it makes."""
    return {name: value for name, value in group.items() if name not in ("kind", "model")}


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
