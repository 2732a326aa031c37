"""The folder that travels to a satellite: written aside, checked against torch, then put in place at once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml

from agents.evaluation.validation import VALIDATION_SEED
from agents.export import onboard
from agents.export.decisions import RecordedDecisions, loads_of, record_decisions
from agents.export.examples import record_examples
from agents.export.graph import INPUTS, IR_VERSION, OPSET, OUTPUTS, policy_graph
from agents.export.onboard import (
    DIRECTIONS,
    EXAMPLES,
    FORMAT,
    LAYOUTS,
    MANIFEST,
    MODEL,
    OnboardError,
    OnboardPolicy,
    sealed,
)
from agents.export.parity import ExportError, Parity, compare, require_parity
from agents.export.provenance import Provenance
from agents.export.quantise import quantised
from agents.policy import POLICY_FILE, Policy
from agents.routers.flown import FlownRouter
from agents.routers.learned import LearnedRouter
from agents.routers.protocol import Router
from agents.run.code_version import code_version
from agents.run.durable import require_writable
from envs.announcements import ANNOUNCED_HOPS
from envs.delay import charged_delays
from envs.ephemeris import Ephemeris
from envs.scenario import Scenario
from envs.worlds import Worlds

INT8_MODEL = "policy.int8.onnx"
CONFIG_FILE = "config.yaml"
RUNTIME_FILE = "onboard.py"
CHECKED_WORLDS = 64
"""Validation worlds on which an export is compared with torch."""

_MEANINGS = (
    "next place of the same plane",
    "previous place of the same plane",
    "plane before",
    "plane after",
)
_ARITHMETIC = {
    MODEL: {"arithmetic": "float32", "rows_at_once": None},
    INT8_MODEL: {
        "arithmetic": "int8 matrix products, scales found for each decision; the rest float32",
        "rows_at_once": 1,
    },
}


@dataclass(frozen=True)
class Flight:
    """How a router did on the checked worlds: mean delay of a packet, undelivered ones charged, and share delivered."""

    delay_s: float
    delivery: float


@dataclass(frozen=True)
class Exported:
    """What was written, and how it compares: parity with torch on its decisions, and flights with the onboard runtime.

    same_paths: share of the packets that the float32 file and torch send the same way.
    """

    folder: Path
    parity: dict[str, Parity]
    flights: dict[str, Flight]
    same_paths: float

    @property
    def int8_extra_delay(self) -> float:
        """What int8 costs: its mean delay over that of float32, minus 1."""
        return self.flights[INT8_MODEL].delay_s / self.flights[MODEL].delay_s - 1


def export_policy(policy: Policy, scenario: Scenario, provenance: Provenance, folder: Path) -> Exported:
    """Write the export of `policy` to `folder`, in place of an earlier export there.

    scenario: what the policy was trained on; its validation slots give the decisions that are checked.
    Raises ExportError, and writes nothing, when the graph does not decide as torch does or `folder` is something else.
    """
    if policy.observation not in LAYOUTS:
        raise ExportError(
            f"the policy reads observations {policy.observation!r}, which the onboard runtime does not build: "
            f"{', '.join(LAYOUTS)}"
        )
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise ExportError(f"{folder} exists and is not an export: name another folder")
    require_writable(folder.parent)
    ephemeris = scenario.ephemeris("validation")
    worlds = scenario.worlds(ephemeris, CHECKED_WORLDS, seed=VALIDATION_SEED)
    recorded = record_decisions(policy, ephemeris, worlds, scenario.environment)
    graph = policy_graph(policy.utility, policy.spec.observation_size, policy.spec.n_actions)
    with _put_in_place(folder) as unfinished:
        onnx.save(graph, unfinished / MODEL)
        onnx.save(quantised(graph), unfinished / INT8_MODEL)
        policy.save(unfinished / POLICY_FILE)
        (unfinished / CONFIG_FILE).write_text(yaml.safe_dump(provenance.config, sort_keys=False))
        shutil.copyfile(onboard.__file__, unfinished / RUNTIME_FILE)
        examples = record_examples(policy, ephemeris, worlds, scenario.environment)
        np.savez_compressed(unfinished / EXAMPLES, **examples)  # type: ignore[arg-type]
        manifest = _manifest(policy, scenario, provenance) | {"files": _hashes(unfinished)}
        _write_manifest(unfinished / MANIFEST, manifest)
        exported = _checked(unfinished, policy, scenario, ephemeris, worlds, recorded)
        _write_manifest(unfinished / MANIFEST, manifest | {"checks": _checks(exported)})
    return Exported(folder, exported.parity, exported.flights, exported.same_paths)


def _checked(
    folder: Path,
    policy: Policy,
    scenario: Scenario,
    ephemeris: Ephemeris,
    worlds: Worlds,
    recorded: RecordedDecisions,
) -> Exported:
    """Compare the files in `folder` with torch; raises ExportError unless the float32 one decides as torch does."""
    parity = {name: compare(OnboardPolicy(folder / name), recorded) for name in (MODEL, INT8_MODEL)}
    require_parity(parity[MODEL], MODEL)
    try:
        OnboardPolicy(folder).self_test()
    except OnboardError as error:
        raise ExportError(f"{error}; nothing was written") from error

    def fly(router: Router):
        routes = router.route(ephemeris, worlds, scenario.environment)
        factor = scenario.environment.undelivered_factor
        delay_s = charged_delays(ephemeris, worlds, routes.links, routes.delivered, factor)[worlds.present]
        delivery = routes.delivered[worlds.present].double().mean()
        return routes.links, Flight(float(delay_s.double().mean()), float(delivery))

    flown = {name: fly(FlownRouter(folder / name)) for name in (MODEL, INT8_MODEL)}
    expected, _ = fly(LearnedRouter(policy))
    same = (flown[MODEL][0] == expected).all(2)[worlds.present]
    flights = {name: flight for name, (_, flight) in flown.items()}
    return Exported(folder, parity, flights, float(same.double().mean()))


def _manifest(policy: Policy, scenario: Scenario, provenance: Provenance) -> dict[str, Any]:
    config = provenance.config
    return {
        "format": FORMAT,
        "observation": LAYOUTS[policy.observation].description(),
        "actions": [{"index": i, "name": name, "meaning": _MEANINGS[i]} for i, name in enumerate(DIRECTIONS)],
        "models": {
            name: about
            | {"opset": OPSET, "ir_version": IR_VERSION}
            | {"inputs": _tensors(INPUTS, policy), "outputs": _tensors(OUTPUTS, policy)}
            for name, about in _ARITHMETIC.items()
        },
        "q": "value of each direction, in units of the reward it was trained with: with the default reward about minus "
        "the delay in s that the packet costs all packets from here on",
        "rules": {
            "max_hops": scenario.environment.max_hops,
            "relay_s_per_mbit": scenario.environment.relay_s_per_mbit,
            "feasibility_mask": scenario.environment.feasibility_mask,
            "dead_ends": scenario.environment.dead_ends.value,
            "loads": loads_of(policy.observation).value,
            "broadcast_delay_steps": scenario.environment.broadcast_delay_steps,
            "announced_hops": ANNOUNCED_HOPS,
            "announced_weight": onboard.ANNOUNCED_WEIGHT,
        },
        "utility": asdict(policy.config) | {"kind": policy.config.kind.value},
        "constellation": config.get("constellation"),
        "link": config.get("link"),
        "training": provenance.description(),
        "exported_by": code_version(),
    }


def _tensors(names: tuple[str, ...], policy: Policy) -> list[dict[str, Any]]:
    known = {
        "observation": ("float32", ["N", policy.spec.observation_size]),
        "legal": ("bool", ["N", policy.spec.n_actions]),
        "action": ("int64", ["N"]),
        "q": ("float32", ["N", policy.spec.n_actions]),
    }
    return [{"name": name, "type": known[name][0], "shape": known[name][1]} for name in names]


def _checks(exported: Exported) -> dict[str, Any]:
    return {
        "worlds": CHECKED_WORLDS,
        "part": "validation",
        "seed": VALIDATION_SEED,
        "parity_with_torch": {name: asdict(parity) for name, parity in exported.parity.items()},
        "flown": {name: asdict(flight) for name, flight in exported.flights.items()},
        "same_paths_as_torch": exported.same_paths,
        "int8_extra_delay": exported.int8_extra_delay,
    }


def _hashes(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
        for path in sorted(folder.iterdir())
    }


def _write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    path.write_text(json.dumps(sealed(manifest), indent=1, allow_nan=False) + "\n")


@contextmanager
def _put_in_place(folder: Path) -> Iterator[Path]:
    """An empty folder that takes the place of `folder` when the block ends well and vanishes when it does not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".unfinished", dir=folder.parent))
    try:
        yield unfinished
        unfinished.chmod(0o755)
        if folder.exists():
            before = unfinished.with_suffix(".before")
            folder.rename(before)
            os.replace(unfinished, folder)
            shutil.rmtree(before)
        else:
            os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
