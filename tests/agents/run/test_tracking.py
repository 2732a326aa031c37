"""What a tracked run tells Weights & Biases, read back from the files that it writes without a network."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

import agents.run.wandb_tracker as wandb_tracker
from agents.run.tracking import (
    TRACKERS,
    TRACKING_FILE,
    NoTracker,
    TrackingConfig,
    open_tracker,
    reopen_tracker,
    track_results,
)
from envs.config import ConfigError
from tests.agents.run.wandb_files import config, history, records

WANDB = TrackingConfig(service="wandb", project="orbits")
SETTINGS = {"task": {"n_tasks": 8}, "training": {"seed": 3}}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's folder on a machine that has neither an account nor a network."""
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # no ~/.netrc
    monkeypatch.setenv("NETRC", str(tmp_path / "home" / "netrc"))
    run = tmp_path / "2026-01-01_00-00-00-smoke"
    run.mkdir()
    (run / "config.yaml").write_text("task: {n_tasks: 8}\n")
    (run / "policy.safetensors").write_bytes(b"weights")
    return run


def evaluated(run: Path) -> None:
    """What an evaluation leaves in a run's folder."""
    from matplotlib.figure import Figure

    Figure(figsize=(1, 1)).savefig(run / "evaluation.png")
    (run / "figures").mkdir()
    Figure(figsize=(1, 1)).savefig(run / "figures" / "training.png")
    (run / "evaluation.csv").write_text("router,mean_delay_s,hops\nlearned,4.5,\ndijkstra,6.25,11\n")
    (run / "metrics.csv").write_text("iteration,loss\n1,2\n")


def artifacts(run: Path) -> list:
    found = [
        record.request.log_artifact.artifact
        for record in records(run)
        if record.request.HasField("log_artifact")
    ]
    return found + [record.artifact for record in records(run) if record.HasField("artifact")]


def test_every_service_has_a_tracker() -> None:
    assert set(TRACKERS) == {"none", "wandb"}


def test_none_writes_nothing(run: Path) -> None:
    before = sorted(run.iterdir())
    with closing(open_tracker(TrackingConfig(), run, {})) as tracker:
        tracker.log(1, {"return": 1.0})
        tracker.policy(run / "policy.safetensors", 1, {})
    track_results(run, run, {})
    assert isinstance(reopen_tracker(run), NoTracker)
    assert sorted(run.iterdir()) == before


