"""What flies: the exported policy, when the results folder or the policy's has one."""

from __future__ import annotations

import json
from typing import Any

from report.results import Results
from report.section import Section, Table

FOLDERS = ("export", "onboard", "")
MANIFEST = "manifest.json"


def export_section(results: Results) -> Section | None:
    """The manifest of an export, flat, as a table; None where there is none."""
    roots = [root for root in (results.folder, results.run) if root is not None]
    found = [
        root / name / MANIFEST for root in roots for name in FOLDERS if (root / name / MANIFEST).is_file()
    ]
    if not found:
        return None
    rows = [{"key": key, "value": value} for key, value in flat(json.loads(found[0].read_text()))]
    return Section(
        "export",
        "Exported policy",
        words=("The policy has been exported; this is its manifest.",),
        tables=(Table.of("Manifest", rows, folded=True),),
    )


def flat(value: Any, path: str = "") -> list[tuple[str, str | int | float | bool | None]]:
    """Nested mappings and lists as (path, value); a list of plain values stays in one line."""
    if isinstance(value, dict):
        return [
            row for key, item in value.items() for row in flat(item, f"{path}.{key}" if path else str(key))
        ]
    if isinstance(value, list):
        if all(not isinstance(item, (dict, list)) for item in value):
            return [(path, ", ".join(map(str, value)))]
        return [row for i, item in enumerate(value) for row in flat(item, f"{path}[{i}]")]
    return [(path, value)]
