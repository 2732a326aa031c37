"""`python -m agents.export` and `python evaluate.py policy=EXPORT`, on a tiny run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

import evaluate
from agents.config import UtilityKind
from agents.export.__main__ import main
from agents.export.onboard import MANIFEST, OnboardPolicy
from agents.export.provenance import Provenance
from agents.policy import POLICY_FILE
from agents.routers import ROUTERS
from agents.run.checkpoint import write_checkpoint
from agents.run.code_version import code_version
from envs.config import LoadView
from tests.agents.export.conftest import CONFIG, tiny_policy


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a finished run, in the folder the commands are called in."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "a-run"
    folder.mkdir(parents=True)
    tiny_policy(UtilityKind.direction_shared, LoadView.announced).save(folder / POLICY_FILE)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"training": {"seed": 4}}))
    (folder / "metrics.csv").write_text(
        "iteration,return,validation_delay_s,validation_ratio\n10,-3,5.0,1.2\n20,-2,4.0,1.1\n30,-2,4.5,1.15\n31,-1,,\n"
    )
    return folder


def call(monkeypatch: pytest.MonkeyPatch, command, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["command", *arguments])
    try:
        command()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.mark.usefixtures("quick_export")
def test_a_run_is_exported_and_flown_by_evaluate(run: Path, monkeypatch, capsys):
    assert call(monkeypatch, main, "runs/a-run") == 0
    printed = capsys.readouterr().out
    assert "exported to runs/a-run/export" in printed and "same actions as torch in all of" in printed
    training = json.loads((run / "export" / MANIFEST).read_text())["training"]
    assert (training["seed"], training["iterations"]) == (4, 31)
    assert training["validation"] == {"iteration": 20, "validation_delay_s": 4.0, "validation_ratio": 1.1}

    few = ("evaluation.worlds=4", "task.n_tasks=2")
    monkeypatch.setattr(evaluate, "ROUTERS", {"dijkstra": ROUTERS["dijkstra"]})
    results = {}
    for policy, name, folder in (
        ("runs/a-run", "learned", "a-run"),
        ("runs/a-run/policy.safetensors", "learned", "a-run"),
        ("runs/a-run/export", "flown", "export_evaluation"),
        ("runs/a-run/export/policy.onnx", "flown", "export_policy_evaluation"),
        ("runs/a-run/export/policy.int8.onnx", "flown_int8", "export_policy.int8_evaluation"),
        ("runs/a-run/export/policy.safetensors", "learned", "export_policy_evaluation"),
    ):
        assert call(monkeypatch, evaluate.main, f"policy={policy}", *few) == 0, capsys.readouterr().err
        place = run if folder == "a-run" else run / folder
        stored = json.loads((place / "evaluation.json").read_text())
        assert stored["worlds"]["constellation"] == "walker_6x8", (
            "that of the run, by the export's own configuration"
        )
        results[policy] = {row["router"]: row["mean_delay_s"] for row in stored["routers"]}[name]
    learned, _, flown, again, int8, weights = results.values()
    assert learned == flown == again == weights
    assert int8 == pytest.approx(learned, rel=0.2)
    assert not list((run / "export").glob("evaluation*")), "an export stays what it was"


@pytest.mark.usefixtures("quick_export")
def test_out_names_another_folder(run: Path, monkeypatch):
    assert call(monkeypatch, main, "runs/a-run", "--out", "satellite/seven") == 0
    assert not (run / "export").exists()
    OnboardPolicy(Path("satellite/seven"))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda run: (run / "config.yaml").unlink(), ("runs/a-run", "no config.yaml")),
        (lambda run: (run / "config.yaml").write_text("task: [1,"), ("config.yaml", "damaged")),
        (lambda run: (run / "config.yaml").write_text("task: {}"), ("config.yaml", "damaged")),
        (lambda run: (run / POLICY_FILE).unlink(), (POLICY_FILE, "train.py")),
        (lambda run: (run / "export").mkdir(), ("export", "not an export")),
    ],
)
def test_what_cannot_be_exported_is_one_line(damage, words, run: Path, monkeypatch, capsys):
    damage(run)
    assert call(monkeypatch, main, "runs/a-run") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1
    assert all(word in printed.err for word in words), printed.err


def test_a_broken_export_is_one_line(run: Path, export_folder: Path, monkeypatch, capsys):
    (run / "export").mkdir()
    for path in export_folder.iterdir():
        (run / "export" / path.name).write_bytes(path.read_bytes())
    (run / "export" / "policy.onnx").write_bytes(b"nothing")
    assert call(monkeypatch, evaluate.main, "policy=runs/a-run/export") == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and "SHA-256" in err and err.count("\n") == 1


def test_provenance_without_metrics_says_so(tmp_path: Path):
    provenance = Provenance.of(tmp_path, CONFIG)
    assert (provenance.iterations, provenance.validation, provenance.code) == (None, None, None)
    checkpoint = tmp_path / "checkpoints" / "000010"
    checkpoint.mkdir(parents=True)
    write_checkpoint(checkpoint, {"iteration": 10})
    assert Provenance.of(tmp_path, CONFIG).code == code_version()
    (checkpoint / "index.json").write_text("{}")
    assert Provenance.of(tmp_path, CONFIG).code is None