@pytest.mark.slow
def test_without_an_account_all_of_a_run_is_in_its_folder(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    with closing(open_tracker(WANDB, run, SETTINGS, said.append)) as tracker:
        tracker.log(1, {"return": -7.0})
        tracker.policy(run / "policy.safetensors", 1, {"validation_ratio": 1.25})
        tracker.log(2, {"return": -6.0})
    assert len(said) == 1 and "no API key" in said[0] and "wandb sync" in said[0]
    with closing(open_tracker(WANDB, run, SETTINGS, said.append)) as tracker:  # resumed from iteration 1
        tracker.log(2, {"return": -6.0})
        tracker.log(3, {"return": -5.0})
    evaluated(run)
    track_results(run, run, {"evaluation/mean_delay_s": 4.5}, said.append)  # a process of its own

    assert len(list(run.glob("wandb/offline-run-*"))) == 3
    begun = [record.run for record in records(run) if record.HasField("run")]
    assert {one.run_id for one in begun} == {run.name} and {one.project for one in begun} == {"orbits"}
    assert config(run)["task"] == {"n_tasks": 8} and config(run)["training"] == {"seed": 3}

    rows = history(run)
    assert [(row["iteration"], row["return"]) for row in rows if "return" in row] == [
        (1, -7),
        (2, -6),
        (2, -6),
        (3, -5),
    ]
    assert [row["_step"] for row in rows] == [0, 1, 2, 3, 4], "no step twice, whoever logs"
    (shown,) = [row for row in rows if "evaluation" in row]
    assert (
        shown["iteration"] == 3
        and shown["evaluation"]["_type"] == "image-file"
        and shown["figures/training"]["_type"] == "image-file"
    )
    (table,) = run.glob("wandb/offline-run-*/files/media/table/evaluation_table*.json")
    assert json.loads(table.read_text()) == {
        "columns": ["router", "mean_delay_s", "hops"],
        "data": [["learned", 4.5, None], ["dijkstra", 6.25, 11.0]],
    }
    summary = {
        (item.key or "/".join(item.nested_key)): item.value_json
        for record in records(run)
        if record.HasField("summary")
        for item in record.summary.update
    }
    assert summary["evaluation/mean_delay_s"] == "4.5"

    models = [artifact for artifact in artifacts(run) if artifact.type == "model"]
    assert models and {artifact.name for artifact in models} == {f"{run.name}-policy"}
    (model,) = {artifact.SerializeToString(): artifact for artifact in models}.values()
    assert set(model.aliases) == {"latest", "best", "iteration-1"}
    assert json.loads(model.metadata) == {"iteration": 1, "validation_ratio": 1.25}
    assert {entry.path for entry in model.manifest.contents} == {"policy.safetensors", "config.yaml"}
    assert capsys.readouterr().out == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bs_marl", "spaceverse", "joint"])
def test_an_experiment_becomes_tables_figures_and_an_artifact(run: Path, name: str) -> None:
    with closing(open_tracker(WANDB, run, SETTINGS, lambda line: None)) as tracker:
        tracker.log(1, {"return": -7.0})
    folder = run / name
    folder.mkdir()
    (folder / f"{name}.json").write_text('{"headline": "less"}')
    (folder / "schemes.csv").write_text("scheme,delay_s,note\ngate,4.5,\nboth,,cannot be met\n")
    Image.new("RGB", (8, 8)).save(folder / "schemes.png")
    track_results(run, folder, {}, lambda line: None)
    (shown,) = [row for row in history(run) if f"{name}/schemes" in row]
    assert shown[f"{name}/schemes"]["_type"] == "image-file"
    (table,) = run.glob(f"wandb/offline-run-*/files/media/table/{name}/schemes_table*.json")
    assert json.loads(table.read_text())["data"] == [["gate", 4.5, None], ["both", None, "cannot be met"]]
    found = {artifact.name: artifact for artifact in artifacts(run)}
    stored = found[f"{run.name}-{name}-results"]
    assert stored.type == "results" and {entry.path for entry in stored.manifest.contents} == {f"{name}.json"}


@pytest.mark.slow
def test_an_export_and_a_report_become_artifacts(run: Path) -> None:
    with closing(open_tracker(WANDB, run, SETTINGS, lambda line: None)) as tracker:
        tracker.log(1, {"return": -7.0})
    (run / "export").mkdir()
    (run / "export" / "policy.onnx").write_bytes(b"graph")
    (run / "joint").mkdir()
    (run / "joint" / "joint.html").write_text("<html></html>")
    track_results(run, run / "joint", {}, lambda line: None)
    (run / "report.html").write_text("<html></html>")
    track_results(run, run, {}, lambda line: None)
    found = {artifact.name: artifact for artifact in artifacts(run)}
    assert found[f"{run.name}-export"].type == "export"
    assert {entry.path for entry in found[f"{run.name}-export"].manifest.contents} == {"policy.onnx"}
    assert found[f"{run.name}-joint-report"].type == found[f"{run.name}-report"].type == "report"


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_one_line_and_training_goes_on(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setattr(wandb_tracker, "INIT_TIMEOUT_S", 1.0)
    said: list[str] = []
    with closing(open_tracker(WANDB, run, SETTINGS, said.append)) as tracker:
        tracker.log(1, {"return": -7.0})
    assert len(said) == 1 and said[0].startswith("wandb: no connection") and "\n" not in said[0]
    assert [row["return"] for row in history(run)] == [-7.0]


@pytest.mark.slow
def test_disabled_writes_nothing_and_says_nothing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    said: list[str] = []
    evaluated(run)
    with closing(open_tracker(WANDB, run, SETTINGS, said.append)) as tracker:
        tracker.log(1, {"return": -7.0})
        tracker.policy(run / "policy.safetensors", 1, {})
    track_results(run, run, {"evaluation/mean_delay_s": 4.5}, said.append)
    assert said == [] and not list(run.rglob("*.wandb"))


@pytest.mark.slow
def test_trouble_later_on_is_said_once_and_stops_nothing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    said: list[str] = []
    tracker = open_tracker(WANDB, run, SETTINGS, said.append)

    def fails(*args, **kwargs):
        raise OSError("No space left on device\nand more")

    wandb_run = tracker._run  # pyright: ignore[reportAttributeAccessIssue]
    for name in ("log", "log_artifact"):
        monkeypatch.setattr(wandb_run, name, fails)
    tracker.log(1, {"return": -7.0})
    tracker.policy(run / "policy.safetensors", 1, {})
    tracker.close()
    assert said == ["wandb: No space left on device; the run goes on, its folder has everything"]


def test_a_damaged_state_is_one_clear_error(run: Path) -> None:
    for content in ("", "{", '{"service": "wanda", "project": "leomix", "id": "a"}'):
        (run / TRACKING_FILE).write_text(content)
        for open_again in (reopen_tracker, lambda run: open_tracker(TrackingConfig("wandb"), run, {})):
            with pytest.raises(ConfigError, match=r"tracking\.json is damaged: delete it"):
                open_again(run)
