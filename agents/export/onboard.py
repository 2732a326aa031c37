"""LEOMix on board: builds a satellite's observation and decides, with numpy and onnxruntime and nothing else.

    policy = OnboardPolicy("export")                  # or "export/policy.int8.onnx"
    observation = policy.observe(measurements)        # [N, F] float32
    action = policy.act(observation, measurements.legal)  # [N] int64: 0 fore, 1 aft, 2 left, 3 right

N decisions at once, usually one. The folder's manifest.json says what the policy was made for; this file reads no
policy whose layout or whose bytes it does not know, and decides nothing on numbers that cannot be right.
All arithmetic is float32, all arrays are row-major.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime

FORMAT = "leomix-export-2"
LAYOUT_VERSION = 1
MANIFEST = "manifest.json"
MODEL = "policy.onnx"
EXAMPLES = "examples.npz"
DIRECTIONS = ("fore", "aft", "left", "right")
OPPOSITE = (1, 0, 3, 2)
"""A link that leaves in direction d arrives at the neighbour from its direction OPPOSITE[d]."""

DOWN_S_PER_MBIT = 1e4
"""s per Mbit of a link that is down."""
UNREACHABLE = (0.0, 1e3, 1e4)
"""s per Mbit, s and hops of the way to an unreachable destination."""
LIGHT_KM_S = 299792.458
FORBIDDEN_S = 1e3
"""Added to the cost of going straight back, more than any way costs."""
ANNOUNCED_WEIGHT = 0.3
"""Share of the announced traffic that look-ahead costs count as if it were there."""
CAP = 20.0
"""Features above this read as this."""

_GLOBAL = {
    "carries_packet": "1",
    "is_data": "1",
    "size": "100 Mbit",
    "log_size": "1",
    "partner_size": "100 Mbit",
    "hops_left": "1",
    "cost_to_go": "3 s",
    "accumulated_delay": "3 s",
    "stretch": "1",
    "queue_packets": "4",
    "queue_mbit": "300 Mbit",
    "step": "20",
    "relayed_packets": "4",
    "relayed_mbit": "300 Mbit",
    "arrived": "1",
    "plane_offset_sin": "1",
    "plane_offset_cos": "1",
    "slot_offset_sin": "1",
    "slot_offset_cos": "1",
    "hops_to_destination": "8",
}
_OWN = {
    "legal": "1",
    "up": "1",
    "visited": "1",
    "is_destination": "1",
    "transmission": "3 s",
    "propagation": "0.01 s",
    "length": "3000 km",
    "link_packets": "4",
    "link_mbit": "300 Mbit",
    "relay_packets": "4",
    "relay_mbit": "300 Mbit",
    "marginal_cost": "3 s",
    "cost_to_go": "3 s",
    "hops_to_destination": "8",
    "detour": "3 s",
    "own_advantage": "3 s",
    "prior": "3 s",
}
_NEIGHBOURS = {
    "return_packets": "4",
    "return_mbit": "300 Mbit",
    "onward_packets": "4",
    "onward_mbit": "300 Mbit",
    "onward_excess": "3 s",
}
_TWO_HOP = {"beyond_excess": "3 s"}
_ANNOUNCED = {"announced_packets": "4", "announced_mbit": "300 Mbit", "announced_excess": "3 s"}


class OnboardError(ValueError):
    """A file or a number that must not be flown with; the message says which and why."""


@dataclass(frozen=True)
class Layout:
    """Names, order and units of an observation: the global features, then one block for each direction.

    depth: how many hops away the outermost ring of satellites is that the features need.
    common, block: name -> unit; a feature is its value over its unit.
    """

    name: str
    depth: int
    announced: bool
    common: dict[str, str]
    block: dict[str, str]

    @property
    def size(self) -> int:
        """F."""
        return len(self.common) + 4 * len(self.block)

    @cached_property
    def units(self) -> np.ndarray:
        """[F] float32."""
        names = [*self.common.values(), *(4 * tuple(self.block.values()))]
        return np.array([float(unit.split()[0]) for unit in names], np.float32)

    def description(self) -> dict:
        """The layout as the manifest states it."""
        n, d = len(self.common), len(self.block)
        return {
            "layout": self.name,
            "version": LAYOUT_VERSION,
            "size": self.size,
            "directions": list(DIRECTIONS),
            "global": [
                {"index": i, "name": k, "unit": unit} for i, (k, unit) in enumerate(self.common.items())
            ],
            "per_direction": [
                {"index": [n + d * way + i for way in range(4)], "name": k, "unit": unit}
                for i, (k, unit) in enumerate(self.block.items())
            ],
            "normalisation": f"value / unit, at most {CAP:g}; all zero in a direction whose link is down",
        }


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout(f"leomix-routing-v{LAYOUT_VERSION}/own", 1, False, _GLOBAL, _OWN),
        Layout(f"leomix-routing-v{LAYOUT_VERSION}/neighbours", 2, False, _GLOBAL, _OWN | _NEIGHBOURS),
        Layout(f"leomix-routing-v{LAYOUT_VERSION}/two_hop", 3, False, _GLOBAL, _OWN | _NEIGHBOURS | _TWO_HOP),
        Layout(
            f"leomix-routing-v{LAYOUT_VERSION}/announced",
            3,
            True,
            _GLOBAL,
            _OWN | _NEIGHBOURS | _TWO_HOP | _ANNOUNCED,
        ),
    )
}
"""The layouts that this file builds, by name. The name holds the version."""


@dataclass(frozen=True)
class Rules:
    """What all satellites of a mission agree on.

    max_hops: a packet that made so many hops is dropped. relay_s_per_mbit: time a relay takes.
    """

    max_hops: int
    relay_s_per_mbit: float


NOT_NEEDED = np.empty(0, np.float32)
"""Stands for a measurement that the layout does not read."""


def _not_needed() -> np.ndarray:
    return NOT_NEEDED


@dataclass(frozen=True)
class Ring:
    """What is known of M satellites: ring 0 the deciding one, 1 its neighbours, 2 theirs, 3 theirs.

    Satellite i of a ring has the neighbours 4 i .. 4 i + 3 of the next, in the order of DIRECTIONS; a satellite may
    well appear twice. A neighbour behind a link that is down keeps its place, with any finite numbers.

    From the ephemeris: is_destination [N, M]; cost_to_go [N, M, 3], to the packet's destination alone in the network:
    s per Mbit (links and relays between the ends), s of propagation, fewest hops (UNREACHABLE where there is no way).
    s_per_mbit, propagation_s
    [N, M, 4], of the outgoing links (DOWN_S_PER_MBIT and 0 where down).
    Counted on board, or as last broadcast: link_packets, link_mbit [N, M, 4], what has used the outgoing links;
    relayed_packets, relayed_mbit [N, M], what was relayed; announced_packets, announced_mbit [N, M, 4], what the
    holders of all *other* packets announced for the links.
    Which of them a layout reads, says `needed_of_ring`.
    """

    is_destination: np.ndarray
    cost_to_go: np.ndarray
    s_per_mbit: np.ndarray = field(default_factory=_not_needed)
    propagation_s: np.ndarray = field(default_factory=_not_needed)
    link_packets: np.ndarray = field(default_factory=_not_needed)
    link_mbit: np.ndarray = field(default_factory=_not_needed)
    relayed_packets: np.ndarray = field(default_factory=_not_needed)
    relayed_mbit: np.ndarray = field(default_factory=_not_needed)
    announced_packets: np.ndarray = field(default_factory=_not_needed)
    announced_mbit: np.ndarray = field(default_factory=_not_needed)


@dataclass(frozen=True)
class Measurements:
    """What a satellite knows when it decides for a packet. All [N] but legal, visited [N, 4] bool.

    From the packet: is_data; size_mbit, of it and of its task's other packet (0 if absent); hops made; accumulated_s,
    its delay so far; uncongested_s, from its source alone in the network; visited, neighbours that it has entered.
    legal: directions that it may take, see `legal_directions`.
    Counted on board: step; queue_packets, queue_mbit, held here with this one; arrived_packets, for this satellite.
    plane_turns, slot_turns: destination's plane (place in the plane) minus one's own, over their number.
    rings: from 0 to the layout's depth.
    """

    is_data: np.ndarray
    size_mbit: np.ndarray
    partner_size_mbit: np.ndarray
    hops: np.ndarray
    accumulated_s: np.ndarray
    uncongested_s: np.ndarray
    step: np.ndarray
    queue_packets: np.ndarray
    queue_mbit: np.ndarray
    arrived_packets: np.ndarray
    plane_turns: np.ndarray
    slot_turns: np.ndarray
    legal: np.ndarray
    visited: np.ndarray
    rings: tuple[Ring, ...]


_LINKS = ("s_per_mbit", "propagation_s", "link_packets", "link_mbit")
_RELAYED = ("relayed_packets", "relayed_mbit")
_ANNOUNCEMENTS = ("announced_packets", "announced_mbit")
_TAIL = {"cost_to_go": (3,)} | dict.fromkeys(_LINKS + _ANNOUNCEMENTS, (4,))


def needed_of_ring(layout: Layout, ring: int) -> tuple[str, ...]:
    """The fields of ring 0..layout.depth that `layout` reads."""
    names = ("is_destination", "cost_to_go")
    if ring < layout.depth:
        return names + _LINKS + _RELAYED + (_ANNOUNCEMENTS if layout.announced else ())
    return names + (_RELAYED if ring == 1 else ())


def satellites_around(neighbours: np.ndarray, satellite: np.ndarray, depth: int) -> list[np.ndarray]:
    """Numbers of the satellites of rings 0..depth, [N, 4**ring], to gather tables with.

    neighbours: [V, 4] int, in the order of DIRECTIONS. satellite: [N] int, who decides.
    """
    rings = [np.asarray(satellite)[:, None]]
    for _ in range(depth):
        rings.append(neighbours[rings[-1]].reshape(len(rings[0]), -1))
    return rings


def legal_directions(
    up: np.ndarray,
    visited: np.ndarray,
    hops_to_go: np.ndarray,
    onward_up: np.ndarray,
    onward_visited: np.ndarray,
    hops_left: np.ndarray,
) -> np.ndarray:
    """[N, 4] directions that a packet may take; a row without any means that it must be dropped.

    up, visited, hops_to_go: [N, 4], of the links and the neighbours behind them (fewest hops to the destination).
    onward_up, onward_visited: [N, 4, 4], the same of the neighbours' own links. hops_left: [N].
    """
    legal = up & ~visited & (hops_to_go < hops_left[:, None])
    leads_on = (onward_up & ~onward_visited).any(2) | (hops_to_go == 0)
    preferred = legal & leads_on
    return np.where(preferred.any(1, keepdims=True), preferred, legal)


def build_observation(layout: Layout, rules: Rules, known: Measurements) -> np.ndarray:
    """The observation [N, F] float32 of `known`, in the order of `layout`.

    Raises OnboardError naming a measurement that is missing, of the wrong shape, or not finite.
    """
    # Nothing that is not finite gets through: what was measured is checked at once, what follows from it below.
    with np.errstate(all="ignore"):
        rings = _checked(layout, known)
        here, n = rings[0], len(known.size_mbit)
        size = _floats(known.size_mbit)
        accumulated_s = _floats(known.accumulated_s)
        plane, slot = (
            np.float32(2 * np.pi) * _floats(turns) for turns in (known.plane_turns, known.slot_turns)
        )
        common = {
            "carries_packet": np.ones_like(size),
            "is_data": known.is_data,
            "size": size,
            "log_size": np.log(size / np.float32(100)),
            "partner_size": known.partner_size_mbit,
            "hops_left": 1 - _floats(known.hops) / np.float32(rules.max_hops),
            "cost_to_go": _way_s(here.cost_to_go, size[:, None])[:, 0],
            "accumulated_delay": accumulated_s,
            "stretch": accumulated_s / (_floats(known.uncongested_s) + np.float32(0.1)),
            "queue_packets": _floats(known.queue_packets) - 1,
            "queue_mbit": _floats(known.queue_mbit) - size,
            "step": known.step,
            "relayed_packets": here.relayed_packets[:, 0],
            "relayed_mbit": here.relayed_mbit[:, 0],
            "arrived": np.minimum(_floats(known.arrived_packets), 1),
            "plane_offset_sin": np.sin(plane),
            "plane_offset_cos": np.cos(plane),
            "slot_offset_sin": np.sin(slot),
            "slot_offset_cos": np.cos(slot),
            "hops_to_destination": here.cost_to_go[:, 0, 2],
        }
        block = _directions(layout, rules, known, rings, size)
        out = np.empty((n, layout.size), np.float32)
        for i, name in enumerate(layout.common):
            out[:, i] = common[name]
        blocks = out[:, len(layout.common) :].reshape(n, 4, len(layout.block))  # a view
        for i, name in enumerate(layout.block):
            blocks[:, :, i] = block[name]
        out /= layout.units
        np.minimum(out, np.float32(CAP), out=out)
        blocks *= block["up"][..., None]
    if not np.isfinite(out).all():
        raise OnboardError("the measurements give an observation that is not finite: is size_mbit positive?")
    return out


def _directions(
    layout: Layout, rules: Rules, known: Measurements, rings: list[Ring], size: np.ndarray
) -> dict[str, np.ndarray]:
    """Features of the four directions, each [N, 4]."""
    here, ahead = rings[0], rings[1]
    rho = np.float32(rules.relay_s_per_mbit)
    n, size = len(size), size[:, None]
    s_per_mbit, propagation_s = here.s_per_mbit[:, 0], here.propagation_s[:, 0]
    reached = ahead.is_destination
    go_s = _way_s(ahead.cost_to_go, size)
    relay_s = np.where(reached, 0, rho * _joined(ahead.relayed_packets, ahead.relayed_mbit, size))
    marginal_s = _link_s(here, size, 0)[:, 0] + relay_s
    first = marginal_s + go_s  # LA1
    alone_s = s_per_mbit * size + propagation_s + np.where(reached, 0, rho * size) + go_s
    values = {
        "legal": known.legal,
        "up": (s_per_mbit < DOWN_S_PER_MBIT).astype(np.float32),
        "visited": known.visited,
        "is_destination": reached,
        "transmission": s_per_mbit * size,
        "propagation": propagation_s,
        "length": propagation_s * np.float32(LIGHT_KM_S),
        "link_packets": here.link_packets[:, 0],
        "link_mbit": here.link_mbit[:, 0],
        "relay_packets": ahead.relayed_packets,
        "relay_mbit": ahead.relayed_mbit,
        "marginal_cost": marginal_s,
        "cost_to_go": go_s,
        "hops_to_destination": ahead.cost_to_go[..., 2],
        "detour": alone_s - _least_legal(alone_s, known.legal),
        "own_advantage": first - _least_legal(first, known.legal),
        "prior": first,
    }
    if layout.depth == 1:
        return values

    weight = np.float32(ANNOUNCED_WEIGHT if layout.announced else 0)
    onward = rings[2]
    begin_s = marginal_s
    if layout.announced:
        joined = here.announced_packets[:, 0] * size + here.announced_mbit[:, 0]
        announced_s = weight * joined * s_per_mbit
        begin_s = marginal_s + announced_s
        values |= {
            "announced_packets": here.announced_packets[:, 0],
            "announced_mbit": here.announced_mbit[:, 0],
            "announced_excess": announced_s,
        }
    hop_s = _link_s(ahead, size, weight) + _NO_RETURN  # [N, 4, 4]
    rest_s = np.where(onward.is_destination, 0, _way_s(onward.cost_to_go, size) + rho * size)  # [N, 16]
    second = begin_s + np.where(reached, 0, (hop_s + rest_s.reshape(n, 4, 4)).min(2))  # LA2
    rows, back = np.arange(4), np.array(OPPOSITE)
    values |= {
        "return_packets": ahead.link_packets[:, rows, back],
        "return_mbit": ahead.link_mbit[:, rows, back],
        "onward_packets": ahead.link_packets.sum(2),
        "onward_mbit": ahead.link_mbit.sum(2),
        "onward_excess": second - first,
        "prior": second,
    }
    if layout.depth == 2:
        return values

    beyond = rings[3]
    hop_further_s = _link_s(onward, size, weight) + np.tile(_NO_RETURN, (4, 1))  # [N, 16, 4]
    rest_s = np.where(beyond.is_destination, 0, _way_s(beyond.cost_to_go, size) + rho * size)  # [N, 64]
    relay_s = rho * _joined(onward.relayed_packets, onward.relayed_mbit, size)
    rest_s = relay_s + (hop_further_s + rest_s.reshape(n, 16, 4)).min(2)
    rest_s = np.where(onward.is_destination, 0, rest_s)  # [N, 16]
    third = begin_s + np.where(reached, 0, (hop_s + rest_s.reshape(n, 4, 4)).min(2))  # LA3
    return values | {"beyond_excess": third - second, "prior": third}


_NO_RETURN = (FORBIDDEN_S * np.eye(4)[list(OPPOSITE)]).astype(np.float32)  # [4, 4]: first direction, next


def _way_s(cost_to_go: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Uncongested delay of the ways [N, M, 3] for packets of `size` [N, 1]: [N, M]."""
    return cost_to_go[..., 0] * size + cost_to_go[..., 1]


