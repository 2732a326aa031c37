"""docs/extending.md, followed to the letter: its files are written to a folder and used as it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from agents.config import MixerConfig
from agents.mixers import build_mixer
from agents.protocol import EnvironmentSpec
from agents.routers import make_router
from envs.config import ConfigError, EnvironmentConfig, RewardConfig, TaskConfig
from envs.constellation import CONSTELLATIONS, Constellation
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.routing_game import RoutingGame
from envs.scenario import Scenario
from models.interface import ModelUnavailable
from models.sources import load_model
from offload.config import OffloadConfig, SearchConfig
from offload.experiments.sweeps import compared_schemes
from offload.schemes import make_scheme

REPOSITORY = Path(__file__).resolve().parents[1]
FILES = dict(
    re.findall(
        r"```(?:python|yaml)\n# (\S+)\n(.*?)```", (REPOSITORY / "docs/extending.md").read_text(), re.DOTALL
    )
)


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    day = DayConfig(n_slots=8, training_slots=2, validation_slots=1, test_slots=1)
    return Scenario(
        CONSTELLATIONS["iridium_star"], EbN0Link(), day, TaskConfig(n_tasks=2), EnvironmentConfig()
    )


@pytest.fixture(scope="module")
def ephemeris(scenario: Scenario):
    return scenario.ephemeris("training")


@pytest.fixture
def my_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the guide, known to Python."""
    folder = tmp_path / "my_work"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in [name for name in sys.modules if name.startswith("my_")]:
        del sys.modules[name]


def play(game: RoutingGame, seed: int) -> torch.Tensor:
    """Returns [E] of an episode in which everybody takes the first legal direction."""
    game.reset(seed)
    total = torch.zeros(game.n_worlds)
    while len(decisions := game.decisions()):
        total += game.step(decisions, decisions.legal.float().argmax(1)).team_reward
    return total


def test_the_guide_has_a_file_for_each_of_its_chapters() -> None:
    assert {name for name in FILES if name.endswith(".py")} == {
        f"my_{part}.py" for part in ("routers", "mixers", "rewards", "schemes", "models")
    }
    assert sum(name.endswith(".yaml") for name in FILES) == 5


def test_the_constellation_is_a_safe_one(my_work: Path) -> None:
    settings = yaml.safe_load((my_work / "conf/constellation/walker_20x20.yaml").read_text())
    distance_km, *_ = Constellation(**settings).closest_approach()
    assert distance_km == pytest.approx(352, abs=1)


def test_the_router_routes(my_work: Path, scenario: Scenario, ephemeris) -> None:
    worlds = scenario.worlds(ephemeris, 4, seed=1)
    router = make_router("my_routers:ShyRouter", "evaluation.routers")
    routes = router.route(ephemeris, worlds, scenario.environment)
    assert router.name == "shy" and routes.delivered.float().mean() > 0.5


def test_the_mixer_is_built_and_monotone(my_work: Path, scenario: Scenario, ephemeris) -> None:
    game = RoutingGame(ephemeris, scenario.task, scenario.environment, 3)
    game.reset(1)
    mixer = build_mixer(EnvironmentSpec.of(game), MixerConfig(kind="my_mixers:WeightedSum"))
    q = torch.randn(3, 4, requires_grad=True)
    acting = torch.ones(3, 4, dtype=torch.bool)
    mixer(q, torch.zeros(3, 4), acting, *game.state()).sum().backward()
    assert q.grad is not None and (q.grad > 0).all()


def test_the_reward_pays_what_it_says(my_work: Path, scenario: Scenario, ephemeris) -> None:
    def game(kind) -> RoutingGame:
        rules = replace(scenario.environment, reward=RewardConfig(kind=kind))
        return RoutingGame(ephemeris, scenario.task, rules, 5)

    plain, fair = game("telescoping"), game("my_rewards:Fair")
    difference = play(plain, 2) - play(fair, 2)
    delay_s = plain.simulator.delays().total_s
    torch.testing.assert_close(difference, delay_s.amax(1) - delay_s.mean(1), rtol=1e-4, atol=1e-4)


def test_the_scheme_is_compared(my_work: Path) -> None:
    settings = yaml.safe_load((my_work / "conf/experiment/thirds.yaml").read_text())["offload"]
    schemes = compared_schemes(OffloadConfig(schemes=tuple(settings["schemes"])))
    assert schemes[-1].name == "a_third" and len(schemes) > 4


def test_the_model_answers(my_work: Path) -> None:
    model = load_model("my_models:HalfSharp")
    assert model.fingerprint().startswith("half-sharp ")


