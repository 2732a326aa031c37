"""The routers that a learned policy is compared with, from chance to a centralised near-optimum."""

from __future__ import annotations

from collections.abc import Callable

from agents.routers.best_response import BestResponseRouter, SequentialRouter, SingleOrderBestResponseRouter
from agents.routers.blind import GreedyGeographicRouter, RandomRouter
from agents.routers.ecmp import EcmpRouter
from agents.routers.look_ahead import LookAheadRouter
from agents.routers.oblivious import MinHopRouter, PropagationRouter, UncongestedRouter
from agents.routers.protocol import Router, Routes
from agents.routers.replanning import ReplanningRouter
from envs.config import require
from envs.extension import load_extension

ROUTERS: dict[str, Callable[[], Router]] = {
    "random": RandomRouter,
    "greedy": GreedyGeographicRouter,
    "min_hop": MinHopRouter,
    "ecmp": EcmpRouter,
    "dijkstra_propagation": PropagationRouter,
    "dijkstra": UncongestedRouter,
    "look_ahead_1": lambda: LookAheadRouter(1),
    "look_ahead_2": lambda: LookAheadRouter(2),
    "look_ahead_3": lambda: LookAheadRouter(3),
    "replanning": ReplanningRouter,
    "sequential": SequentialRouter,
    "best_response_single": SingleOrderBestResponseRouter,
    "best_response": BestResponseRouter,
}
"""Router makers by name, from the least to the most informed."""


def make_router(name: str, setting: str) -> Router:
    """The router of a name in `ROUTERS`, or `module:maker` of your own (docs/extending.md); `setting` asks for it.

    Raises ConfigError where there is none.
    """
    if name in ROUTERS:
        return ROUTERS[name]()
    require(":" in name, setting, name, f"one of {', '.join(ROUTERS)}, or module:name of your own")
    router = load_extension(name, setting)()
    is_router = isinstance(getattr(router, "name", None), str) and callable(getattr(router, "route", None))
    require(is_router, setting, name, "what it makes has no name and no route(): see agents.routers.protocol")
    return router


__all__ = ["ROUTERS", "Router", "Routes", "make_router"]
