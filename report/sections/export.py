"""What flies: the exported policy, when the results folder or the policy's has one."""

from __future__ import annotations

import json
from typing import Any

from report.results import Results
from report.section import Section, Table, text_of

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
    manifest = json.loads(found[0].read_text())
    rows = [{"key": key, "value": value} for key, value in flat(manifest)]
    return Section(
        "export",
        "Exported policy",
        words=(_words(manifest),),
        tables=(Table.of("Manifest", rows, folded=True),),
    )


def _words(manifest: dict[str, Any]) -> str:
    """What the export is, as far as its manifest says."""
    files, observation = manifest.get("files", {}), manifest.get("observation", {})
    parity = manifest.get("checks", {}).get("parity_with_torch", {})
    models = []
    for name, model in manifest.get("models", {}).items():
        size = f"{files[name]['bytes'] / 1000:.0f} kB" if name in files else None
        told = "; ".join(filter(None, (model.get("arithmetic"), size)))
        models.append(f"{name} ({told})" if told else name)
    parts = [f"The policy has been exported as {' and '.join(models)}."]
    if "size" in observation:
        parts.append(f"It decides from {observation['size']} features, {observation.get('layout', '')}.")
    if parity:
        agreement = ", ".join(f"{name} in {100 * one['agreement']:.4g}%" for name, one in parity.items())
        decisions = max(one["decisions"] for one in parity.values())
        parts.append(f"Of {decisions} decisions it takes the same as torch: {agreement}.")
    if "exported_by" in manifest:
        parts.append(f"Exported by {manifest['exported_by']}.")
    return " ".join(parts)


def flat(value: Any, path: str = "") -> list[tuple[str, str | int | float | bool | None]]:
    """Nested mappings and lists as (path, value). A list of plain values stays in one line, as does each mapping in a
    list that has only such values: a feature's number, name and unit belong together.
    """
    if isinstance(value, dict):
        return [
            row for key, item in value.items() for row in flat(item, f"{path}.{key}" if path else str(key))
        ]
    if isinstance(value, list):
        if all(not isinstance(item, (dict, list)) for item in value):
            return [(path, ", ".join(map(str, value)))]
        return [row for i, item in enumerate(value) for row in _item(item, f"{path}[{i}]")]
    return [(path, value)]


def _item(item: Any, path: str) -> list[tuple[str, str | int | float | bool | None]]:
    """One of a list: in one line where each of its values fits one, else flat."""
    values = flat(item)
    if isinstance(item, dict) and item and len(values) == len(item) and all(key in item for key, _ in values):
        return [(path, "; ".join(f"{key}: {text_of(value)}" for key, value in values))]
    return flat(item, path)
