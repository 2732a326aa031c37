"""A moment of a constellation and its tasks, as a YAML file that people write; `docs/offloading.md` shows one."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

import torch
from pydantic import TypeAdapter, ValidationError

from envs.config import ConfigError, EnvironmentConfig
from envs.constellation import CONSTELLATIONS, Constellation, Fleet, TleFleet
from envs.ephemeris import Ephemeris, build_ephemeris
from envs.failures import FailureConfig
from envs.links import LINK_MODELS, LinkModel
from envs.topology import build_topology
from envs.worlds import Worlds
from offload.config import OffloadConfig
from offload.joint.scenario import RealFrames
from offload.plain_yaml import read_yaml
from offload.problem import OffloadProblem
from offload.tasks import Tasks

_MOST_FRAMES = 10**9
"""Of a task: far beyond any, and all sums over them are exact."""


class ScenarioError(ConfigError):
    """A scenario file cannot be used; the message names the field and what is allowed, or the file."""


@dataclass(frozen=True)
class TaskEntry:
    """A task: `frames` images on satellite `sensing`.

    computing: the satellite that serves it; null: the nearest of the scenario's. large_accuracy, small_accuracy: as in
    `FramesConfig`; null: as `offload.frames` says. accuracy: of the whole task, where there are `real_frames`; null: as
    these say.
    """

    sensing: str
    frames: int
    computing: str | None = None
    large_accuracy: float | None = None
    small_accuracy: float | None = None
    accuracy: float | None = None


@dataclass(frozen=True)
class ScenarioFile:
    """What the file says. Satellites are `sat_<number>`, numbered plane by plane in the direction of flight.

    time: the moment; null: the start of the constellation's simulated day. A fleet from a TLE file that names no date
    has its day here.
    real_frames: null: frames are all alike, as `offload` describes them.
    """

    tasks: list[TaskEntry]
    computing: list[str] = field(default_factory=list)
    constellation: str | Constellation | TleFleet = "walker_12x24"
    time: str | None = None
    link: dict[str, str | float] = field(default_factory=lambda: {"model": "eb_n0"})
    environment: EnvironmentConfig = field(default_factory=EnvironmentConfig)
    failures: FailureConfig = field(default_factory=FailureConfig)
    offload: OffloadConfig = field(default_factory=OffloadConfig)
    real_frames: RealFrames | None = None


def satellite_name(number: int) -> str:
    """The name of a satellite, as in the PettingZoo view."""
    return f"sat_{number:03d}"


def read_scenario(path: Path) -> ScenarioFile:
    """Read the file at `path`; raises ConfigError naming the field and what is allowed, or the line."""
    if not path.is_file():
        raise ScenarioError(f"scenario={path}: there is no such file")
    content = read_yaml(path)
    try:
        _check_keys(ScenarioFile, content, "")
        # In JSON a list may become a tuple and a name an enum member; strict, so that nothing else changes kind.
        return TypeAdapter(ScenarioFile).validate_json(_as_json(content), strict=True)
    except ValidationError as error:
        raise ScenarioError(f"{path}: {_first_mistake(error)}") from error
    except ConfigError as error:
        raise ScenarioError(f"{path}: {error}") from error


def _as_json(content: Any) -> str:
    """`content` as JSON; what only YAML knows (dates, sets) as text, which is what a date in `time` is to be."""
    try:
        return json.dumps(content, default=str)
    except (TypeError, ValueError) as error:  # a key that is no word; an anchor within itself
        raise ScenarioError(f"only words, numbers, lists and mappings are possible ({error})") from error


def build_problem(scenario: ScenarioFile) -> OffloadProblem:
    """The problem that the file describes: one world in one slot.

    Raises ConfigError naming the field when satellites, times or accuracies are not possible.
    """
    constellation, moment = scenario.constellation, _moment(scenario.time)
    if isinstance(constellation, str):
        if constellation not in CONSTELLATIONS:
            raise ScenarioError(
                f"constellation={constellation!r} is not possible: one of {', '.join(CONSTELLATIONS)}, or its elements"
            )
        constellation = CONSTELLATIONS[constellation]
    if isinstance(constellation, TleFleet) and constellation.date is None and moment is not None:
        constellation = replace(constellation, date=f"{moment:%Y-%m-%d}")
    topology = build_topology(constellation, _link(scenario.link), _time_s(moment, constellation))
    topology = scenario.failures.apply(topology, torch.zeros(1, dtype=torch.long))
    ephemeris = build_ephemeris(topology, scenario.environment.relay_s_per_mbit)
    worlds = _worlds(scenario, ephemeris)
    tasks = _tasks(scenario)
    if scenario.real_frames is not None:
        default = scenario.real_frames.accuracy
        required = [default if task.accuracy is None else task.accuracy for task in scenario.tasks]
        accuracy = torch.tensor([required], dtype=torch.float64)
        return scenario.real_frames.problem(
            ephemeris, worlds, tasks.frames, accuracy, scenario.offload, scenario.environment
        )
    return OffloadProblem.of(ephemeris, worlds, tasks, scenario.offload, scenario.environment)


def _worlds(scenario: ScenarioFile, ephemeris: Ephemeris) -> Worlds:
    n_satellites = ephemeris.n_satellites
    if not scenario.tasks:
        raise ScenarioError("tasks=[] is not possible: at least one task")
    pool = [_number(name, f"computing[{i}]", n_satellites) for i, name in enumerate(scenario.computing)]
    sensing, server = [], []
    for i, task in enumerate(scenario.tasks):
        here = _number(task.sensing, f"tasks[{i}].sensing", n_satellites)
        if task.computing is not None:
            there = _number(task.computing, f"tasks[{i}].computing", n_satellites)
        elif pool:
            hops = ephemeris.hops(torch.tensor(0), torch.tensor(pool), torch.tensor(here))
            there = pool[int(hops.argmin())]
        else:
            raise ScenarioError(f"tasks[{i}].computing is missing: name a satellite here or in computing")
        if here in sensing:
            raise ScenarioError(
                f"tasks[{i}].sensing={task.sensing!r} is not possible: tasks[{sensing.index(here)}] is there already, "
                "and a satellite's small model has one task"
            )
        if here == there:
            raise ScenarioError(
                f"tasks[{i}].sensing={task.sensing!r} is not possible: it is the task's computing satellite"
            )
        if ephemeris.component[0, here] != ephemeris.component[0, there]:
            raise ScenarioError(
                f"tasks[{i}] is not possible: {task.sensing} has no way to its computing satellite "
                f"{satellite_name(there)} at this moment"
            )
        sensing.append(here)
        server.append(there)
    sources = torch.tensor([[*server, *sensing]])
    return Worlds(
        slot=torch.zeros(1, dtype=torch.long),
        source=sources,
        destination=torch.tensor([[*sensing, *server]]),
        size_mbit=torch.ones(sources.shape),
        present=torch.ones(sources.shape, dtype=torch.bool),
    )


def _tasks(scenario: ScenarioFile) -> Tasks:
    for i, task in enumerate(scenario.tasks):
        if not 1 <= task.frames <= _MOST_FRAMES:
            raise ScenarioError(f"tasks[{i}].frames={task.frames} is not possible: from 1 to {_MOST_FRAMES}")
        for name in ("large_accuracy", "small_accuracy", "accuracy"):
            value = getattr(task, name)
            if value is not None and not 0 < value < 1:
                raise ScenarioError(f"tasks[{i}].{name}={value} is not possible: between 0 and 1")
        unused = ("accuracy",) if scenario.real_frames is None else ("large_accuracy", "small_accuracy")
        for name in unused:
            if getattr(task, name) is not None:
                other = "without" if scenario.real_frames is None else "with"
                raise ScenarioError(f"tasks[{i}].{name} means nothing {other} real_frames: leave it out")
    tasks = Tasks.of(torch.tensor([[task.frames for task in scenario.tasks]]), scenario.offload.frames)
    for name in ("large_accuracy", "small_accuracy"):
        default = getattr(scenario.offload.frames, name)
        values = [getattr(task, name) for task in scenario.tasks]
        chosen = [default if value is None else value for value in values]
        tasks = replace(tasks, **{name: torch.tensor([chosen], dtype=torch.float64)})
    return tasks


def _number(name: str, where: str, n_satellites: int) -> int:
    digits = name.removeprefix("sat_")
    if digits == name or not digits.isdecimal() or int(digits) >= n_satellites:
        raise ScenarioError(
            f"{where}={name!r} is not possible: sat_000 to {satellite_name(n_satellites - 1)}, "
            "number = plane * satellites per plane + place"
        )
    return int(digits)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ScenarioError(
            f"time={text!r} is not possible: a date and time such as 2025-10-18T06:30:00Z"
        ) from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _time_s(moment: datetime | None, constellation: Fleet) -> torch.Tensor:
    """[1] float64, seconds since the start of the constellation's day."""
    seconds = (moment - constellation.day_start).total_seconds() if moment else 0.0
    return torch.tensor([seconds], dtype=torch.float64)


