"""Routers that go wrong, in a module that worker processes can import."""

from __future__ import annotations

import os
import signal
import time
from typing import NoReturn

from agents.routers.oblivious import MinHopRouter


class BrokenRouter(MinHopRouter):
    name = "broken"

    def route(self, *args, **kwargs) -> NoReturn:
        raise ArithmeticError("the router lost its way")


class DyingRouter(MinHopRouter):
    name = "dying"

    def route(self, *args, **kwargs) -> NoReturn:
        while True:
            os.kill(os.getpid(), signal.SIGKILL)


class EndlessRouter(MinHopRouter):
    name = "endless"

    def route(self, *args, **kwargs) -> NoReturn:
        while True:
            time.sleep(3600)
