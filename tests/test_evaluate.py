"""The command `python evaluate.py`, on few worlds of a small constellation."""

import json
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

import evaluate
from agents.config import UtilityConfig
from agents.networks import build_utility
from agents.policy import POLICY_FILE, Policy
from agents.protocol import EnvironmentSpec
from agents.routers import ROUTERS
from configs.convert import to_plain
from configs.schema import EvaluateConfig, EvaluationConfig, Show
from envs.constellation import CONSTELLATIONS
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.observation_layout import ObservationLayout
from envs.routing_game import RoutingGame
from offload.experiments import bs_marl

SMALL = EvaluateConfig(
    constellation=CONSTELLATIONS["iridium_star"],
    link=EbN0Link(),
    day=DayConfig(n_slots=60, training_slots=2, validation_slots=1, test_slots=2),
    evaluation=EvaluationConfig(worlds=6, seed=5),
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a finished run with an untrained policy, in the folder the command is called in."""
    monkeypatch.chdir(tmp_path)
    scenario = SMALL.scenario
    game = RoutingGame(scenario.ephemeris("training"), scenario.task, scenario.environment, 1)
    spec, config = EnvironmentSpec.of(game), UtilityConfig(width=8)
    layout = ObservationLayout.of(scenario.environment.loads)
    folder = tmp_path / "runs" / "a-run"
    folder.mkdir(parents=True)
    Policy(build_utility(spec, config), config, spec, layout.name).save(folder / POLICY_FILE)
    OmegaConf.save(to_plain(SMALL), folder / "config.yaml")
    return folder


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the command with overrides: (status, stdout, stderr)."""

    def call(*overrides: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["evaluate.py", *overrides])
        status = 0
        try:
            evaluate.main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


def test_a_policy_is_compared_with_every_router(run: Path, call):
    status, out, _ = call("policy=runs/a-run")
    assert status == 0
    stored = json.loads((run / "evaluation.json").read_text())
    assert {row["router"] for row in stored["routers"]} == {"learned", *ROUTERS}
    assert all(name in out for name in ("learned", *ROUTERS)), "the whole table fits an 80-column screen"
    assert stored["worlds"]["constellation"] == "iridium_star"
    assert (stored["worlds"]["n_worlds"], stored["worlds"]["n_tasks"]) == (6, 8)
    slots, split = stored["worlds"]["slots"], SMALL.day.split()
    assert slots == split.test.tolist()
    assert not set(slots) & {*split.training.tolist(), *split.validation.tolist()}
    assert stored["config"]["task"] == to_plain(SMALL.task)
    assert (run / "evaluation.csv").is_file() and (run / "evaluation.png").is_file()


def test_elsewhere_and_under_another_load_without_training(run: Path, call):
    small = ("planes=6", "satellites_per_plane=8", "phasing=1")
    there = ("constellation=walker_12x24", *(f"constellation.{value}" for value in small))
    status, _, _ = call("policy=runs/a-run", *there, "task.n_tasks=3")
    assert status == 0
    stored = json.loads((run / "evaluation.json").read_text())
    assert (stored["worlds"]["n_satellites"], stored["worlds"]["n_tasks"]) == (48, 3)
    assert stored["config"]["constellation"]["planes"] == 6


def test_same_command_same_figures(run: Path, call):
    def figures():
        assert call("policy=runs/a-run")[0] == 0
        rows = json.loads((run / "evaluation.json").read_text())["routers"]
        return [{key: row[key] for key in row if key != "seconds_per_decision"} for row in rows]

    assert figures() == figures()


def test_without_a_policy_the_other_routers_are_compared(tmp_path: Path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = ("constellation=iridium_star", "day=short", "evaluation.worlds=4", "task.n_tasks=2")
    assert call("policy=null", *small)[0] == 0
    stored = json.loads((tmp_path / evaluate.BASELINES_FOLDER / "evaluation.json").read_text())
    assert {row["router"] for row in stored["routers"]} == set(ROUTERS)


def test_the_shipped_policy_is_evaluated_when_none_is_named(tmp_path: Path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = ("constellation=iridium_star", "day=short", "evaluation.worlds=4", "task.n_tasks=2")
    assert call(*small)[0] == 0
    stored = json.loads((tmp_path / "runs" / "fleets" / "evaluation.json").read_text())
    assert {row["router"] for row in stored["routers"]} == {"learned", *ROUTERS}
    assert stored["worlds"]["n_tasks"] == 2, "the command line's scenario, not the one it was trained on"


def test_a_policy_trained_with_several_seeds_is_one_row(run: Path, call):
    status, out, _ = call("policy=runs/a-run", f"more_policies=[runs/a-run/{POLICY_FILE}]")
    assert status == 0
    assert "learned x2" in out
    stored = json.loads((run / "evaluation.json").read_text())
    row = next(row for row in stored["routers"] if row["router"] == "learned")
    assert (row["trainings"], len(stored["routers"])) == (2, len(ROUTERS) + 1)
    status, _, err = call("policy=null", "more_policies=[runs/a-run]")
    assert status == 2
    assert "more_policies" in err


def test_everything_that_can_be_shown_has_a_function():
    assert set(evaluate.SHOWS) == set(Show)


def test_the_experiments_of_the_paper_with_a_policy(run: Path, call, monkeypatch):
    monkeypatch.setattr(bs_marl, "ROUTERS", {"dijkstra": ROUTERS["dijkstra"]})
    (run / "metrics.csv").write_text("iteration,return\n1,-3.0\n2,-2.0\n")
    few = ("evaluation.worlds=2", "bs_marl.volumes_mbit=[100]", "bs_marl.computing_tops=[20]")
    status, out, _ = call(
        "policy=runs/a-run",
        "experiment=bs_marl",
        "task.n_tasks=2",
        "bs_marl.router=dijkstra",
        f"more_policies=[runs/a-run/{POLICY_FILE}]",
        *few,
    )
    assert status == 0
    stored = json.loads((run / "bs_marl" / "bs_marl.json").read_text())
    assert (stored["router"], stored["trainings"]) == ("learned", 2)
    assert {row["router"] for row in stored["results"]["schemes_by_router"]} == {"learned", "dijkstra"}
    assert "fig6_training" in stored["results"], "the policy's own run, if no others are named"
    assert "31.85%" in out


def test_a_report_holds_what_was_measured_of_a_policy(run: Path, call):
    (run / "metrics.csv").write_text("iteration,return\n1,-3.0\n2,-2.0\n")
    few = (
        "report=true",
        "evaluation.worlds=3",
        "task.n_tasks=2",
        "globe.worlds=1",
        "globe.contact_hours=0.5",
    )
    status, out, _ = call("policy=runs/a-run", *few)
    assert status == 0 and "runs/a-run/report.html" in out
    page = (run / "report.html").read_text("utf-8")
    for words in ("The policy (learned) takes", "iridium_star", "report=true", "Training", "a-run/policy"):
        assert words in page, words


def test_a_router_that_is_not_compared_is_refused_before_any_work(run: Path, call):
    status, out, err = call("policy=null", "report=true", "globe.left=learned", "constellation=iridium_star")
    assert (status, out) == (2, "")
    assert "globe.left='learned' is not possible: one of random" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda run: (run / "config.yaml").unlink(), ("runs/a-run", "config.yaml", "train.py")),
        (lambda run: (run / "config.yaml").write_text("task: [1,"), ("a-run/config.yaml", "damaged")),
        (lambda run: (run / POLICY_FILE).unlink(), (f"runs/a-run/{POLICY_FILE}", "train.py")),
        (lambda run: (run / POLICY_FILE).write_bytes(b"nothing"), (f"a-run/{POLICY_FILE}", "damaged")),
    ],
)
def test_a_broken_run_is_one_line_with_path_and_remedy(damage, words, run: Path, call):
    damage(run)
    status, out, err = call("policy=runs/a-run")
    assert (status, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1
    assert all(word in err for word in words), err


def test_too_many_tasks_for_the_constellation_are_refused_before_any_work(run: Path, call):
    status, _, err = call("policy=runs/a-run", "task.n_tasks=65")
    assert status == 2
    assert "task.n_tasks=65" in err and "iridium_star" in err and err.count("\n") == 1


@pytest.mark.slow
def test_the_experiments_of_spaceverse_write_their_tables_and_figures(
    call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    few = ["seeds=[0]", "samples=1200", "test_samples=30", "compression_samples=2", "satellites=2"]
    status, out, err = call("experiment=spaceverse", *(f"spaceverse.{word}" for word in few))
    assert (status, err) == (0, "")
    folder = tmp_path / "runs" / "fleets" / "spaceverse"
    assert json.loads((folder / "settings.json").read_text())["samples"] == 1200
    assert "headline" in json.loads((folder / "spaceverse.json").read_text())
    for number in (2, 3, 4, 9, 10, 11, 12):
        assert all((folder / f"fig{number}.{kind}").is_file() for kind in ("csv", "png", "svg"))
    assert "0.512" in out, "the paper's own claim stands beside ours"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("data=dota", "folder=nowhere"), ("nowhere", "DOTA")),
        (("share=2.0",), ("spaceverse.share", "0..1")),
        (("small=qwen:./nowhere",), ("nowhere", "folder")),
        (("tle=nowhere.tle",), ("nowhere.tle",)),
        (("onboard=toaster",), ("toaster", "xavier")),
    ],
)
def test_what_spaceverse_cannot_have_is_one_line(words, named, call):
    status, _, err = call("experiment=spaceverse", *(f"spaceverse.{word}" for word in words))
    assert status == 2 and err.startswith("error: ") and err.count("\n") == 1
    assert all(name in err for name in named), err


