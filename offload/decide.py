"""Decide one moment's tasks: `python -m offload.decide scenario=scenario.yaml [policy=runs/latest]`.

The table goes to standard error and JSON to standard output, so that programs can read it.

    scenario=FILE     the tasks and where they are (docs/offloading.md)
    policy=RUN        folder of a run or of an export, or file of a policy, that routes
    router=NAME       routes where there is no policy; default dijkstra
    scheme=NAME       bs_marl (default), small_only, centralised or even_split
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from rich.console import Console

from agents.routers import Router, make_router
from agents.routers.trained import trained_router
from envs.config import ConfigError
from offload.config import SearchConfig
from offload.decision_record import decision_record, decision_table, path_lines
from offload.scenario_file import build_problem, read_scenario
from offload.schemes import make_scheme

DEFAULT_ROUTER = "dijkstra"
_KEYS = ("scenario", "policy", "router", "scheme")


def router_of(settings: dict[str, str]) -> Router:
    """The router that the command line asks for."""
    if "policy" in settings and "router" in settings:
        raise ConfigError("policy and router are both given: a policy is a router, name one of them")
    if "policy" in settings:
        return trained_router(Path(settings["policy"]))
    return make_router(settings.get("router", DEFAULT_ROUTER), "router")


def parse(arguments: list[str]) -> dict[str, str]:
    """`key=value` arguments; raises ConfigError naming the one that is wrong."""
    settings = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key not in _KEYS or not equals or not value:
            raise ConfigError(f"cannot read {argument!r}: write {', '.join(f'{key}=...' for key in _KEYS)}")
        settings[key] = value
    if "scenario" not in settings:
        raise ConfigError("scenario= is missing: name the file that says which tasks there are")
    return settings


def main(arguments: list[str]) -> None:
    """The command; raises ConfigError on bad input."""
    settings = parse(arguments)
    name = settings.get("scheme", "bs_marl")
    make_scheme(name, SearchConfig(), "scheme")  # a wrong name is told before any file is read
    router = router_of(settings)
    problem = build_problem(read_scenario(Path(settings["scenario"])))
    scheme = make_scheme(name, problem.config.search, "scheme")
    started = time.perf_counter()
    decision = scheme.decide(problem, router)
    took_ms = 1e3 * (time.perf_counter() - started)
    record = {"scheme": scheme.name, "router": router.name} | decision_record(problem, decision)
    console = Console(stderr=True)
    console.print(decision_table(record))
    for line in path_lines(record):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(f"{scheme.name} with router {router.name}, decided in {took_ms:.0f} ms")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ConfigError as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)
