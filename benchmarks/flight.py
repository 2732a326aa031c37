"""What an exported policy takes on board: bytes, and time per decision on one core, the observation included.

    python benchmarks/flight.py [--export runs/latest/export] [--worlds 200] [--repeats 7]

Without an export that of the shipped policy is made first. Measurements are those of satellites on Walker 12 x 24 with
8 tasks, in slots that no policy was trained on. onnxruntime has one thread and the process one core. Times are CPU
times, medians of the repeats. "agree" is the share of decisions made as torch makes them, from the manifest; the last
columns compare whole flights with torch's on the same worlds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import yaml
from rich import box
from rich.console import Console
from rich.table import Table

import agents
from agents.export.__main__ import export_run
from agents.export.folder import INT8_MODEL
from agents.export.measuring import measure, select
from agents.export.onboard import MODEL, Measurements, OnboardPolicy
from agents.policy import Policy
from agents.routers.flown import FlownRouter
from agents.routers.learned import LearnedRouter
from agents.routers.look_ahead import LookAheadRouter
from envs.delay import charged_delays
from envs.simulator import RoutingSimulator
from envs.single_world import DEFAULT_SCENARIO as SCENARIO

BATCHES = (1, 32)
CALLS = 200
"""Calls of a repeat."""


def measured_decisions(onboard: OnboardPolicy) -> Measurements:
    """What at least 32 satellites know when they decide, some steps into their episodes."""
    ephemeris = SCENARIO.ephemeris("test")
    simulator = RoutingSimulator(ephemeris, SCENARIO.environment)
    simulator.reset(SCENARIO.worlds(ephemeris, 16, seed=1))
    router = LookAheadRouter(3)
    router.begin(simulator)
    for _ in range(3):
        turn = simulator.turn()
        score = router.score(simulator, turn).masked_fill(~turn.legal, torch.inf)
        simulator.step(turn, score.argmin(1))
    return measure(simulator, simulator.turn(), onboard.layout)


def microseconds(call: Callable[[int], object], repeats: int) -> float:
    """Median CPU time of `call(i)`, i counting up."""
    for i in range(CALLS):
        call(i)
    times = []
    for _ in range(repeats):
        started = time.process_time()
        for i in range(CALLS):
            call(i)
        times.append((time.process_time() - started) / CALLS)
    return 1e6 * statistics.median(times)


def times_us(onboard: OnboardPolicy, known: Measurements, batch: int, repeats: int) -> tuple[float, float]:
    """Time of building an observation and of deciding, each per decision, `batch` at once."""
    n = len(known.size_mbit) // batch
    parts = [select(known, slice(i * batch, (i + 1) * batch)) for i in range(n)]
    observations = [onboard.observe(part) for part in parts]
    observing = microseconds(lambda i: onboard.observe(parts[i % n]), repeats)
    deciding = microseconds(lambda i: onboard.act(observations[i % n], parts[i % n].legal), repeats)
    return observing / batch, deciding / batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--export", type=Path, default=None)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    console = Console()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.export or Path(scratch) / "export"
        if options.export is None:
            console.print(export_run(Path(agents.__file__).parent / "policies" / "fleets", folder))
        measure_export(folder, options.worlds, options.repeats, console)


def measure_export(folder: Path, n_worlds: int, repeats: int, console: Console) -> None:
    ephemeris = SCENARIO.ephemeris("test")
    worlds = SCENARIO.worlds(ephemeris, n_worlds, seed=2)
    torch_routes = LearnedRouter(Policy.load(folder)).route(ephemeris, worlds, SCENARIO.environment)

    def delay_s(routes) -> float:
        factor = SCENARIO.environment.undelivered_factor
        return float(
            charged_delays(ephemeris, worlds, routes.links, routes.delivered, factor).double().mean()
        )

    float32 = OnboardPolicy(folder)
    parity = float32.manifest["checks"]["parity_with_torch"]
    layout, known = float32.layout, measured_decisions(float32)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    trained_on = ", ".join([config["constellation"]["name"], *config["training"].get("also_on", [])])
    table = Table(
        "file",
        "kB",
        *(f"observe\n{batch}" for batch in BATCHES),
        *(f"decide\n{batch}" for batch in BATCHES),
        "agree\n%",
        "delay\ns",
        "to\ntorch",
        "same\npaths",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title=f"trained on {trained_on}; {n_worlds} worlds of {worlds.n_tasks} tasks",
    )
    for model in (MODEL, INT8_MODEL):
        onboard = OnboardPolicy(folder / model)
        times = [times_us(onboard, known, batch, repeats) for batch in BATCHES]
        routes = FlownRouter(folder / model).route(ephemeris, worlds, SCENARIO.environment)
        same = (routes.links == torch_routes.links).all(2).double().mean().item()
        table.add_row(
            "float32" if model == MODEL else "int8",
            f"{(folder / model).stat().st_size / 1000:.0f}",
            *(f"{observing:.0f}" for observing, _ in times),
            *(f"{deciding:.0f}" for _, deciding in times),
            f"{100 * parity[model]['agreement']:.2f}",
            f"{delay_s(routes):.3f}",
            f"{100 * (delay_s(routes) / delay_s(torch_routes) - 1):+.2f}%",
            f"{100 * same:.2f}%",
        )
    console.print(table)
    console.print(
        f"observe: build an observation of {4 * layout.size} bytes; decide: run the policy on it. µs of CPU time each, "
        "with 1 and with 32 decisions in a call",
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
