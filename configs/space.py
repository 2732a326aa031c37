"""The search space of a run's configuration: found, read and checked against the schema before anything starts."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from agents.search import SearchSpace
from configs import CONFIG_DIR
from configs.convert import keys_of, to_dataclass, to_plain, unknown_key
from configs.schema import TrainConfig
from envs.config import ConfigError

NOT_SEARCHED = ("name", "folder", "resume", "job", "search", "cluster", "evaluation", "algorithm.iterations")
"""What says where and how long trials run, and so must be the same for all: a key, or the group it is in."""


def load_space(config: TrainConfig) -> SearchSpace:
    """The space that `config.search.space` names, every value of which `config` can be given.

    Raises ConfigError where there is no such file, where it is no sweep, where a parameter is no setting, and where a
    value, or the end of a range, is not possible for one.
    """
    file = space_file(config.search.space)
    try:
        content = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise ConfigError(f"{file.name} cannot be read: {str(error).splitlines()[0]}") from error
    space = SearchSpace.from_sweep(content, file.name)
    known, plain = keys_of(TrainConfig), to_plain(config)
    for key, domain in space.parameters.items():
        if f"{key}.".startswith(tuple(f"{fixed}." for fixed in NOT_SEARCHED)):
            raise ConfigError(
                f"{file.name}: {key} cannot be searched; set it for all trials on the command line"
            )
        if key not in known:
            raise ConfigError(f"{file.name}: {unknown_key(key, known)}")
        for value in domain.examples:
            try:
                changed(plain, {key: value})
            except ConfigError as error:
                raise ConfigError(f"{file.name}: {error}") from error
    return space


def space_file(name: str) -> Path:
    """The file that `search.space=name` means: one of configs/sweep, or a path; ConfigError where there is none."""
    files = sorted((CONFIG_DIR / "sweep").glob("*.yaml"))
    file = next((file for file in files if file.stem == name), Path(name))
    if not file.is_file():
        raise ConfigError(
            f"search.space={name!r} is not possible: one of {', '.join(file.stem for file in files)}, "
            "or the path of a sweep file"
        )
    return file


def changed(plain: Mapping[str, Any], settings: Mapping[str, Any]) -> TrainConfig:
    """The configuration `plain` (of `to_plain`) with `settings` (full name -> value) in it.

    Raises ConfigError where one is no setting of it, or a value is not possible.
    """
    changed = copy.deepcopy(dict(plain))
    for key, value in settings.items():
        group, *path = key.split(".")
        place = changed
        for name in [group, *path][:-1]:
            place = place.get(name)
            if not isinstance(place, dict):
                raise ConfigError(f"{key} is not part of the chosen option of {group}")
        place[[group, *path][-1]] = value
    return to_dataclass(TrainConfig, changed)
