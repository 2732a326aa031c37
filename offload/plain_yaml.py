"""A YAML file that people write: every key once, and mistakes that name their line."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from envs.config import ConfigError


class YamlError(ConfigError):
    """A file is not YAML; the message names the file and the line."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that a mapping has twice, of which others keep the last and say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"{key.value} is there twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """The content of the file at `path`; raises YamlError."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except UnicodeDecodeError as error:
        raise YamlError(f"{path} is not YAML: it is not text ({error.reason})") from error
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f", line {error.problem_mark.line + 1}"
        raise YamlError(f"{path} is not YAML: {error.problem}{line}") from error
    except yaml.YAMLError as error:
        raise YamlError(f"{path} is not YAML: {str(error).splitlines()[0]}") from error
