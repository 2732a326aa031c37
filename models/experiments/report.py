"""Tables of the evaluation on screen, as CSV and as one JSON file."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table as ScreenTable

from models.experiments.table import Row, Table

INTERVAL = "_ci95"


def write_table(table: Table, folder: Path) -> Path:
    """Write <name>.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{table.name}.csv"
    with path.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, columns_of(table))
        writer.writeheader()
        writer.writerows(table.rows)
    return path


def write_all(tables: Sequence[Table], folder: Path, settings: dict[str, Any]) -> Path:
    """Write spaceverse.json with all tables and their notes, and settings.json."""
    folder.mkdir(parents=True, exist_ok=True)
    everything = {
        table.name: {"title": table.title, "note": table.note, "rows": [_plain(row) for row in table.rows]}
        for table in tables
    }
    path = folder / "spaceverse.json"
    path.write_text(json.dumps(everything, indent=1) + "\n")
    (folder / "settings.json").write_text(json.dumps(settings, indent=1) + "\n")
    return path


def columns_of(table: Table) -> list[str]:
    """All columns in the order in which rows first name them."""
    return list(dict.fromkeys(key for row in table.rows for key in row))


def on_screen(table: Table) -> ScreenTable:
    """For a terminal; columns ending in _ci95 are folded into the one they belong to as "value ± half"."""
    keys = table.shown or tuple(key for key in columns_of(table) if not key.endswith(INTERVAL))
    out = ScreenTable(
        title=table.title, caption=table.note, box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0)
    )
    for number, key in enumerate(keys):
        out.add_column(key.replace("_", " "), justify="left" if number == 0 else "right")
    for row in table.rows:
        out.add_row(*(cell(row, key) for key in keys))
    return out


def cell(row: Row, key: str) -> str:
    """One value as text, with its interval if it has one."""
    value, half = row.get(key, ""), row.get(f"{key}{INTERVAL}")
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "-"
    known = isinstance(half, float) and math.isfinite(half)
    digits = 1 if abs(value) >= 100 else 3 if abs(value) >= 0.01 or value == 0 else 5
    return f"{value:.{digits}f}" + (f" ± {half:.{digits}f}" if known else "")


def _plain(row: Row) -> Row:
    """NaN is no JSON: null instead."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }
