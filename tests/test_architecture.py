"""The packages depend one way: commands -> report -> offload -> {agents, models} -> envs; each costs what it must."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
OURS = {
    "envs",
    "agents",
    "models",
    "offload",
    "report",
    "configs",
    "train",
    "evaluate",
    "search",
    "benchmarks",
    "tests",
}
MAY_IMPORT = {
    "envs": set(),
    "models": set(),
    "agents": {"envs"},
    "offload": {"envs", "agents", "models"},
    "report": {"envs", "agents", "models", "offload"},
    "configs": {"envs", "agents", "models", "offload", "report"},
}
HEAVY = {
    "ray",
    "wandb",
    "onnx",
    "onnxruntime",
    "torchvision",
    "transformers",
    "open_clip",
    "timm",
    "matplotlib",
    "pandas",
    "bokeh",
    "pydeck",
    "cartopy",
}
SOURCES = sorted(path for package in MAY_IMPORT for path in (REPOSITORY / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Top-level names of all modules that a file imports, wherever in the file that is."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import in line {node.lineno}, say the whole name"
            names.add((node.module or "").split(".")[0])
    return names


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_follow_the_arrows(path: Path) -> None:
    package = path.relative_to(REPOSITORY).parts[0]
    command = {"configs"} if path.name == "__main__.py" else set()
    assert imported(path) & OURS <= MAY_IMPORT[package] | {package} | command


@pytest.mark.parametrize("path", [path for path in SOURCES if "agents" in path.parts], ids=name_of)
def test_only_the_adapter_knows_ray(path: Path) -> None:
    assert "rllib" in path.parts or "ray" not in imported(path)


def test_no_module_is_called_for_nothing() -> None:
    assert not [
        name_of(path) for path in SOURCES if path.stem in {"utils", "util", "helpers", "common", "misc"}
    ]


def test_every_package_is_described() -> None:
    for package in MAY_IMPORT:
        assert ast.get_docstring(ast.parse((REPOSITORY / package / "__init__.py").read_text())), package


@pytest.mark.parametrize(
    "module",
    [
        "envs.scenario",
        "envs.simulator",
        "agents.routers",
        "agents.config",
        "report.config",
        "configs.schema",
        "configs.command",
    ],
)
def test_importing_costs_no_heavy_library(module: str) -> None:
    program = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert not HEAVY & set(result.stdout.split())