def test_test_slots_that_the_policy_was_trained_in_are_announced(run: Path, call):
    few = ("evaluation.worlds=2", "task.n_tasks=2")
    status, out, _ = call("policy=runs/a-run", *few)
    assert status == 0 and "warning" not in out
    status, out, _ = call("policy=runs/a-run", *few, "day.test_slots=3", "day.training_slots=1")
    stored = json.loads((run / "evaluation.json").read_text())["worlds"]
    day = DayConfig(n_slots=60, training_slots=1, validation_slots=1, test_slots=3)
    assert stored["slots_seen_in_training"] == day.seen_in(SMALL.day) != []
    assert out.startswith("warning: in 1 of the 3 test slots the policy was trained or chosen")
    status, out, _ = call(
        "policy=runs/a-run", *few, "day.test_slots=3", "day.training_slots=1", "constellation=walker_12x24"
    )
    assert "warning" not in out, "another constellation was never seen"


def test_failures_and_what_they_cut_off_are_part_of_the_report(run: Path, call):
    few = ("evaluation.worlds=3", "task.n_tasks=2", "failures=tenth", "failures.satellites=[4]")
    status, out, _ = call("policy=runs/a-run", *few, "environment.dead_ends=whole_way")
    assert status == 0 and "worlds are drawn among the others" in out
    stored = json.loads((run / "evaluation.json").read_text())
    assert stored["config"]["failures"]["satellites"] == [4]
    assert stored["worlds"]["connectivity"]["disconnected_pairs"] > 0
    assert {row["delivery"] for row in stored["routers"]} == {1.0}
