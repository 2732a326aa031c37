"""The router of a trained policy, whether its weights run in torch or its export runs in the onboard runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.policy import Policy, PolicyError
from agents.routers.learned import LearnedRouter
from agents.routers.protocol import Router, Routes
from envs.config import EnvironmentConfig
from envs.ephemeris import Ephemeris
from envs.worlds import Worlds

MANIFEST = "manifest.json"
"""What makes a folder an export."""


def is_export(path: Path) -> bool:
    """Whether `path` is an export: its folder or one of its .onnx files."""
    return path.suffix == ".onnx" or (path / MANIFEST).is_file()


def trained_router(path: Path) -> Router:
    """The router of the policy at `path`: a run's folder, a policy file, an export's folder or one of its .onnx files.

    Raises PolicyError when it cannot be read or is of another version.
    """
    if not is_export(path):
        return LearnedRouter(Policy.load(path))
    from agents.export.onboard import OnboardError  # needs onnxruntime, which nobody else does
    from agents.routers.flown import FlownRouter

    try:
        return FlownRouter(path)
    except OnboardError as error:
        raise PolicyError(str(error)) from error


@dataclass(frozen=True)
class Training:
    """The router of one of several trainings of a policy, told apart by its name."""

    router: Router
    name: str

    def route(self, ephemeris: Ephemeris, worlds: Worlds, config: EnvironmentConfig) -> Routes:
        """As the router."""
        return self.router.route(ephemeris, worlds, config)


def trained_routers(paths: Sequence[Path]) -> list[Router]:
    """The routers of a policy trained with several seeds: the first has its own name, the others a number as well."""
    first, *others = map(trained_router, paths)
    return [first, *(Training(other, f"{first.name}_{k}") for k, other in enumerate(others, start=2))]
