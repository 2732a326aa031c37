"""Payloads as JSON with arrays in binary, and everything compressed: what a browser unpacks without any library."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

ARRAY_TYPES = ("uint8", "int16", "uint16", "uint32", "int32", "float32")
"""Types that a page reads as they are: each has a typed array in JavaScript, little-endian as on every machine."""


def plain(value: Any) -> Any:
    """Dataclasses, tuples and arrays as JSON values.

    An array becomes {"dtype", "shape", "base64"}; `page/payload.js` is the reader. Raises TypeError for an array that
    a page could not read, ValueError for a number that JSON does not know.
    """
    if isinstance(value, np.ndarray):
        if value.dtype.name not in ARRAY_TYPES:
            raise TypeError(f"an array of {value.dtype} cannot go into a page, only {', '.join(ARRAY_TYPES)}")
        data = np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<"))
        return {
            "dtype": value.dtype.name,
            "shape": list(value.shape),
            "base64": base64.b64encode(data.tobytes()).decode("ascii"),
        }
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def pack_json(value: Any) -> str:
    """`value` as JSON, compressed, in base64: text that can stand in a script element."""
    return pack(json.dumps(plain(value), allow_nan=False, separators=(",", ":")).encode())


def pack(data: bytes) -> str:
    """`data` compressed, in base64. The same bytes always give the same text."""
    return base64.b64encode(gzip.compress(data, compresslevel=9, mtime=0)).decode("ascii")
