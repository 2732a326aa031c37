"""Where a report's numbers come from: command, code, libraries, machine, moment."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from agents.policy import POLICY_FILE

LIBRARIES = ("torch", "numpy", "skyfield", "sgp4", "bokeh", "pydeck", "cartopy")


def provenance(run: Path | None) -> dict[str, str]:
    """What it takes to measure the same again, by name. run: folder of the policy."""
    known = {
        "written": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "LEOMix": f"{version('leomix')}, {code_state()}",
        "policy": _policy(run),
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    }
    return {name: value for name, value in known.items() if value}


def code_state() -> str:
    """The commit of the code, and whether it was changed since; says so where the code is not in a repository."""
    root = Path(__file__).resolve().parents[1]

    def git(*command: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *command], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    try:
        commit, changed = git("rev-parse", "--short=12", "HEAD"), git("status", "--porcelain", "-uno")
    except (OSError, subprocess.SubprocessError):
        return "installed, not from a repository"
    return f"commit {commit}{' with changes' if changed else ''}"


def _policy(run: Path | None) -> str:
    file = run / POLICY_FILE if run else None
    if file is None or not file.is_file():
        return ""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return f"{run.name if run else ''}/{POLICY_FILE}, SHA-256 {digest}"
