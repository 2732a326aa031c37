"""The schemes that the paper compares: who computes, on the same worlds, with any router."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from agents.routers import Router
from envs.config import require
from envs.extension import load_extension
from offload.config import SearchConfig
from offload.problem import OffloadProblem
from offload.search import Decision, search


class Scheme(Protocol):
    """Decides what every task offloads."""

    @property
    def name(self) -> str:
        """The key in `SCHEMES`."""
        ...

    def decide(self, problem: OffloadProblem, router: Router) -> Decision: ...


@dataclass(frozen=True)
class FixedRatio:
    """Every task offloads the same share of its frames, rounded to whole ones."""

    name: str
    ratio: float

    def decide(self, problem: OffloadProblem, router: Router) -> Decision:
        offloaded = (problem.tasks.frames * self.ratio).round().long()
        return Decision(problem.tasks, problem.evaluate(offloaded, router))


@dataclass(frozen=True)
class Searched:
    """The proposed scheme: ratios by search, alternating with routing."""

    search: SearchConfig
    name: str = "bs_marl"

    def decide(self, problem: OffloadProblem, router: Router) -> Decision:
        return search(problem, router, self.search)


SCHEMES: dict[str, Callable[[SearchConfig], Scheme]] = {
    "small_only": lambda config: FixedRatio("small_only", 0.0),
    "centralised": lambda config: FixedRatio("centralised", 1.0),
    "even_split": lambda config: FixedRatio("even_split", 0.5),
    "bs_marl": Searched,
}
"""Makers of schemes by name; the first three are the paper's benchmarks."""


def make_scheme(name: str, search: SearchConfig, setting: str) -> Scheme:
    """The scheme of a name in `SCHEMES`, or `module:maker` of your own (docs/extending.md); `setting` asks for it.

    Raises ConfigError where there is none.
    """
    if name in SCHEMES:
        return SCHEMES[name](search)
    require(":" in name, setting, name, f"one of {', '.join(SCHEMES)}, or module:name of your own")
    scheme = load_extension(name, setting)(search)
    is_scheme = isinstance(getattr(scheme, "name", None), str) and callable(getattr(scheme, "decide", None))
    require(is_scheme, setting, name, "what it makes has no name and no decide(): see offload.schemes.Scheme")
    return scheme
