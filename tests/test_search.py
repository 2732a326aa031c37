"""The search for settings: its space is checked before anything starts, its trials are runs, and it can go on."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir

import search
import train
from agents.run.metrics_file import MetricsFile, read_metrics
from agents.search import Choice, EarlyStop, Range, SearchSpace
from configs import CONFIG_DIR
from configs.convert import keys_of, to_dataclass, to_plain
from configs.schema import TrainConfig
from configs.space import changed, load_space
from envs.config import ConfigError

REPOSITORY = CONFIG_DIR.parent
SWEEPS = sorted((CONFIG_DIR / "sweep").glob("*.yaml"))
SWEEP = {
    "method": "random",
    "metric": {"name": "validation_ratio", "goal": "minimize"},
    "run_cap": 4,
    "early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 2},
    "parameters": {
        "algorithm.learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2},
        "algorithm.mixer.kind": {"values": ["vdn", "set"]},
        "algorithm.updates_per_rollout": {"min": 1, "max": 3},
        "algorithm.gamma": {"min": 0.9, "max": 1.0},
        "task.n_tasks": {"value": 3},
    },
}


def config_of(*overrides: str) -> TrainConfig:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return to_dataclass(TrainConfig, compose("train", ["experiment=search", *overrides]))


def with_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    return SWEEP | {"parameters": parameters}


def test_a_space_is_read_and_drawn_from_within_its_bounds() -> None:
    space = SearchSpace.from_sweep(SWEEP, "a sweep")
    assert space.early_stop == EarlyStop(1, 2)
    assert space.parameters["algorithm.updates_per_rollout"] == Range(1, 3, whole=True)
    assert space.parameters["task.n_tasks"] == Choice((3,))
    trials = space.draw(400, seed=1)
    assert list(trials)[:2] == ["trial-000", "trial-001"] and len(trials) == 400
    drawn = {name: [trial[name] for trial in trials.values()] for name in SWEEP["parameters"]}
    assert all(1e-4 <= rate <= 1e-2 for rate in drawn["algorithm.learning_rate"])
    assert 150 < sum(rate < 1e-3 for rate in drawn["algorithm.learning_rate"]) < 250, (
        "uniform in its logarithm"
    )
    assert set(drawn["algorithm.mixer.kind"]) == {"vdn", "set"}
    assert set(drawn["algorithm.updates_per_rollout"]) == {1, 2, 3}
    assert all(0.9 <= gamma <= 1 for gamma in drawn["algorithm.gamma"])
    assert set(drawn["task.n_tasks"]) == {3}
    assert space.draw(400, seed=1) == trials != space.draw(400, seed=2)
    assert len(space.draw(None, seed=1)) == 4
    assert list(space.draw(7, seed=1).values()) == list(trials.values())[:7], (
        "more trials are the same and more"
    )


def test_a_grid_has_every_combination() -> None:
    grid = {"algorithm.gamma": {"values": [0.9, 1.0]}, "training.seed": {"values": [0, 1, 2]}}
    space = SearchSpace.from_sweep(with_parameters(grid) | {"method": "grid", "run_cap": None}, "a grid")
    assert [tuple(trial.values()) for trial in space.draw(None, seed=0).values()] == [
        (gamma, seed) for gamma in (0.9, 1.0) for seed in (0, 1, 2)
    ]


@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda path: path.stem)
def test_the_sweeps_that_come_along_fit_our_schema_and_weights_and_biases(sweep: Path) -> None:
    content = yaml.safe_load(sweep.read_text())
    assert set(content["parameters"]) <= set(keys_of(TrainConfig))
    space = load_space(config_of(f"search.space={sweep.stem}"))
    base = to_plain(config_of())
    for settings in space.draw(20, seed=0).values():
        changed(base, settings)
    # What `wandb sweep` needs besides, and what its agent then runs.
    assert (REPOSITORY / content["program"]).is_file()
    assert content["command"][:3] == ["${env}", "${interpreter}", "${program}"]
    own = [word for word in content["command"][3:] if not word.startswith("${")]
    assert own == ["tracking=wandb"] and "${args_no_hyphens}" in content["command"]
    assert config_of(*own).tracking.service == "wandb"


@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda path: path.stem)
def test_the_sweeps_that_come_along_are_valid_by_the_schema_of_weights_and_biases(sweep: Path) -> None:
    config = pytest.importorskip("sweeps.config", reason="pip install sweeps: the schema of Weights & Biases")
    from wandb.sdk.launch.sweeps.utils import load_sweep_config

    content = load_sweep_config(str(sweep))
    assert content is not None and config.schema_violations_from_proposed_config(content) == []
    config.SweepConfig(content)


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        ([1, 2], "is not a sweep: it has no `parameters`"),
        ({"parameters": {}} | {"method": "random"}, "metric must have name validation_ratio"),
        (with_parameters({}), "nothing to search"),
        (SWEEP | {"method": "bayes"}, "method='bayes' is not possible: random or grid"),
        (SWEEP | {"method": "grid"}, "a grid needs `values`"),
        (SWEEP | {"metric": {"name": "loss", "goal": "minimize"}}, "metric must have name validation_ratio"),
        (SWEEP | {"run_cap": 0}, "run_cap=0"),
        (SWEEP | {"early_terminate": {"type": "median"}}, "type hyperband"),
        (SWEEP | {"controller": {}}, "controller is not read"),
        (with_parameters({"algorithm.gamma": 1}), "algorithm.gamma=1 is not possible: give it value, values"),
        (with_parameters({"algorithm.gamma": {"min": 1.0, "max": 0.5}}), "min=1.0 must be below max=0.5"),
        (
            with_parameters({"algorithm.gamma": {"distribution": "normal", "min": 0.5, "max": 1.0}}),
            "distribution='normal' is not possible: one of uniform, int_uniform, log_uniform_values",
        ),
        (with_parameters({"algorithm.gama": {"value": 1}}), "did you mean algorithm.gamma?"),
        (
            with_parameters({"algorithm.gamma": {"min": 0.5, "max": 2.0}}),
            "algorithm.gamma=2.0 is not possible",
        ),
        (with_parameters({"algorithm.mixer.kind": {"values": ["vdn", "sum"]}}), "algorithm.mixer.kind='sum'"),
        (with_parameters({"algorithm.iterations": {"value": 5}}), "algorithm.iterations cannot be searched"),
        (with_parameters({"cluster.learners": {"value": 5}}), "cluster.learners cannot be searched"),
        (with_parameters({"link.colour": {"value": 5}}), "link has"),
    ],
)
def test_an_impossible_space_is_one_line(tmp_path: Path, sweep: Any, words: str) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(yaml.safe_dump(sweep))
    with pytest.raises(ConfigError) as error:
        load_space(config_of(f"search.space={file}"))
    assert words in str(error.value) and "space.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_space_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"search.space='defalt' is not possible: one of default, mixers"):
        load_space(config_of("search.space=defalt"))


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs trial-007 as its process would, with a training that notes its configuration: -> (reports, trained)."""
    base = to_plain(config_of(f"folder={tmp_path}", "job=run", "algorithm.iterations=9"))
    trained: list[TrainConfig] = []
    monkeypatch.setattr(train, "train", lambda config, console, on_metrics: trained.append(config))

    def run(*ended: str) -> tuple[list[int], list[TrainConfig]]:
        reports: list[int] = []
        settings = {"algorithm.gamma": 0.5}
        search._train_trial(
            base,
            frozenset(ended),
            "trial-007",
            settings,
            lambda iteration, metrics: reports.append(iteration),
        )
        return reports, trained

    return run


