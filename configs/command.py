"""Command lines: Hydra composes, the schema checks, and a mistake is one line instead of a traceback."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from agents.cluster import WorkerLost
from agents.run.durable import DiskRefuses, naming_what_the_disk_refuses
from agents.run.interruption import INTERRUPTED
from configs import CONFIG_DIR
from configs.convert import keys_of, to_dataclass, unknown_key
from envs.config import ConfigError

T = TypeVar("T")

SHOW_TRACEBACK = os.environ.get("HYDRA_FULL_ERROR") == "1"
"""Whether the user asked for tracebacks of configuration errors."""


def command(
    schema: type[T],
    config_name: str,
    *,
    based_on: str,
    unless: str | None = None,
    may_change: Sequence[str] | None = None,
) -> Callable[[Callable[[T], None]], Callable[[], None]]:
    """Make `main(config: schema)` a command line over `configs/<config_name>.yaml`.

    based_on: key that names the folder of a run. Where it is set, that run's configuration holds, and the command line
        changes only what it mentions.
    unless: a value of that key which names no run.
    may_change: keys and groups that may be changed in this way; None: all.

    The command prints bad input as one line and exits with status 2; HYDRA_FULL_ERROR=1 shows the traceback instead.
    """

    def decorate(main: Callable[[T], None]) -> Callable[[], None]:
        @hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name=config_name)
        @functools.wraps(main)
        def composed(config: DictConfig) -> None:
            with one_line_errors(
                schema
            ):  # here too: Hydra would announce a failed job before we see the error
                if config.get(based_on) not in (None, unless):
                    config = on_top_of_run(config, based_on, may_change)
                main(to_dataclass(schema, config))

        def run() -> None:
            with one_line_errors(schema):
                composed()

        return run

    return decorate


@contextmanager
def one_line_errors(schema: type) -> Iterator[None]:
    """Turn bad input into one line and exit status 2, a lost process or a full disk into one line and exit status 1.

    Every other error keeps its traceback.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands its errors on instead of printing its own report
    try:
        with naming_what_the_disk_refuses():
            yield
    except (ConfigError, HydraException, OmegaConfBaseException) as error:
        if SHOW_TRACEBACK:
            raise
        print(f"error: {explain(error, schema)}", file=sys.stderr)
        sys.exit(2)
    except (WorkerLost, DiskRefuses) as error:
        if SHOW_TRACEBACK:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


def on_top_of_run(config: DictConfig, based_on: str, may_change: Sequence[str] | None) -> DictConfig:
    """The configuration stored in the run `config[based_on]`, changed by what the command line mentions and no more."""
    folder = Path(str(config[based_on]))
    folder = folder.parent if folder.is_file() else folder
    stored_file = folder / "config.yaml"
    if not stored_file.is_file():
        raise ConfigError(
            f"{based_on}={config[based_on]!r} is not the folder of a run: it has no config.yaml; "
            "name one of those in runs/, or start one with `python train.py`"
        )
    try:
        stored = DictConfig(OmegaConf.load(stored_file))
    except (YAMLError, OSError, ValueError) as error:
        problem = str(error).split("\n")[0]
        raise ConfigError(f"{stored_file} is damaged ({problem}): restore it or name another run") from error
    chosen = HydraConfig.get()
    merged = OmegaConf.create({key: stored.get(key, config[key]) for key in config})
    overrides = OverridesParser.create().parse_overrides(list(chosen.overrides.task))
    groups = ["experiment", *(group for group in chosen.runtime.choices if group != "experiment")]
    rank = {group: number for number, group in enumerate(groups)}  # values come after all groups
    for override in sorted(overrides, key=lambda one: rank.get(one.key_or_group, len(rank))):
        key = override.key_or_group
        if may_change is not None and not f"{key}.".startswith(
            tuple(f"{one}." for one in (based_on, *may_change))
        ):
            raise ConfigError(f"{key} cannot be changed with {based_on}=, only {', '.join(may_change)} can")
        folders = [Path(source.path) for source in chosen.runtime.config_sources if source.schema == "file"]
        mentioned = set_by_experiment(chosen.runtime.choices[key], folders) if key == "experiment" else [key]
        for name in mentioned:
            OmegaConf.update(merged, name, OmegaConf.select(config, name), merge=False)
    return merged


def set_by_experiment(name: str | None, folders: Sequence[Path] = (CONFIG_DIR,)) -> list[str]:
    """The settings, or whole groups, that `experiment/<name>.yaml` changes; none without a name.

    folders: where configurations are: `configs/`, and those of `--config-dir`.
    """
    if name is None:
        return []
    changed = []

    def collect(values: dict, path: str) -> None:
        for key, value in values.items():
            if isinstance(value, dict):
                collect(value, f"{path}{key}.")
            else:
                changed.append(f"{path}{key}")

    files = [folder / "experiment" / f"{name}.yaml" for folder in folders]
    content = yaml.safe_load(next(file for file in files if file.is_file()).read_text())
    for default in content.pop("defaults", []):
        changed += [key.removeprefix("override /") for key in default]
    collect(content, "")
    return changed


def explain(error: Exception, schema: type) -> str:
    """What is wrong with the command line or a YAML file, and what would be right, in one line."""
    known = keys_of(schema)
    if isinstance(error, MissingConfigException) and error.options:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        return f"{group}={option} is not possible: one of {', '.join(error.options)}"
    if isinstance(error, OverrideParseException):
        return f"cannot read {error.override!r}: write key=value"
    message = str(error)
    refused = re.search(r"Could not (?:override|append to config) '(.+?)'", message)
    if refused:
        key = refused[1].split("=")[0].lstrip("+~")
        if key in known:
            group = key.split(".")[0]
            return f"{key} is not part of the chosen option of {group}: choose another, or add it by +{key}=VALUE"
        return unknown_key(key, [*known, "experiment"])
    return message.strip().split("\n")[0]
