"""Trials of a study: complete ones are kept, interrupted ones are done again, others' settings are refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.config import AlgorithmConfig, MixerConfig
from agents.policy import POLICY_FILE
from agents.run.metrics_file import read_metrics
from agents.study import (
    ConvergenceConfig,
    Outcome,
    Trial,
    TrialOptions,
    convergence_trials,
    run_trial,
    run_trials,
)
from envs.config import ConfigError, EnvironmentConfig, TaskConfig
from envs.constellation import CONSTELLATIONS
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.scenario import Scenario

SCENARIO = Scenario(
    CONSTELLATIONS["iridium_star"],
    EbN0Link(),
    DayConfig(n_slots=60, training_slots=2, validation_slots=1, test_slots=2),
    TaskConfig(n_tasks=2),
    EnvironmentConfig(),
)
ALGORITHM = AlgorithmConfig(
    mixer=MixerConfig(width=4),
    iterations=3,
    worlds_per_rollout=4,
    updates_per_rollout=1,
    batch_episodes=4,
    replay_episodes=8,
    warmup_episodes=4,
)
OPTIONS = TrialOptions(validation_every=2, validation_worlds=4, test_worlds=4)


def test_a_complete_trial_is_kept_and_gives_the_same_outcome_again(tmp_path: Path) -> None:
    trial = Trial("a", SCENARIO, ALGORITHM, seed=3)
    outcome = run_trial(trial, tmp_path, OPTIONS)
    folder = trial.folder(tmp_path)
    rows = read_metrics(folder / "metrics.csv")
    assert [row["iteration"] for row in rows] == [1, 2, 3]
    assert [("validation_ratio" in row) for row in rows] == [False, True, True]
    assert outcome.iteration in (2, 3)
    assert (folder / POLICY_FILE).exists()
    written = (folder / POLICY_FILE).stat().st_mtime_ns
    assert run_trial(trial, tmp_path, OPTIONS) == outcome
    assert (folder / POLICY_FILE).stat().st_mtime_ns == written
    assert run_trial(trial, tmp_path / "elsewhere", OPTIONS) == outcome, "a trial follows from its settings"


def test_the_settings_name_what_a_run_names() -> None:
    """So that `evaluate.py policy=<trial>` knows the constellation and the link that the policy was trained on."""
    settings = Trial("a", SCENARIO, ALGORITHM, seed=3).settings()
    assert (settings["constellation"]["kind"], settings["link"]["model"]) == ("walker", "eb_n0")


def test_an_interrupted_trial_is_done_again(tmp_path: Path) -> None:
    trial = Trial("a", SCENARIO, ALGORITHM, seed=3)
    outcome = run_trial(trial, tmp_path, OPTIONS)
    (trial.folder(tmp_path) / "outcome.json").unlink()
    assert run_trial(trial, tmp_path, OPTIONS) == outcome


def test_other_settings_under_the_same_name_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    trial = Trial("a", SCENARIO, ALGORITHM, seed=3)
    run_trial(trial, tmp_path, OPTIONS)
    other = replace(trial, algorithm=replace(ALGORITHM, gamma=0.9))
    new = Trial("b", SCENARIO, ALGORITHM, seed=3)
    with pytest.raises(ConfigError, match="other settings"):
        list(run_trials([new, other], tmp_path, OPTIONS))
    assert not new.folder(tmp_path).exists()


@pytest.mark.slow
def test_processes_side_by_side_change_nothing(tmp_path: Path) -> None:
    trials = [Trial("a", SCENARIO, ALGORITHM, seed) for seed in (0, 1)]
    together: dict[Trial, Outcome] = dict(run_trials(trials, tmp_path / "two", OPTIONS, workers=2))
    assert together == {trial: run_trial(trial, tmp_path / "one", OPTIONS) for trial in trials}


def test_convergence_varies_networks_and_packet_sizes() -> None:
    config = ConvergenceConfig(
        constellations=("walker_12x24", "iridium_star"), size_factors=(0.5, 2.0), seeds=(0, 7)
    )
    trials = convergence_trials(SCENARIO, ALGORITHM, config)
    assert len({(trial.name, trial.seed) for trial in trials}) == 8
    half = next(trial for trial in trials if trial.name == "walker_12x24-x0.5")
    assert half.scenario.constellation is CONSTELLATIONS["walker_12x24"]
    assert half.scenario.task.data_mbit == (10.0, 100.0)
    with pytest.raises(ConfigError, match=r"convergence\.constellations"):
        ConvergenceConfig(constellations=("walker",))
