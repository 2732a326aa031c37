"""Reads what W&B writes offline: a log of protocol buffers in LevelDB's format (blocks, records in parts)."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

HEADER, BLOCK, PART = 7, 32768, 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def records(run: Path, patience_s: float = 20.0) -> list[Any]:
    """All records of all offline runs in the folder of a run, in the order in which the runs began.

    W&B writes in a process of its own: waits until each run has its last record.
    """
    everything: list[Any] = []
    give_up = time.monotonic() + patience_s
    for file in sorted(run.glob("wandb/offline-run-*/*.wandb"), key=_began_s):
        while not (found := [_record(message) for message in _messages(file.read_bytes())]) or (
            found[-1].WhichOneof("record_type") != "exit"
        ):
            assert time.monotonic() < give_up, f"{file} does not end"
            time.sleep(0.05)
        everything += found
    return everything


def history(run: Path) -> list[dict[str, Any]]:
    """What was logged, row by row; a nested value is a dict."""
    rows = []
    for record in records(run):
        if record.WhichOneof("record_type") != "history":
            continue
        row: dict[str, Any] = {}
        for item in record.history.item:
            *groups, name = item.nested_key or [item.key]
            place = row
            for group in groups:
                place = place.setdefault(group, {})
            place[name] = json.loads(item.value_json)
        rows.append(row)
    return rows


def config(run: Path) -> dict[str, Any]:
    """The configuration the first process gave."""
    first = next(record.run for record in records(run) if record.WhichOneof("record_type") == "run")
    return {item.key: json.loads(item.value_json) for item in first.config.update}


def _began_s(file: Path) -> float:
    """When the process that wrote `file` made its folder."""
    return (file.parent / "logs" / "debug-core.log").lstat().st_mtime_ns


def _record(message: bytes) -> Any:
    record = wandb_internal_pb2.Record()  # pyright: ignore[reportAttributeAccessIssue]
    record.ParseFromString(message)
    return record


def _messages(data: bytes) -> Iterator[bytes]:
    at, whole = HEADER, b""
    while at + PART <= len(data):
        if BLOCK - at % BLOCK < PART:  # the rest of a block is padding
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + PART])
        whole += data[at + PART : at + PART + length]
        at += PART + length
        if kind in (FULL, LAST):
            yield whole
            whole = b""