def test_what_cannot_be_had_is_one_clear_error(my_work: Path, scenario: Scenario, ephemeris) -> None:
    game = RoutingGame(ephemeris, scenario.task, scenario.environment, 1)
    spec = EnvironmentSpec.of(game)
    (my_work / "my_broken.py").write_text("import nothing_of_this_name\n")
    for kind, words in {
        "my_mixrs:WeightedSum": "Python finds no module my_mixrs; is its folder in PYTHONPATH",
        "my_mixers:WeightedSom": "has no attribute 'WeightedSom'",
        "my_broken:Mixer": "my_broken needs nothing_of_this_name",
        "my_routers:ShyRouter": "a class derived from agents.mixers.Mixer",
    }.items():
        with pytest.raises(ConfigError, match=f"algorithm.mixer.kind='{kind}' is not possible: .*{words}"):
            build_mixer(spec, MixerConfig(kind=kind))
    with pytest.raises(ConfigError, match=r"router='shy' is not possible: one of random, .*, or module:name"):
        make_router("shy", "router")
    with pytest.raises(ConfigError, match=r"no name and no route\(\)"):
        make_router("builtins:dict", "router")
    with pytest.raises(ConfigError, match=r"no name and no decide\(\)"):
        make_scheme("builtins:repr", SearchConfig(), "scheme")
    with pytest.raises(ModelUnavailable, match="my_model:X"):
        load_model("my_model:X")


def command(my_work: Path, program: str, *words: str) -> str:
    """Run one of the guide's commands in a folder of its own; what it printed."""
    return run_python(
        my_work, str(REPOSITORY / program), "--config-dir", str(my_work / "conf"), *words
    ).stdout


def run_python(my_work: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": f"{REPOSITORY}{os.pathsep}{my_work}", "COLUMNS": "160"}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=my_work.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_the_commands_train_and_evaluate_with_the_users_parts(my_work: Path) -> None:
    short = ("algorithm.iterations=2", "algorithm.worlds_per_rollout=8", "algorithm.warmup_episodes=8")
    less = ("training.validation_every=2", "training.validation_worlds=4", "evaluation.worlds=2")
    printed = command(
        my_work, "train.py", "experiment=smoke", "algorithm=weighted", "environment=fair", *short, *less
    )
    assert "learned" in printed and "shy" not in printed
    stored = yaml.safe_load((my_work.parent / "runs/latest/config.yaml").read_text())
    assert stored["algorithm"]["mixer"]["kind"] == "my_mixers:WeightedSum"
    assert stored["environment"]["reward"]["kind"] == "my_rewards:Fair"
    printed = command(my_work, "evaluate.py", "policy=runs/latest", "experiment=shy", "evaluation.worlds=2")
    assert "learned" in printed and "shy" in printed


@pytest.mark.slow
def test_the_commands_fly_the_users_constellation(my_work: Path) -> None:
    printed = command(
        my_work, "evaluate.py", "constellation=walker_20x20", "day=short", "evaluation.worlds=2"
    )
    assert "learned" in printed
    stored = json.loads((my_work.parent / "runs/fleets/evaluation.json").read_text())
    assert stored["worlds"]["constellation"] == "walker_20x20" and stored["worlds"]["n_satellites"] == 400


@pytest.mark.slow
def test_the_commands_compare_and_decide_by_the_users_scheme(my_work: Path) -> None:
    few = ("evaluation.worlds=2", "bs_marl.router_worlds=2", "bs_marl.volumes_mbit=[300.0]")
    command(my_work, "evaluate.py", "experiment=thirds", *few, "bs_marl.computing_tops=[20.0]")
    stored = json.loads((my_work.parent / "runs/fleets/bs_marl/bs_marl.json").read_text())
    assert "a_third" in {row["scheme"] for row in stored["results"]["fig3_data_volume"]}

    guide = (REPOSITORY / "docs/offloading.md").read_text()
    scenario = re.findall(r"```yaml\n(constellation:.*?)```", guide, re.DOTALL)[0]
    (my_work.parent / "scenario.yaml").write_text(scenario)
    for word in ("scheme=my_schemes:ThirdScheme", "router=my_routers:ShyRouter"):
        decided = run_python(my_work, "-m", "offload.decide", "scenario=scenario.yaml", word)
        assert len(json.loads(decided.stdout)["tasks"]) == 4


@pytest.mark.slow
def test_the_commands_calibrate_the_users_model_pair(my_work: Path) -> None:
    pair = ("small=my_models:HalfSharp", "large=pair-large")
    run_python(my_work, "-m", "models.calibrate", *pair, "samples=1000")
    advised = run_python(my_work, "-m", "models.advise", *pair)
    assert "as advised" in advised.stdout + advised.stderr
