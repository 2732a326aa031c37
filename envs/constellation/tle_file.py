"""Reading a file of two-line elements: which satellites it holds, and which of its lines are broken.

The format is that of CelesTrak and Space-Track: pairs of lines of 69 characters, each pair with or without a line
that names the satellite before it (https://celestrak.org/NORAD/documentation/tle-fmt.php).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from envs.config import ConfigError

LINE_LENGTH = 69

_DAY = r" *\d+\.\d+"
_SMALL = r"[ +-]*\d+[+-]\d"  # a decimal point is assumed before the digits
_ANGLE = r" *\d+\.\d+"
# Name, first and last column (counted from 1, as the format's description does), what stands there.
_FIELDS: dict[str, tuple[tuple[str, int, int, str], ...]] = {
    "1": (
        ("catalogue number", 3, 7, r" *[0-9A-Z]\d*"),
        ("epoch year", 19, 20, r"\d\d"),
        ("epoch day", 21, 32, _DAY),
        ("first derivative of the mean motion", 34, 43, r"[ +-]* *\.\d+"),
        ("second derivative of the mean motion", 45, 52, _SMALL),
        ("drag term B*", 54, 61, _SMALL),
    ),
    "2": (
        ("catalogue number", 3, 7, r" *[0-9A-Z]\d*"),
        ("inclination", 9, 16, _ANGLE),
        ("right ascension of the ascending node", 18, 25, _ANGLE),
        ("eccentricity", 27, 33, r"\d+"),
        ("argument of perigee", 35, 42, _ANGLE),
        ("mean anomaly", 44, 51, _ANGLE),
        ("mean motion", 53, 63, _ANGLE),
    ),
}


@dataclass(frozen=True)
class TleRecord:
    """The elements of one satellite; name: empty where the file has none; number: of line 1 in the file."""

    name: str
    catalogue_number: str
    line1: str
    line2: str
    number: int


@dataclass(frozen=True)
class BrokenLine:
    """A line that cannot be used, counted from 1, and why."""

    number: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.reason}"


def read_tle(path: Path) -> tuple[list[TleRecord], list[BrokenLine]]:
    """The satellites in the file at `path` in its order, and its broken lines. Empty lines and # comments are skipped.

    Raises ConfigError where there is no such file, or it is no text.
    """
    if not path.is_file():
        raise ConfigError(f"constellation.file={str(path)!r}: there is no such file")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"constellation.file={str(path)!r} cannot be read: {error}") from error
    records: list[TleRecord] = []
    broken: list[BrokenLine] = []
    name: tuple[int, str] | None = None
    first: tuple[int, str] | None = None

    def drop_unpaired() -> None:
        """What was read of a satellite whose elements do not follow."""
        nonlocal name, first
        if first:
            broken.append(BrokenLine(first[0], "a line 1 that no line 2 follows"))
        elif name:
            broken.append(BrokenLine(name[0], f"the name {name[1]!r} is not followed by elements"))
        name = first = None

    for number, line in enumerate(text.splitlines(), start=1):
        line = line.rstrip()
        if not line or line.startswith("#"):
            continue
        kind = line[:2]
        if kind == "1 ":
            if first:
                drop_unpaired()
            first = (number, line)
        elif kind == "2 ":
            if first is None:
                name = None
                broken.append(BrokenLine(number, "a line 2 that follows no line 1"))
                continue
            found = _check_pair(first, (number, line))
            if isinstance(found, BrokenLine):
                broken.append(found)
            else:
                label = name[1].removeprefix("0 ").strip() if name else ""
                records.append(TleRecord(label, found, first[1], line, first[0]))
            name = first = None
        else:
            drop_unpaired()
            name = (number, line)
    drop_unpaired()
    return records, broken


def _check_pair(first: tuple[int, str], second: tuple[int, str]) -> str | BrokenLine:
    """The catalogue number of a pair of lines, or what is wrong with one of them."""
    for number, line in (first, second):
        reason = _mistake(line)
        if reason:
            return BrokenLine(number, reason)
    catalogue_number = first[1][2:7]
    if second[1][2:7] != catalogue_number:
        reason = f"catalogue number {second[1][2:7]}, but line 1 before it has {catalogue_number}"
        return BrokenLine(second[0], reason)
    return catalogue_number.strip()


def _mistake(line: str) -> str | None:
    """What is wrong with line 1 or line 2 of a satellite; None if nothing is."""
    if len(line) != LINE_LENGTH:
        return f"{len(line)} characters long, not {LINE_LENGTH}"
    for name, begin, end, pattern in _FIELDS[line[0]]:
        text = line[begin - 1 : end]
        if not re.fullmatch(pattern, text.rstrip()):
            return f"{name} (columns {begin}-{end}) reads {text!r}"
    if line[0] == "2":
        if float(line[8:16]) > 180:
            return f"inclination (columns 9-16) is {line[8:16].strip()}, more than 180 degrees"
        if float(line[52:63]) <= 0:
            return "mean motion (columns 53-63) is 0"
    elif not 1 <= float(line[20:32]) < 367:
        return f"epoch day (columns 21-32) is {line[20:32].strip()}, not a day of a year"
    checksum = checksum_of(line)
    if line[-1] != str(checksum):
        return f"checksum is {line[-1]!r}, its characters give {checksum}"
    return None


def checksum_of(line: str) -> int:
    """Sum of the digits of the first 68 characters, a minus sign counting 1, modulo 10."""
    return sum(int(c) if c in "0123456789" else c == "-" for c in line[: LINE_LENGTH - 1]) % 10
