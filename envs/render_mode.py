"""How environments are looked at: not at all, as arrays of pixels, or in a window. Libraries load only when needed."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from envs.config import require
from envs.ephemeris import Ephemeris
from envs.simulator import RoutingSimulator

RGB_ARRAY, HUMAN = "rgb_array", "human"


class View(Protocol):
    """Somebody who looks at a world."""

    def render(self, simulator: RoutingSimulator, world: int = 0) -> np.ndarray | None:
        """World number `world` as a picture [H, W, 3] uint8, or None where it is shown elsewhere."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class NoView:
    """Nobody looks."""

    def render(self, simulator: RoutingSimulator, world: int = 0) -> np.ndarray | None:
        raise RuntimeError("render() needs a render_mode: make the environment with render_mode='rgb_array'")

    def close(self) -> None:
        pass


def open_view(mode: str | None, ephemeris: Ephemeris) -> View:
    """The view for a `render_mode`.

    Raises ConfigError for an unknown mode and, for `human`, where there is no screen.
    """
    if mode is None:
        return NoView()
    require(mode in (RGB_ARRAY, HUMAN), "render_mode", mode, f"{RGB_ARRAY}, {HUMAN} or None")
    from envs.rendering.view import PixelView, WindowView

    return PixelView(ephemeris) if mode == RGB_ARRAY else WindowView(ephemeris)