def began(folder: Path, rows: int, checkpoint: int | None) -> Path:
    """A run folder of trial-007 with so many rows of metrics and a checkpoint."""
    run = folder / "2026-01-01_00-00-00-trial-007"
    (run / "checkpoints").mkdir(parents=True)
    metrics = MetricsFile(run / "metrics.csv")
    for iteration in range(1, rows + 1):
        metrics.append(iteration, {"validation_ratio": 1.5})
    if checkpoint is not None:
        (run / "checkpoints" / f"{checkpoint:06d}").mkdir()
    return run


def test_a_trial_begins_with_its_settings_and_its_name(trial) -> None:
    reports, (config,) = trial()
    assert (reports, config.name, config.algorithm.gamma, config.resume) == ([], "trial-007", 0.5, None)


def test_a_trial_goes_on_from_its_checkpoint_and_reports_what_came_before_again(
    trial, tmp_path: Path
) -> None:
    run = began(tmp_path, rows=5, checkpoint=4)
    reports, (config,) = trial()
    assert reports == [1, 2, 3, 4]
    assert (config.resume, config.algorithm.gamma) == (str(run), 0.5)


def test_an_ended_trial_reports_all_again_and_trains_no_more(trial, tmp_path: Path) -> None:
    began(tmp_path, rows=5, checkpoint=4)
    assert trial("trial-007") == ([1, 2, 3, 4, 5], [])


