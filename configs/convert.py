"""From a composed configuration to frozen dataclasses, strictly, with errors a person can act on.

Hydra composes plain values; the dataclasses beside the code that uses them say which keys exist, their types and
limits. Nothing is coerced across kinds: `n_tasks: "8"` or `strict: 1` is an error, `slot_s: 60` for a float is not.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, OmegaConf
from pydantic import TypeAdapter, ValidationError

from envs.config import ConfigError

T = TypeVar("T")


@dataclass(frozen=True)
class OneOf:
    """Marks a field whose dataclass is chosen by a key of its group: `Annotated[Link, OneOf("model", LINK_MODELS)]`.

    key: the key that names the class; it is not passed to the class.
    classes: name -> dataclass.
    default: the name where the group has no such key (configurations stored before there was a choice); None: it must.
    """

    key: str
    classes: Mapping[str, type]
    default: str | None = None


def to_dataclass(schema: type[T], config: DictConfig | Mapping[str, Any]) -> T:
    """Build `schema`, a dataclass of dataclasses and values, from `config` with every key and value checked.

    Raises:
        ConfigError: a key is unknown or missing, or a value has the wrong type or is out of range. The message names
            the full key, the value and what is allowed.
    """
    plain = OmegaConf.to_container(config, resolve=True) if isinstance(config, DictConfig) else config
    return _build(schema, plain, path="", known=keys_of(schema))


def to_plain(config: Any) -> Any:
    """A configuration as dicts, lists and scalars, ready for YAML or JSON; the inverse of `to_dataclass`."""
    if is_dataclass(config) and not isinstance(config, type):
        types = get_type_hints(type(config), include_extras=True)
        plain = {}
        for field in fields(config):
            value = getattr(config, field.name)
            one_of = _one_of(types[field.name])
            name = {one_of.key: _name_of(value, one_of)} if one_of else {}
            plain[field.name] = {**name, **to_plain(value)} if one_of else to_plain(value)
        return plain
    if isinstance(config, Enum):
        return config.value
    if isinstance(config, (list, tuple)):
        return [to_plain(value) for value in config]
    return config


def keys_of(schema: type, path: str = "") -> list[str]:
    """Full names of all settings below the dataclass `schema`, groups before their members."""
    keys = []
    for name, kind in get_type_hints(schema, include_extras=True).items():
        key = _join(path, name)
        keys.append(key)
        one_of = _one_of(kind)
        if one_of:
            keys.append(_join(key, one_of.key))
        for member in one_of.classes.values() if one_of else [kind] if is_dataclass(kind) else []:
            keys.extend(keys_of(member, key))  # type: ignore[arg-type]
    return list(dict.fromkeys(keys))


def unknown_key(key: str, known: Iterable[str]) -> str:
    """One sentence about a key that is not among the `known` ones: the nearest, or else what its group does have."""
    known = list(known)
    group, _, name = key.rpartition(".")
    siblings = {other.rpartition(".")[2]: other for other in known if other.rpartition(".")[0] == group}
    nearest = [siblings[near] for near in _near(name, siblings)]
    nearest += [
        other for other in known if other.rpartition(".")[2] == name
    ]  # the right name in the wrong group
    nearest = nearest or _near(key, known, cutoff=0.85)
    if nearest:
        return f"{key} is not a setting: did you mean {' or '.join(dict.fromkeys(nearest))}?"
    if group and siblings:
        return f"{key} is not a setting: {group} has {', '.join(siblings)}"
    return f"{key} is not a setting: there are {', '.join(other for other in known if '.' not in other)}"


def _build(schema: type[T], config: Any, path: str, known: list[str]) -> T:
    types = get_type_hints(schema, include_extras=True)
    if not isinstance(config, Mapping):
        raise ConfigError(
            f"{path}={config!r} is not possible: it is a group, with {', '.join(keys_of(schema, path))}"
        )
    for key in config:
        if key not in types:
            raise ConfigError(unknown_key(_join(path, str(key)), known))
    for field in fields(schema):  # type: ignore[arg-type]
        if field.name not in config and field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{_join(path, field.name)} is missing: it has no default")
    values = {key: _value(types[key], value, _join(path, str(key)), known) for key, value in config.items()}
    try:
        return schema(**values)
    except ConfigError:
        raise
    except ValueError as error:  # of packages that know nothing of ours
        raise ConfigError(str(error)) from error


def _value(kind: Any, value: Any, path: str, known: list[str]) -> Any:
    one_of = _one_of(kind)
    if one_of:
        members = dict(value) if isinstance(value, Mapping) else {}
        name = members.pop(one_of.key, one_of.default)
        if name not in one_of.classes:
            allowed = ", ".join(one_of.classes)
            raise ConfigError(f"{_join(path, one_of.key)}={name!r} is not possible: one of {allowed}")
        chosen = one_of.classes[name]
        return _build(chosen, members, path, keys_of(chosen, path))
    if is_dataclass(kind):
        return _build(kind, value, path, known)  # type: ignore[arg-type]
    try:
        # In JSON a list may become a tuple and a name an enum member; strict, so that nothing else changes kind.
        return TypeAdapter(kind).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise ConfigError(f"{path}={value!r} is not possible: {_allowed(kind, error)}") from error


def _allowed(kind: Any, error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    choices = first.get("ctx", {}).get("expected")
    if choices:
        return f"one of {choices}".replace("'", "").replace(" or ", ", ")
    if get_origin(kind) is tuple and first["type"] in ("missing", "too_long"):
        return f"a list of {len(get_args(kind))} values"
    return first["msg"].removeprefix("Input should be ")


def _near(word: str, words: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """The words most like `word`, if any is: the best one and those almost as near."""
    near = difflib.get_close_matches(word, words, n=3, cutoff=cutoff)
    likeness = {other: difflib.SequenceMatcher(None, other, word).ratio() for other in near}
    return [other for other in near if likeness[other] > likeness[near[0]] - 0.1]


def _name_of(value: Any, one_of: OneOf) -> str:
    return next(name for name, choice in one_of.classes.items() if type(value) is choice)


def _one_of(kind: Any) -> OneOf | None:
    if get_origin(kind) is not Annotated:
        return None
    return next((mark for mark in get_args(kind)[1:] if isinstance(mark, OneOf)), None)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
