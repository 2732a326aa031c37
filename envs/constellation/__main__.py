"""What a constellation amounts to: `python -m envs.constellation describe [constellation=NAME | file=PATH] [--json]`.

constellation=NAME   one of the presets; default walker_12x24. With it also planes=20, phasing=5 and the other settings
                     of a Walker constellation (configs/constellation/walker_12x24.yaml), instead of the preset's
file=PATH            a fleet from a TLE file; with it also shell=53/550, date=2022-09-14 and the other settings of
                     the group `constellation` of that kind (configs/constellation/tle.yaml)
link=MODEL           eb_n0 (default), shannon or fixed, with their default values
--json               JSON instead of tables
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError
from rich import box
from rich.console import Console
from rich.table import Table

from envs.config import ConfigError
from envs.constellation import CONSTELLATIONS, FLEETS, Constellation, Fleet, TleFleet
from envs.constellation.description import HIGH, Description, LinkStatistics, Spread, describe
from envs.links import LINK_MODELS

_KEYS = tuple(
    dict.fromkeys(["constellation", "link", *(f.name for kind in FLEETS.values() for f in fields(kind))])
)


def parse(arguments: list[str]) -> tuple[dict[str, str], bool]:
    """`key=value` settings and whether JSON is wanted; raises ConfigError naming the argument that is wrong."""
    if not arguments or arguments[0] != "describe":
        raise ConfigError(
            "say what to do: python -m envs.constellation describe [constellation=NAME | file=PATH]"
        )
    settings, as_json = {}, False
    for argument in arguments[1:]:
        key, equals, value = argument.partition("=")
        key = key.removeprefix("constellation.")
        if argument == "--json":
            as_json = True
        elif key not in _KEYS or not equals or not value:
            raise ConfigError(
                f"cannot read {argument!r}: write --json or KEY=VALUE with one of {', '.join(_KEYS)}"
            )
        else:
            settings[key] = value
    return settings, as_json


def fleet_of(settings: dict[str, str]) -> Fleet:
    """The fleet that is asked for."""
    chosen = settings.pop("constellation", "walker_12x24" if "file" not in settings else "tle")
    if chosen == "tle":
        return TleFleet(**_values(TleFleet, settings, "a Walker constellation, not to a TLE file"))
    if chosen not in CONSTELLATIONS:
        raise ConfigError(
            f"constellation={chosen!r} is not possible: one of {', '.join(CONSTELLATIONS)}, tle"
        )
    values = _values(Constellation, settings, f"constellation=tle, not to {chosen}")
    return replace(CONSTELLATIONS[chosen], **({"name": f"{chosen}, changed"} if values else {}) | values)


def _values(kind: type[Constellation | TleFleet], settings: dict[str, str], owner: str) -> dict[str, Any]:
    """`settings` as the fields of `kind`; owner: what those belong to that it does not have."""
    types, values = get_type_hints(kind), {}
    for key, text in settings.items():
        if key not in types:
            raise ConfigError(f"{key}= belongs to {owner}")
        try:
            kind_of_value = TypeAdapter(types[key])
            values[key] = (
                kind_of_value.validate_python(None)
                if text == "null"
                else kind_of_value.validate_strings(text)
            )
        except ValidationError as error:
            reason = error.errors(include_url=False)[0]["msg"]
            raise ConfigError(f"constellation.{key}={text!r} is not possible: {reason}") from error
    return values


def show(description: Description, console: Console) -> None:
    """Print `description` as tables."""
    sizes = description.satellites_per_plane
    distance_km, a, b = description.closest_approach
    facts = Table(
        box=None, show_header=False, padding=(0, 2, 0, 0), title=description.name, title_justify="left"
    )
    facts.add_column(no_wrap=True)
    facts.add_column()
    for name, value in (
        ("simulated day", description.day),
        ("satellites", str(description.n_satellites)),
        ("planes", str(len(sizes))),
        ("satellites per plane", " ".join(map(str, sizes)) if len(set(sizes)) > 1 else str(sizes[0])),
        ("altitude", f"{_three(description.altitude_km, 1)} km"),
        ("inclination", f"{description.inclination_deg:.2f} degrees"),
        ("period", f"{description.period_s:.0f} s"),
        ("closest approach", f"{distance_km:.1f} km, of satellites {a} and {b}"),
        ("connectivity", str(description.connectivity)),
    ):
        facts.add_row(name, value)
    if description.shells:
        facts.add_row("shells of the file", ", ".join(f"{name} ({n})" for name, n in description.shells))
    console.print(facts)
    links = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("links", "fore/aft", "left/right"):
        links.add_column(heading, justify="left" if heading == "links" else "right", no_wrap=True)
    kinds = (description.within_planes, description.between_planes)
    for heading, cell in _LINK_ROWS.items():
        links.add_row(heading, *(cell(kind) for kind in kinds))
    console.print(links)
    for warning in description.warnings:
        console.print(f"warning: {warning}", highlight=False, soft_wrap=True)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}%"


def _three(spread: Spread | None, digits: int = 0) -> str:
    if spread is None:
        return "-"
    if len({f"{value:.{digits}f}" for value in spread}) == 1:
        return f"{spread[0]:.{digits}f}"
    return " / ".join(f"{value:.{digits}f}" for value in spread)


_LINK_ROWS: dict[str, Callable[[LinkStatistics], str]] = {
    "number": lambda of: str(of.links),
    "satellites without": lambda of: str(of.missing),
    "length, km": lambda of: _three(of.length_km),
    "rate, Mb/s": lambda of: _three(of.rate_mbps),
    "share of the day up": lambda of: _percent(of.up),
    f"above {HIGH:g} of the highest latitude": lambda of: _percent(of.up_near_poles),
    "elsewhere": lambda of: _percent(of.up_elsewhere),
}


def main(arguments: list[str]) -> None:
    """The command; raises ConfigError on bad input."""
    settings, as_json = parse(arguments)
    link = settings.pop("link", "eb_n0")
    if link not in LINK_MODELS:
        raise ConfigError(f"link={link!r} is not possible: one of {', '.join(LINK_MODELS)}")
    description = describe(fleet_of(settings), LINK_MODELS[link]())
    if as_json:
        print(json.dumps(asdict(description), indent=2, allow_nan=False))
    else:
        show(description, Console())


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ConfigError as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)
