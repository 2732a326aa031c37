"""`python -m offload.decide` with real frames."""

import json
from pathlib import Path

import pytest
import yaml

from envs.config import ConfigError
from models.profile_file import save_profile
from offload.decide import main
from tests.offload.joint.profiles import made_profile

TASKS = [{"sensing": "sat_003", "frames": 90}, {"sensing": "sat_027", "frames": 60, "accuracy": 0.85}]


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    save_profile(made_profile(), tmp_path / "profile.safetensors")
    return write(tmp_path, TASKS, {})


def write(folder: Path, tasks: list[dict], changes: dict) -> Path:
    real = {"profile": str(folder / "profile.safetensors"), "accuracy": 0.88, "classes": 4} | changes
    content = {"computing": ["sat_010"], "tasks": tasks, "real_frames": real}
    path = folder / "scenario.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_decision_says_what_is_expected_and_what_was_measured(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([f"scenario={scenario}"])
    out = capsys.readouterr()
    for task, required in zip(json.loads(out.out)["tasks"], (0.88, 0.85), strict=True):
        assert task["expected_accuracy"] >= required - 1e-8
        assert 0 <= task["measured_accuracy"] <= 1
        assert sum(task["frames_by_residual_bits_per_pixel"].values()) == task["offloaded_frames"]
    assert "measured accuracy" in out.err


@pytest.mark.parametrize(
    ("tasks", "changes", "problem"),
    [
        (
            TASKS,
            {"coding": "fax"},
            "real_frames.coding='fax' is not possible: one of plain, attention, either",
        ),
        (TASKS, {"profile": "/nowhere"}, "real_frames.profile=/nowhere: there is no such profile"),
        (TASKS, {"small": "pair-small"}, "real_frames.profile=its small model is another than pair-small"),
        (TASKS, {"large": "pair-tiny"}, "real_frames.small, real_frames.large: model 'pair-tiny' is unknown"),
        (TASKS, {"gates": True}, "real_frames.gates is not a field: did you mean gate?"),
        (TASKS, {"accuracy": 0.9999}, "is expected of every task"),
        ([TASKS[0] | {"frames": 5000}], {}, "at most 240"),
        ([TASKS[0] | {"small_accuracy": 0.5}], {}, "small_accuracy means nothing with real_frames"),
    ],
)
def test_bad_input_is_one_line(scenario: Path, tasks: list[dict], changes: dict, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        main([f"scenario={write(scenario.parent, tasks, changes)}"])
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


def test_accuracy_of_the_whole_needs_real_frames(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(yaml.safe_dump({"computing": ["sat_010"], "tasks": TASKS}))
    with pytest.raises(ConfigError, match="accuracy means nothing without real_frames"):
        main([f"scenario={path}"])