def test_a_trial_that_came_to_no_checkpoint_begins_anew(trial, tmp_path: Path) -> None:
    run = began(tmp_path, rows=2, checkpoint=None)
    reports, (config,) = trial()
    assert (reports, config.resume, run.exists()) == ([], None, False)


TINY = (
    "experiment=search",
    "constellation=iridium_star",
    "day=short",
    "task.n_tasks=2",
    "algorithm.iterations=6",
    "algorithm.worlds_per_rollout=4",
    "algorithm.updates_per_rollout=1",
    "algorithm.batch_episodes=4",
    "algorithm.replay_episodes=16",
    "algorithm.warmup_episodes=4",
    "algorithm.utility.width=8",
    "training.validation_every=1",
    "training.validation_worlds=4",
    "training.checkpoint_every=2",
    "search.space=space.yaml",
    "search.trials=3",
)


def start(folder: Path, *overrides: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / "train.py"), *overrides],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "160"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_search_is_interrupted_resumed_and_names_the_best_run(tmp_path: Path) -> None:
    rates = {"algorithm.learning_rate": {"values": [1e-4, 1e-3]}, "algorithm.mixer.kind": {"values": ["vdn"]}}
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(with_parameters(rates)))
    process = start(tmp_path, *TINY, "search.concurrent=1", "algorithm.iterations=40")
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("runs/latest/trials/*-trial-000/checkpoints/000002")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 130, err
    folder = (tmp_path / "runs" / "latest").resolve()
    assert f"python train.py resume=runs/{folder.name}" in out

    (tmp_path / "space.yaml").unlink()  # the search has its own copy
    process = start(tmp_path, f"resume=runs/{folder.name}")
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, out + err
    ended = json.loads((folder / "ended.json").read_text())
    assert ended == dict.fromkeys(["trial-000", "trial-001", "trial-002"])
    with open(folder / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["trial"] for row in rows) == sorted(ended)
    ratios = [float(row["validation_ratio"]) for row in rows]
    assert ratios == sorted(ratios)
    for row in rows:
        run = folder / "trials" / row["folder"]
        stored = yaml.safe_load((run / "config.yaml").read_text())
        assert stored["algorithm"]["learning_rate"] == float(row["algorithm.learning_rate"])
        metrics = read_metrics(run / "metrics.csv")
        assert [one["iteration"] for one in metrics] == list(range(1, len(metrics) + 1))
        assert min(one["validation_ratio"] for one in metrics) == float(row["validation_ratio"])
        assert (row["ended"] == "complete") == (len(metrics) == 40)
    assert (folder / "best").resolve().name == rows[0]["folder"]
    assert re.search(r"evaluate\.py policy=runs/\S+/best", out)


@pytest.mark.slow
def test_a_trial_that_fails_is_in_the_table_and_stops_no_other(tmp_path: Path) -> None:
    # Each value is possible by itself, the two together are not: only a trial can tell.
    clash = {"algorithm.replay_episodes": {"values": [4, 16]}, "algorithm.batch_episodes": {"values": [4, 8]}}
    sweep = with_parameters(clash) | {"method": "grid", "run_cap": None}
    sweep.pop("early_terminate")
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(sweep))
    process = start(tmp_path, *TINY, "search.trials=null", "algorithm.iterations=2")
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, out + err
    with open(tmp_path / "runs" / "latest" / "results.csv", newline="") as file:
        ended = {row["trial"]: row["ended"] for row in csv.DictReader(file)}
    failed = [how for how in ended.values() if how.startswith("failed: ")]
    assert len(failed) == 1 and "algorithm.batch_episodes=8" in failed[0], ended
    assert sorted(set(ended.values()) - set(failed)) == ["complete"]


@pytest.mark.slow
def test_multirun_gives_every_job_a_run_folder_of_its_own(tmp_path: Path) -> None:
    tiny = [word for word in TINY if not word.startswith(("search.", "experiment"))]
    process = start(
        tmp_path, "-m", *tiny, "algorithm.iterations=2", "evaluation.worlds=2", "training.seed=0,1"
    )
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, out + err
    runs = [
        path
        for path in (tmp_path / "runs").iterdir()
        if (path / "config.yaml").exists() and not path.is_symlink()
    ]
    seeds = [yaml.safe_load((run / "config.yaml").read_text())["training"]["seed"] for run in runs]
    assert sorted(seeds) == [0, 1]
    assert all((run / "evaluation.json").exists() for run in runs)
