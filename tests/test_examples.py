"""The examples run, briefly; what they learn is not judged here."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.mark.slow
def test_an_outside_library_trains_on_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sb3_contrib", reason="needs the extra `examples`")
    spec = importlib.util.spec_from_file_location("maskable_ppo", EXAMPLES / "maskable_ppo.py")
    assert spec is not None and spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    ratios = example.main(["--updates", "2", "--worlds", "2", "--tasks", "2", "--test-worlds", "3"])
    assert ratios["best_response"] == 1 and ratios["maskable_ppo"] > 0
    assert "maskable_ppo" in capsys.readouterr().out
