"""Stopping a run from outside without losing it."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

INTERRUPTED = 130
"""Exit status of a program that was interrupted, as shells report Ctrl-C."""


class Interruption:
    """Notes Ctrl-C or a termination request instead of dying, so that the iteration can end and be saved.

    A second one stops at once, with KeyboardInterrupt. Used as a context manager. Signals reach the main thread only:
    in another (a trial of Ray Tune, say) nothing is noted, and who started the thread decides what becomes of it.
    """

    signals = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> Self:
        mine = self.signals if threading.current_thread() is threading.main_thread() else ()
        self._before = {number: signal.signal(number, self._note) for number in mine}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
