"""Parts that users write outside these packages and name in a configuration as `module:name`."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any

from envs.config import ConfigError, require


def load_extension(name: str, setting: str, kind: type | None = None) -> Any:
    """What `name`, as `module:name`, stands for: `my_mixers:MaxMixer` is MaxMixer of my_mixers.py.

    Python must find the module: beside train.py, in a folder that PYTHONPATH names, or installed.

    setting: the setting that says so.
    kind: the class it must be derived from.
    Raises ConfigError when there is no such module or no such name in it, when the module cannot be imported, and
    when it is not what the setting asks for.
    """
    module = name.partition(":")[0]
    try:
        found = resolve_name(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ConfigError(f"{setting}={name!r} is not possible: {module} needs {error.name}") from error
        there = f"Python finds no module {error.name}; is its folder in PYTHONPATH?"
        raise ConfigError(f"{setting}={name!r} is not possible: {there}") from error
    except AttributeError as error:
        raise ConfigError(f"{setting}={name!r} is not possible: {error}") from error
    if kind is not None:
        derived = isinstance(found, type) and issubclass(found, kind)
        require(derived, setting, name, f"a class derived from {kind.__module__}.{kind.__name__}")
    return found
