"""Which code a file was written by: the package's version and, in a checkout, its commit."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


@cache
def code_version() -> str:
    """`leomix 0.1.0`, in a git checkout followed by `, commit 0123456789ab`, and by `, changed` where files differ
    from that commit."""
    try:
        package = f"leomix {version('leomix')}"
    except PackageNotFoundError:
        package = "leomix, not installed"
    commit = _git("rev-parse", "--short=12", "HEAD")
    if not commit:
        return package
    changed = ", changed" if _git("status", "--porcelain", "--untracked-files=no") else ""
    return f"{package}, commit {commit}{changed}"


def _git(*arguments: str) -> str:
    """What git says of our own checkout; nothing where there is none, or no git."""
    if not (_ROOT / ".git").exists():
        return ""
    try:
        asked = subprocess.run(
            ["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout.strip()
