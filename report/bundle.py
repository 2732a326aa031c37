"""The JavaScript libraries that a page carries, taken from the Python packages that bring them along.

deck.gl comes with pydeck, BokehJS with bokeh. Nothing is downloaded, and nothing of theirs is part of this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from importlib.resources import files

from bokeh.resources import Resources

from envs.config import ConfigError
from report.encode import pack


@dataclass(frozen=True)
class Library:
    """name: with that of the package it comes with. packed: the code (see `report.encode.pack`). licence: its terms,
    which go along.
    """

    name: str
    packed: str
    licence: str


@cache
def libraries() -> tuple[Library, ...]:
    """All that a page needs, in the order in which they must be loaded."""
    return deck_gl(), bokeh_js()


def deck_gl() -> Library:
    """The build of deck.gl that pydeck uses for pages that work offline. Raises ConfigError when it is not there."""
    script = files("pydeck") / "nbextension" / "static" / "index.js"
    if not script.is_file():
        raise ConfigError(
            "report=true needs the deck.gl that comes with pydeck: pip install --upgrade pydeck"
        )
    return Library(
        f"deck.gl, from pydeck {_version('pydeck')}", pack(script.read_bytes()), _licence("pydeck")
    )


def bokeh_js() -> Library:
    """BokehJS without its widgets and tables."""
    scripts = Resources(mode="inline", components=["bokeh"]).js_raw
    return Library(
        f"BokehJS, from bokeh {_version('bokeh')}", pack("\n".join(scripts).encode()), _licence("bokeh")
    )


def _version(package: str) -> str:
    return distribution(package).version


def _licence(package: str) -> str:
    """The licence files that the installed package brings."""
    return "\n\n".join(
        file.read_text("utf-8").strip()
        for file in distribution(package).files or ()
        if file.name.upper().startswith(("LICENSE", "LICENCE", "NOTICE")) and ".dist-info" in str(file)
    )
