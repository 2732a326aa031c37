"""The router of a trained policy, whether its weights run in torch or its export runs in the onboard runtime."""

from __future__ import annotations

from pathlib import Path

from agents.policy import Policy, PolicyError
from agents.routers.learned import LearnedRouter
from agents.routers.protocol import Router

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