def _joined(packets: np.ndarray, mbit: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Mbit that a packet of `size` and those there (`packets` of `mbit` together) cost each other."""
    return (packets + 1) * size + mbit


def _link_s(ring: Ring, size: np.ndarray, announced_weight: np.float32 | int) -> np.ndarray:
    """What joining the outgoing links of a ring adds to the delay of all packets: [N, M, 4]."""
    size = size[..., None]
    joined = _joined(ring.link_packets, ring.link_mbit, size)
    if announced_weight:
        joined = joined + announced_weight * (ring.announced_packets * size + ring.announced_mbit)
    return ring.propagation_s + joined * ring.s_per_mbit


def _least_legal(cost_s: np.ndarray, legal: np.ndarray) -> np.ndarray:
    return np.where(legal, cost_s, np.float32(FORBIDDEN_S)).min(1, keepdims=True)


def _floats(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float32)


def _checked(layout: Layout, known: Measurements) -> list[Ring]:
    """The rings in float32, every measurement of the right shape and finite."""
    n = len(np.atleast_1d(known.size_mbit))
    numbers: list[np.ndarray] = []
    for one in fields(Measurements):
        if one.name == "rings":
            continue
        value = getattr(known, one.name)
        if one.name in ("legal", "visited"):
            _require_shape(one.name, value, (n, 4))
            _require_bool(one.name, value)
        else:
            _require_shape(one.name, value, (n,))
            numbers.append(_floats(value))
    if len(known.rings) != layout.depth + 1:
        raise OnboardError(f"rings: {layout.name} needs {layout.depth + 1}, there are {len(known.rings)}")
    rings = []
    for number, ring in enumerate(known.rings):
        values = {}
        for name in needed_of_ring(layout, number):
            value = getattr(ring, name)
            _require_shape(f"rings[{number}].{name}", value, (n, 4**number, *_TAIL.get(name, ())))
            if name == "is_destination":
                values[name] = np.asarray(value, bool)
            else:
                values[name] = _floats(value)
                numbers.append(values[name])
        rings.append(Ring(**values))
    # All together, because numpy takes longer to begin than to look.
    if not np.isfinite(np.concatenate(numbers, axis=None)).all():
        raise OnboardError(f"{_culprit(layout, known)} holds a number that is not finite")
    return rings


def _culprit(layout: Layout, known: Measurements) -> str:
    """The measurement that is not finite."""
    named = {one.name: getattr(known, one.name) for one in fields(Measurements) if one.name != "rings"}
    for number, ring in enumerate(known.rings):
        named |= {f"rings[{number}].{name}": getattr(ring, name) for name in needed_of_ring(layout, number)}
    return next(name for name, value in named.items() if not np.isfinite(_floats(value)).all())


def _require_shape(name: str, value: np.ndarray, shape: tuple[int, ...]) -> None:
    if np.shape(value) != shape:
        got = "is missing" if value is NOT_NEEDED else f"has shape {np.shape(value)}"
        raise OnboardError(f"{name} {got}, it must have shape {shape}")


def _require_bool(name: str, value: np.ndarray) -> None:
    if np.asarray(value).dtype != np.bool_:
        raise OnboardError(f"{name} is {np.asarray(value).dtype}, it must be bool")


class OnboardPolicy:
    """An exported policy, ready to decide.

    path: the export's folder, or one of its .onnx files. manifest_sha256: what the manifest must hash to, where the
    mission knows it.
    Raises OnboardError when a file is missing, altered, or made for an observation that this file does not build, and
    when onnxruntime cannot read the graph.
    """

    def __init__(self, path: str | Path, *, manifest_sha256: str | None = None) -> None:
        path = Path(path)
        folder, model = (path, MODEL) if path.is_dir() else (path.parent, path.name)
        manifest = _read(folder / MANIFEST)
        if manifest_sha256 not in (None, hashlib.sha256(manifest).hexdigest()):
            raise OnboardError(f"{folder / MANIFEST} is not the one expected: its SHA-256 differs")
        self.manifest = _understood(folder / MANIFEST, manifest)
        models = self.manifest["models"]
        if model not in models:
            raise OnboardError(f"{folder / model} is not in the manifest, which has {', '.join(models)}")
        self._folder = folder
        graph = self._known(model)
        self.layout = LAYOUTS[self.manifest["observation"]["layout"]]
        self.rules = Rules(**{key: self.manifest["rules"][key] for key in ("max_hops", "relay_s_per_mbit")})
        self._rows_at_once = self.manifest["models"][model]["rows_at_once"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own errors have no class in common
            reason = str(error).splitlines()[0]
            raise OnboardError(
                f"onnxruntime {onnxruntime.__version__} cannot read {folder / model} ({reason}); 1.14 or later can"
            ) from error
        n, d = len(self.layout.common), len(self.layout.block)
        self._legal = n + d * np.arange(4) + list(self.layout.block).index("legal")

    def self_test(self, tolerance: float = 1e-5) -> int:
        """Decide the folder's examples, on this computer, and return how many there are.

        Raises OnboardError when an observation, a value (of the float32 file) or an action is not what it was on the
        ground, or a file is not; those that were left there are not missed.
        tolerance: of features and, relative to the largest of the decision, of values.
        """
        for name in self.manifest["files"]:
            if (self._folder / name).exists():
                self._known(name)
        with np.load(io.BytesIO(self._known(EXAMPLES)), allow_pickle=False) as stored:
            example = {name: stored[name] for name in stored.files}
        rings = []
        for number in range(self.layout.depth + 1):
            names = needed_of_ring(self.layout, number)
            rings.append(Ring(**{name: example[f"rings.{number}.{name}"] for name in names}))
        flat = {one.name: example[one.name] for one in fields(Measurements) if one.name != "rings"}
        known = Measurements(**flat, rings=tuple(rings))
        observation = self.observe(known)
        if not np.allclose(observation, example["observation"], rtol=tolerance, atol=tolerance):
            raise OnboardError("self-test: observations are not built as they were on the ground")
        action, value = self.decide(example["observation"], known.legal)
        exact = self._rows_at_once is None
        expected = np.where(known.legal, example["q"], 0)
        scale = np.maximum(np.abs(expected).max(1, keepdims=True), 1)
        if exact and not (np.abs(np.where(known.legal, value, 0) - expected) <= tolerance * scale).all():
            raise OnboardError("self-test: values are not what they were on the ground")
        if exact and not np.array_equal(action, example["action"]):
            raise OnboardError("self-test: actions are not what they were on the ground")
        return len(action)

    def _known(self, name: str) -> bytes:
        """The content of a file of the folder, if it is the one that the manifest knows."""
        content = _read(self._folder / name)
        if hashlib.sha256(content).hexdigest() != self.manifest["files"].get(name, {}).get("sha256"):
            raise OnboardError(
                f"{self._folder / name} is damaged or another file: its SHA-256 is not the manifest's"
            )
        return content

    def observe(self, known: Measurements) -> np.ndarray:
        """The observation [N, F] under the mission's rules; see `build_observation`."""
        return build_observation(self.layout, self.rules, known)

    def act(self, observation: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """[N] int64, the legal direction of highest value; observation [N, F] finite, mask [N, 4] bool."""
        return self.decide(observation, mask)[0]

    def decide(self, observation: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(action [N] int64, value of each direction [N, 4] float32, that of an illegal one meaning nothing).

        Raises OnboardError on a wrong shape, a number that is not finite, a row without a legal direction, or a mask
        that is not the observation's own.
        """
        observation, mask = np.asarray(observation), np.asarray(mask)
        if observation.shape[1:] != (self.layout.size,):
            raise OnboardError(
                f"observation has shape {observation.shape}, it must have (N, {self.layout.size})"
            )
        _require_shape("mask", mask, (len(observation), 4))
        _require_bool("mask", mask)
        with np.errstate(over="ignore"):  # what float32 does not hold is not finite
            observation = np.ascontiguousarray(observation, np.float32)
        if not np.isfinite(observation).all():
            raise OnboardError("the observation holds a number that is not finite")
        if not mask.any(1).all():
            row = int(np.argmin(mask.any(1)))
            raise OnboardError(f"row {row} of the mask has no legal direction: drop the packet, do not ask")
        if not np.array_equal(observation[:, self._legal] > 0.5, mask):
            raise OnboardError("mask and observation do not agree on which directions are legal")
        # A graph that finds the scales of its integers in the rows it is given must be given one decision at a time.
        at_once = self._rows_at_once or max(len(observation), 1)
        parts = [
            self._session.run(
                ["action", "q"], {"observation": observation[i : i + at_once], "legal": mask[i : i + at_once]}
            )
            for i in range(0, max(len(observation), 1), at_once)
        ]
        if len(parts) > 1:
            parts = [[np.concatenate([np.asarray(part[k]) for part in parts]) for k in (0, 1)]]
        return np.asarray(parts[0][0]), np.asarray(parts[0][1])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OnboardError(
            f"{path} cannot be read ({error.strerror}): name the folder of an export"
        ) from error


def sealed(manifest: dict) -> dict:
    """`manifest` with a digest of all that is in it, by which damage is told from another version."""
    plain = json.loads(json.dumps(manifest))
    plain.pop("digest", None)
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    return {**plain, "digest": digest}


def _understood(path: Path, content: bytes) -> dict:
    """The manifest, if it is whole and this file understands it."""
    try:
        manifest = json.loads(content)
        found = manifest["format"]
        if found != FORMAT:
            raise OnboardError(f"{path} has format {found!r}, this file reads {FORMAT!r}")
        whole, observation = manifest == sealed(manifest), manifest["observation"]
        layout = LAYOUTS.get(observation["layout"])
        read = [manifest["rules"]["max_hops"], manifest["rules"]["relay_s_per_mbit"]]
        for model, about in manifest["models"].items():
            read += [about["rows_at_once"], manifest["files"][model]["sha256"]]
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise OnboardError(f"{path} is damaged ({type(error).__name__}: {error})") from error
    if not whole:
        raise OnboardError(f"{path} is damaged: its content has changed")
    if layout is None:
        known = ", ".join(LAYOUTS)
        raise OnboardError(f"{path} is for observations {observation['layout']!r}, this file builds {known}")
    if observation != layout.description():
        raise OnboardError(f"{path} describes {layout.name!r} otherwise than this file builds it")
    return manifest
