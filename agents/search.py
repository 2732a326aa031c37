"""What a search for better settings looks for: a space of settings, how to draw from it and when to give up on a trial.

The format of the files is that of W&B sweeps, so that `wandb sweep` reads the same files. Of theirs we read: method
(random, grid), metric, run_cap, early_terminate (hyperband with min_iter and eta) and parameters with `value`,
`values`, or `min` and `max` with a distribution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import exp, log
from random import Random
from typing import Any, Literal, TypeGuard

from envs.config import ConfigError, require

METRIC = "validation_ratio"
"""What every search makes small: mean delay on the validation worlds over that of best response."""


@dataclass(frozen=True)
class SearchConfig:
    """A search for settings: trials are trained, the hopeless ones stopped early.

    space: name of a file in configs/sweep, or path of one of your own.
    trials: how many settings are tried; None: as many as the file says (a grid: all).
    concurrent: trials at the same time; None: as many as the machines hold.
    """

    space: str = "default"
    trials: int | None = None
    concurrent: int | None = None

    def __post_init__(self) -> None:
        for name in ("trials", "concurrent"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"search.{name}", value, "at least 1, or null")


@dataclass(frozen=True)
class Choice:
    """One of `values`."""

    values: tuple[Any, ...]

    @property
    def examples(self) -> tuple[Any, ...]:
        """Values that must be possible for all to be."""
        return self.values

    def draw(self, random: Random) -> Any:
        return random.choice(self.values)


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`; `logarithmic`: its logarithm is uniform; `whole`: an integer."""

    low: float
    high: float
    logarithmic: bool = False
    whole: bool = False

    @property
    def examples(self) -> tuple[Any, ...]:
        """Values that must be possible for all to be."""
        return (self.low, self.high)

    def draw(self, random: Random) -> float | int:
        if self.whole:
            return random.randint(int(self.low), int(self.high))
        if self.logarithmic:
            return exp(random.uniform(log(self.low), log(self.high)))
        return random.uniform(self.low, self.high)


@dataclass(frozen=True)
class EarlyStop:
    """Successive halving: after `first`, `first * eta`, .. validations only the best 1/eta of the trials go on."""

    first: int
    eta: float


@dataclass(frozen=True)
class SearchSpace:
    """Settings by full name, each with what it may be.

    method: how they are drawn. trials: how many by default; None: not said. early_stop: None: every trial goes to its
    end.
    """

    method: Literal["random", "grid"]
    parameters: Mapping[str, Choice | Range]
    trials: int | None
    early_stop: EarlyStop | None

    def draw(self, trials: int | None, seed: int) -> dict[str, dict[str, Any]]:
        """The settings of all trials by the trials' names, `trial-000` and so on; the same for the same seed.

        trials: how many; None: as many as the space says. A grid has all combinations, or the first `trials` of them.
        """
        if self.method == "grid":
            values = [domain.values for domain in self.parameters.values() if isinstance(domain, Choice)]
            drawn = [dict(zip(self.parameters, combination, strict=True)) for combination in product(*values)]
            drawn = drawn[: trials or self.trials]
        else:
            number = trials or self.trials
            if number is None:
                raise ConfigError(
                    "search.trials is missing: the space is drawn from at random and has no run_cap"
                )
            random = Random(seed)
            drawn = [
                {name: domain.draw(random) for name, domain in self.parameters.items()} for _ in range(number)
            ]
        return {f"trial-{number:03d}": settings for number, settings in enumerate(drawn)}

    @classmethod
    def from_sweep(cls, sweep: Any, where: str) -> SearchSpace:
        """Read the content of a sweep file, which errors call `where`.

        Raises ConfigError where it is no sweep, or one that only W&B can run.
        """
        if not isinstance(sweep, Mapping) or not isinstance(sweep.get("parameters"), Mapping):
            raise ConfigError(f"{where} is not a sweep: it has no `parameters`")
        known = {"name", "description", "program", "command", "project", "entity", "method", "metric"}
        unknown = sorted(set(sweep) - known - {"parameters", "run_cap", "early_terminate"})
        if unknown:
            raise ConfigError(f"{where}: {', '.join(unknown)} is not read by a search here; take it out")
        method = sweep.get("method")
        if method not in ("random", "grid"):
            raise ConfigError(
                f"{where}: method={method!r} is not possible: random or grid (bayes is W&B's alone)"
            )
        metric = sweep.get("metric", {})
        if (metric.get("name"), metric.get("goal")) != (METRIC, "minimize"):
            raise ConfigError(
                f"{where}: metric must have name {METRIC} and goal minimize, not {dict(metric)}"
            )
        parameters = {
            str(name): _domain(values, f"{where}: {name}") for name, values in sweep["parameters"].items()
        }
        if not parameters:
            raise ConfigError(f"{where}: there is nothing to search, `parameters` is empty")
        if method == "grid" and any(isinstance(domain, Range) for domain in parameters.values()):
            raise ConfigError(f"{where}: a grid needs `values` for every parameter, not ranges")
        cap = sweep.get("run_cap")
        if cap is not None and not (isinstance(cap, int) and cap >= 1):
            raise ConfigError(f"{where}: run_cap={cap!r} is not possible: at least 1")
        return cls(method, parameters, cap, _early_stop(sweep.get("early_terminate"), where))


def _domain(values: Any, where: str) -> Choice | Range:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}={values!r} is not possible: give it value, values, or min and max")
    keys = set(values)
    if keys == {"value"}:
        return Choice((values["value"],))
    if keys == {"values"} and isinstance(values["values"], list) and values["values"]:
        return Choice(tuple(values["values"]))
    low, high = values.get("min"), values.get("max")
    if not (keys <= {"min", "max", "distribution"} and _is_number(low) and _is_number(high)):
        raise ConfigError(f"{where}={dict(values)} is not possible: give it value, values, or min and max")
    whole = isinstance(low, int) and isinstance(high, int)
    kinds = {
        None: (False, whole),
        "uniform": (False, False),
        "int_uniform": (False, True),
        "log_uniform_values": (True, False),
    }
    name = values.get("distribution")
    if name not in kinds:
        allowed = ", ".join(str(kind) for kind in kinds if kind)
        raise ConfigError(f"{where}: distribution={name!r} is not possible: one of {allowed}")
    logarithmic, whole = kinds[name]
    if not low < high or (logarithmic and low <= 0):
        raise ConfigError(
            f"{where}: min={low!r} must be below max={high!r}{', and positive' if logarithmic else ''}"
        )
    return Range(low, high, logarithmic, whole)


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _early_stop(early: Any, where: str) -> EarlyStop | None:
    if early is None:
        return None
    known = isinstance(early, Mapping) and early.get("type") == "hyperband" and "min_iter" in early
    if not known or not set(early) <= {"type", "min_iter", "eta"}:
        raise ConfigError(
            f"{where}: early_terminate must have type hyperband, min_iter and perhaps eta, not {early}"
        )
    first, eta = early["min_iter"], early.get("eta", 3)
    if not (isinstance(first, int) and first >= 1 and eta > 1):
        raise ConfigError(
            f"{where}: early_terminate needs min_iter of 1 or more and eta above 1, not {first}, {eta}"
        )
    return EarlyStop(first, float(eta))