def _link(settings: Mapping[str, Any]) -> LinkModel:
    values = dict(settings)
    name = values.pop("model", None)
    if name not in LINK_MODELS:
        raise ScenarioError(f"link.model={name!r} is not possible: one of {', '.join(LINK_MODELS)}")
    _check_keys(LINK_MODELS[name], values, "link")
    try:
        return TypeAdapter(LINK_MODELS[name]).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise ScenarioError(_first_mistake(error, "link")) from error


def _check_keys(schema: type, content: Any, path: str) -> None:
    """Raise ScenarioError for a key of the mapping `content` that `schema` does not have, or that is missing."""
    if not isinstance(content, Mapping):
        known = ", ".join(f.name for f in fields(schema))
        raise ScenarioError(f"{path or 'the file'} must be a mapping with {known}")
    types = get_type_hints(schema)
    for key, value in content.items():
        name = f"{path}.{key}".lstrip(".")
        if key not in types:
            near = difflib.get_close_matches(str(key), types, n=1) or [", ".join(types)]
            raise ScenarioError(f"{name} is not a field: did you mean {near[0]}?")
        if is_dataclass(types[key]):
            _check_keys(types[key], value, name)  # type: ignore[arg-type]
        elif key == "real_frames" and value is not None:
            _check_keys(RealFrames, value, name)
        elif key == "tasks" and isinstance(value, list):
            for i, entry in enumerate(value):
                _check_keys(TaskEntry, entry, f"tasks[{i}]")
        elif key == "constellation" and isinstance(value, Mapping):
            _check_keys(TleFleet if "file" in value else Constellation, value, name)
    for entry in fields(schema):
        if entry.name not in content and entry.default is MISSING and entry.default_factory is MISSING:
            raise ScenarioError(f"{path}.{entry.name}".lstrip(".") + " is missing: it has no default")


def _first_mistake(error: ValidationError, where: str = "") -> str:
    """The first of `error` in one line; `where` is the field that was validated, if not the whole file."""
    first = error.errors(include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if first["type"] == "value_error":  # raised by a configuration class, which names the field itself
        return message
    for part in first["loc"]:
        if isinstance(part, int):
            where += f"[{part}]"
        elif part not in ("str", "Constellation", "TleFleet", "float"):  # names of a union's members
            where += f".{part}"
    return f"{where.lstrip('.')}={first['input']!r} is not possible: {message}"
