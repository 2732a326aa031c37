"""The two ways to look at a world: pixels for a program, a window for a person."""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot
from matplotlib.backends.registry import BackendFilter, backend_registry

from envs.config import ConfigError
from envs.ephemeris import Ephemeris
from envs.rendering.picture import HEIGHT, WIDTH, Picture
from envs.simulator import RoutingSimulator

PAUSE_S = 0.25
"""How long the window shows a step."""


class PixelView:
    """Pictures as arrays."""

    def __init__(self, ephemeris: Ephemeris) -> None:
        self._picture = Picture(ephemeris)

    def render(self, simulator: RoutingSimulator, world: int = 0) -> np.ndarray:
        """World number `world`, [H, W, 3] uint8."""
        return self._picture.frame(simulator, world)

    def close(self) -> None:
        """Nothing is open."""


class WindowView:
    """A window of matplotlib's that shows one picture after the other.

    Raises ConfigError where matplotlib can open no window.
    """

    def __init__(self, ephemeris: Ephemeris) -> None:
        self._picture = Picture(ephemeris)
        backend = pyplot.get_backend()
        if backend.lower() not in backend_registry.list_builtin(BackendFilter.INTERACTIVE):
            raise ConfigError(
                f"render_mode='human' cannot open a window: matplotlib has {backend!r}, which draws on no screen; "
                "run it where there is one, with tkinter or PySide6 installed, or take rgb_array"
            )
        self._figure = pyplot.figure("LEOMix", figsize=(WIDTH / 100, HEIGHT / 100), dpi=100)
        self._image = self._figure.figimage(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        pyplot.show(block=False)

    def render(self, simulator: RoutingSimulator, world: int = 0) -> None:
        """Show world number `world` for `PAUSE_S` seconds, or on and on if nobody asks for another."""
        self._image.set_data(self._picture.frame(simulator, world))
        self._figure.canvas.draw_idle()
        pyplot.pause(PAUSE_S)

    def close(self) -> None:
        """Close the window."""
        pyplot.close(self._figure)
