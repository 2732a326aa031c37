"""Every YAML file composes, converts and is complete; every mistake is one line that says what is allowed."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from configs import CONFIG_DIR
from configs.command import command
from configs.convert import OneOf, _one_of, to_dataclass, to_plain, unknown_key
from configs.schema import EvaluateConfig, TrainConfig
from envs.config import ConfigError
from envs.constellation import Constellation
from offload.config import PAPER_SEARCH

OPTIONS = sorted(
    path.relative_to(CONFIG_DIR).with_suffix("").as_posix()
    for path in CONFIG_DIR.glob("*/*.yaml")
    if path.parent.name != "sweep"  # spaces, not options: tests/test_search.py
)
GROUPS = sorted({option.split("/")[0] for option in OPTIONS})


def composed(*overrides: str, command: str = "train") -> Any:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose(command, list(overrides))


def train_config(*overrides: str) -> TrainConfig:
    return to_dataclass(TrainConfig, composed(*overrides))


def reader_of(option: str) -> tuple[str, type]:
    """A command that reads `option`, and its schema."""
    group = option.split("/")[0]
    changed = (
        yaml.safe_load((CONFIG_DIR / f"{option}.yaml").read_text()) if group == "experiment" else [group]
    )
    for_evaluation = set(changed) & {"show", "offload"}
    return ("evaluate", EvaluateConfig) if for_evaluation else ("train", TrainConfig)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes_and_survives_a_round_trip(option: str) -> None:
    group, name = option.split("/")
    command, schema = reader_of(option)
    config = to_dataclass(schema, composed(f"{group}={name}", command=command))
    assert to_dataclass(schema, to_plain(config)) == config


@pytest.mark.parametrize("option", [option for option in OPTIONS if not option.startswith("experiment/")])
def test_every_option_sets_every_field_of_its_dataclass(option: str) -> None:
    group = option.split("/")[0]
    values = yaml.safe_load((CONFIG_DIR / f"{option}.yaml").read_text())
    kind = get_type_hints(reader_of(option)[1], include_extras=True)[group]
    one_of: OneOf | None = _one_of(kind)
    if one_of:
        kind = one_of.classes[values.pop(one_of.key)]
    assert_complete(kind, values, group)


@pytest.mark.parametrize(("command", "schema"), [("train", TrainConfig), ("evaluate", EvaluateConfig)])
def test_the_commands_set_every_field_that_no_group_does(command: str, schema: type) -> None:
    values = yaml.safe_load((CONFIG_DIR / f"{command}.yaml").read_text())
    for name, kind in get_type_hints(schema).items():
        if name in GROUPS:
            assert {name} <= {key for entry in values["defaults"] if isinstance(entry, dict) for key in entry}
        elif is_dataclass(kind):
            assert_complete(kind, values[name], name)
        else:
            assert name in values


def assert_complete(kind: Any, values: dict, path: str) -> None:
    assert set(values) == {field.name for field in fields(kind)}, path
    for name, member in get_type_hints(kind).items():
        if is_dataclass(member):
            assert_complete(member, values[name], f"{path}.{name}")


@pytest.mark.parametrize("option", [option for option in OPTIONS if not option.startswith("experiment/")])
def test_every_value_says_what_it_is(option: str) -> None:
    lines = (CONFIG_DIR / f"{option}.yaml").read_text().splitlines()
    assert lines[0].startswith("# ")
    for line in lines:
        is_value = ": " in line and not line.lstrip().startswith(("#", "name:"))
        assert not is_value or " # " in line, f"{option}: no comment on {line!r}"


def test_the_defaults_of_the_dataclasses_are_those_of_the_files() -> None:
    config = train_config()
    for name in (
        "day",
        "task",
        "environment",
        "failures",
        "algorithm",
        "cluster",
        "tracking",
        "training",
        "evaluation",
        "search",
        "link",
    ):
        assert getattr(config, name) == type(getattr(config, name))(), name


def test_the_defaults_of_evaluation_are_those_of_its_file() -> None:
    config = to_dataclass(EvaluateConfig, composed(command="evaluate"))
    for name in ("show", "offload", "bs_marl", "evaluation"):
        assert getattr(config, name) == getattr(EvaluateConfig(config.constellation, config.link), name), name
    assert (
        to_dataclass(EvaluateConfig, composed("offload=paper", command="evaluate")).offload.search
        == PAPER_SEARCH
    )


def test_presets_agree_with_the_catalogue() -> None:
    from envs.constellation import CONSTELLATIONS

    for name, preset in CONSTELLATIONS.items():
        assert train_config(f"constellation={name}").constellation == preset


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["+algorithm.gama=0.9"], ["algorithm.gama ", "algorithm.gamma"]),
        (["+taks.n_tasks=3"], ["taks ", "task?"]),
        (["+kappa=3"], ["environment.reward.kappa"]),
        (["+day.colour=3"], ["day.colour", "slot_s", "n_slots"]),
        (["task.n_tasks=0"], ["task.n_tasks=0", "at least 1"]),
        (["task.n_tasks=many"], ["task.n_tasks='many'", "integer"]),
        (["task.n_tasks=2.5"], ["task.n_tasks=2.5", "integer"]),
        (["task.data_mbit=[3]"], ["task.data_mbit=[3]", "2 values"]),
        (["task.data_mbit=[30,3]"], ["task.data_mbit", "smallest <= largest"]),
        (["environment.strict=1"], ["environment.strict=1", "boolean"]),
        (["environment.loads=all"], ["environment.loads='all'", "own", "neighbours", "two_hop"]),
        (["algorithm.mixer=vdn"], ["algorithm.mixer='vdn'", "algorithm.mixer.kind"]),
        (["link.model=laser"], ["link.model='laser'", "eb_n0", "shannon", "fixed"]),
        (["link=fixed", "+link.frequency_ghz=2"], ["link.frequency_ghz", "capacity_mbps"]),
        (["constellation.pattern=ring"], ["constellation.pattern='ring'", "delta", "star"]),
        (["~constellation.planes"], ["constellation.planes is missing"]),
        (["name=a/b"], ["name='a/b'", "letters"]),
        (["day.n_slots=3"], ["day.n_slots=3", "at least 56"]),
    ],
)
def test_bad_values_are_refused_with_what_is_allowed(overrides: list[str], words: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        train_config(*overrides)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def test_integers_are_fine_where_a_float_is_asked() -> None:
    assert train_config("day.slot_s=30").day.slot_s == 30.0


def test_unknown_key_without_likeness_lists_what_there_is() -> None:
    assert unknown_key("task.zzz", ["task", "task.a", "task.b"]) == "task.zzz is not a setting: task has a, b"
    assert unknown_key("zzz", ["task", "task.a", "day"]) == "zzz is not a setting: there are task, day"


@command(TrainConfig, "train", based_on="resume", may_change=("training", "algorithm.iterations"))
def train(config: TrainConfig) -> None:
    if config.day.n_slots == 77:
        raise RuntimeError("a bug")
    print(json.dumps(to_plain(config)))


@command(EvaluateConfig, "evaluate", based_on="policy")
def evaluate(config: EvaluateConfig) -> None:
    print(json.dumps(to_plain(config)))


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command in an empty folder: (main, overrides) -> (status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)

    def call(main: Any, *overrides: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["program.py", *overrides])
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("algorithm.gama=0.9", "algorithm.gama is not a setting: did you mean algorithm.gamma?"),
        ("constelation=iridium_star", "constelation is not a setting: did you mean constellation?"),
        (
            "constellation=walker",
            "constellation=walker is not possible: one of iridium_star, star_8x12, starlink_72x22, tle, walker",
        ),
        ("experiment=smok", "experiment=smok is not possible: one of"),
        ("link.capacity_mbps=3", "link.capacity_mbps is not part of the chosen option of link"),
        ("task.n_tasks=0", "task.n_tasks=0 is not possible: at least 1"),
        ("task.n_tasks", "cannot read 'task.n_tasks': write key=value"),
        ("resume=nowhere", "resume='nowhere' is not the folder of a run"),
    ],
)
def test_the_command_line_answers_a_mistake_with_one_line(call: Any, override: str, words: str) -> None:
    status, out, err = call(train, override)
    assert status == 2
    assert err.startswith(f"error: {words}")
    assert err.count("\n") == 1
    assert out == ""


def test_a_bug_is_not_mistaken_for_a_mistake(call: Any) -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        call(train, "day.n_slots=77")


def test_hydra_writes_nothing(call: Any, tmp_path: Path) -> None:
    status, out, _ = call(train)
    assert status == 0
    assert json.loads(out)["name"] == "routing"
    assert list(tmp_path.iterdir()) == []


def test_help_names_groups_and_values(call: Any) -> None:
    status, out, _ = call(train, "--help")
    assert status == 0
    assert "constellation: iridium_star, star_8x12, starlink_72x22, tle, walker_12x24" in out
    assert "n_tasks: 8" in out


@pytest.fixture
def stored_run(tmp_path: Path) -> TrainConfig:
    """A run folder `run` with its configuration, in the folder the commands are called in."""
    stored = train_config("task.n_tasks=5", "training.seed=9", "link=fixed", "evaluation.worlds=40")
    (tmp_path / "run").mkdir()
    OmegaConf.save(to_plain(stored), tmp_path / "run" / "config.yaml")
    return stored


def test_a_run_is_resumed_with_its_own_configuration(call: Any, stored_run: TrainConfig) -> None:
    _, out, _ = call(train, "resume=run", "training.checkpoint_every=7", "algorithm.iterations=500")
    resumed = to_dataclass(TrainConfig, json.loads(out))
    assert (resumed.task.n_tasks, resumed.training.seed, resumed.link) == (5, 9, stored_run.link)
    assert (resumed.training.checkpoint_every, resumed.algorithm.iterations) == (7, 500)
    assert resumed.resume == "run"


def test_what_a_run_was_trained_on_cannot_change_when_it_is_resumed(
    call: Any, stored_run: TrainConfig
) -> None:
    status, _, err = call(train, "resume=run", "task.n_tasks=6")
    assert status == 2
    assert "task.n_tasks cannot be changed with resume=" in err


def test_a_policy_is_evaluated_as_trained_but_for_what_is_said(call: Any, stored_run: TrainConfig) -> None:
    _, out, _ = call(evaluate, "policy=run", "constellation=iridium_star", "constellation.altitude_km=800")
    config = to_dataclass(EvaluateConfig, json.loads(out))
    assert (config.task, config.link) == (stored_run.task, stored_run.link)
    assert config.evaluation == stored_run.evaluation
    assert isinstance(config.constellation, Constellation)
    assert (config.constellation.planes, config.constellation.altitude_km) == (6, 800.0)


def test_an_experiment_changes_what_it_mentions_and_no_more(call: Any, stored_run: TrainConfig) -> None:
    _, out, _ = call(evaluate, "policy=run", "experiment=bs_marl", "offload.compute.computing_tops=7")
    config = to_dataclass(EvaluateConfig, json.loads(out))
    assert (config.show.value, config.evaluation.worlds) == ("bs_marl", 200)
    assert (config.task, config.evaluation.seed) == (stored_run.task, stored_run.evaluation.seed)
    assert config.offload.compute.computing_tops == 7
    _, out, _ = call(evaluate, "policy=run", "experiment=bs_marl", "evaluation.worlds=9")
    assert json.loads(out)["evaluation"]["worlds"] == 9


README_COMMANDS = re.findall(
    r"^(?:pip install .* && )?python (train|evaluate)\.py([^#\n]*)",
    (CONFIG_DIR.parent / "README.md").read_text(),
    re.M,
)


@pytest.mark.parametrize(("command", "arguments"), README_COMMANDS)
def test_the_commands_of_the_readme_are_possible(command: str, arguments: str) -> None:
    flags = {"--help", "--multirun"}
    overrides = [
        re.sub(r",.*", "", word) for word in arguments.split() if word not in flags
    ]  # a sweep's first value
    to_dataclass(
        {"train": TrainConfig, "evaluate": EvaluateConfig}[command], composed(*overrides, command=command)
    )


def test_the_mistakes_of_the_readme_are_answered_as_it_says(call: Any) -> None:
    text = (CONFIG_DIR.parent / "README.md").read_text()
    mistakes = re.findall(r"^\$ python train\.py (.*)\n(error: .*)\n", text, re.M)
    assert mistakes
    for override, answer in mistakes:
        assert call(train, override) == (2, "", f"{answer}\n")
