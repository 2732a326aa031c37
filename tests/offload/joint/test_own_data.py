"""A user's own models and data from the profile to the joint experiment and to a decision, and what goes wrong."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from rich.console import Console

from envs.config import ConfigError, EnvironmentConfig, TaskConfig
from envs.constellation import Constellation
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.scenario import Scenario
from models import profile
from models.interface import Encoding, Step, VisionLanguageModel
from models.profile_file import load_profile
from offload.config import OffloadConfig
from offload.decide import main as decide
from offload.joint.config import AccuraciesConfig, JointConfig, StationConfig
from offload.joint.experiment import run_joint

TRAINING, FRAMES = 50, 60
SCENARIO = Scenario(
    Constellation("walker_6x8", "delta", 6, 8, 1000.0, 53.0, 1),
    EbN0Link(),
    DayConfig(training_slots=1, validation_slots=1, test_slots=2),
    TaskConfig(n_tasks=2),
    EnvironmentConfig(),
)


class BrightOrNot(VisionLanguageModel):
    """Says whether a picture is bright; blurred eyes look at its corner only."""

    def __init__(self, part: int) -> None:
        self.name, self.part = f"bright or not, {part} px", part

    def encode(self, image, prompt):
        cells = torch.from_numpy(np.ascontiguousarray(image[::4, ::4])).float().flatten(0, 1) / 255.0
        side = int(len(cells) ** 0.5)
        seen = torch.tensor([[float(image[: self.part, : self.part].mean()) / 255.0] * 3] * 2)
        return Encoding(cells, seen, torch.tensor([False, True]), (side, side))

    def decode(self, encoding):
        bright = float(encoding.prompt[0, 0])
        yield Step("yes" if bright > 0.5 else "no", encoding.image[0], 0.5 + abs(bright - 0.5))

    def answer(self, steps):
        return " ".join(step.text for step in steps)

    def fingerprint(self):
        return self.name


def corner() -> BrightOrNot:
    return BrightOrNot(6)


def other_corner() -> BrightOrNot:
    return BrightOrNot(8)


def whole() -> BrightOrNot:
    return BrightOrNot(48)


@pytest.fixture(scope="module")
def rsvqa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RSVQA-LR as it is published: two questions a picture; one picture is broken."""
    folder, random = tmp_path_factory.mktemp("rsvqa"), np.random.default_rng(0)
    (folder / "Images_LR").mkdir()
    questions, answers = [], []
    for number in range((TRAINING + FRAMES) // 2 + 1):
        level = int(random.integers(40, 216))
        pixels = np.clip(random.normal(level, 60, (48, 48, 3)), 0, 255).astype(np.uint8)
        pixels[:12, :12] = np.clip(random.normal(level, 90, 3), 0, 255)
        Image.fromarray(pixels).save(folder / "Images_LR" / f"{number}.tif")
        for index in (2 * number, 2 * number + 1):
            questions.append(
                {
                    "id": index,
                    "img_id": number,
                    "type": "presence",
                    "question": f"Is it bright, and a {index}?",
                    "answers_ids": [1000 + index],
                    "active": True,
                }
            )
            answer = "yes" if pixels.mean() > 127.5 else "no"
            answers.append({"id": 1000 + index, "question_id": index, "answer": answer, "active": True})
    (folder / "Images_LR" / "3.tif").write_bytes(b"broken")
    (folder / "LR_split_test_questions.json").write_text(json.dumps({"questions": questions}))
    (folder / "LR_split_test_answers.json").write_text(json.dumps({"answers": answers}))
    return folder


@pytest.fixture(scope="module")
def config(rsvqa: Path, tmp_path_factory: pytest.TempPathFactory) -> JointConfig:
    """Settings of the experiment on this data; the profile, measured by its own command, is there."""
    found = JointConfig(
        small=f"{__name__}:corner",
        large=f"{__name__}:whole",
        data="rsvqa-lr",
        folder=str(rsvqa),
        tasks=("question",),
        gate_samples=TRAINING,
        profiled=FRAMES,
        profiles=str(tmp_path_factory.mktemp("profiles")),
        measure=False,
        seeds=(0,),
        frames=(10, 20),
        pixels=(65536,),
        accuracies=AccuraciesConfig(question=(0.85, 0.9)),
        classes=1,
        other_routers=(),
        station=StationConfig(mask_deg=0.0, hours=60.0),
    )
    options = found.profile("question", 0)
    words = ("small", "large", "data", "folder", "task", "out")
    profile.main(
        [*(f"{word}={getattr(options, word)}" for word in words), f"frames={FRAMES}", f"training={TRAINING}"]
    )
    return found


def run(config: JointConfig, folder: Path) -> str:
    """What the experiment says."""
    said = io.StringIO()
    run_joint(
        SCENARIO,
        OffloadConfig(),
        config,
        folder,
        n_worlds=4,
        seed=0,
        settings={},
        console=Console(file=said, width=200),
    )
    return said.getvalue()


def test_the_experiment_runs_on_a_profile_of_ones_own_data(config: JointConfig, tmp_path: Path) -> None:
    measured = load_profile(Path(config.profiles) / "question-0.safetensors")
    assert len(measured) == FRAMES and "corner" not in measured.provenance["small"]
    assert 0.5 < measured.small_score.mean() < measured.large_score.mean()
    said = run(config, tmp_path)
    stored = json.loads((tmp_path / "joint.json").read_text())
    assert " ".join(stored["headline"].split()) in " ".join(said.split())
    rows = stored["results"]["schemes"]
    assert {row["scheme"] for row in rows if row["delay_s"]} >= {"uniform", "gate", "either"}
    assert all(0.5 < row["measured"] <= 1 for row in rows if row["delay_s"])
    masked = [row["note"] for row in rows if row["scheme"] == "both"]
    assert all("is expected of every task" in note for note in masked), "brightness does not survive masking"
    assert stored["profiles"][0]["small"] == corner().fingerprint()
    assert {row["place"] for row in stored["results"]["places"]} >= {"in orbit", "ground by own pass"}


def test_a_decision_is_made_on_it(
    config: JointConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real = {
        "profile": str(Path(config.profiles) / "question-0.safetensors"),
        "accuracy": 0.85,
        "classes": 1,
        "small": config.small,
        "large": config.large,
    }
    path = tmp_path / "scenario.yaml"
    tasks = [{"sensing": "sat_003", "frames": 20}]
    path.write_text(yaml.safe_dump({"computing": ["sat_010"], "tasks": tasks, "real_frames": real}))
    decide([f"scenario={path}"])
    assert json.loads(capsys.readouterr().out)["tasks"][0]["expected_accuracy"] >= 0.85 - 1e-8
    path.write_text(
        yaml.safe_dump(
            {"computing": ["sat_010"], "tasks": tasks, "real_frames": real | {"small": "pair-small"}}
        )
    )
    with pytest.raises(ConfigError, match="its small model is another than pair-small"):
        decide([f"scenario={path}"])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"small": f"{__name__}:whole"},
            r"question-0\.safetensors is of other models.*small was bright or not, 6 px",
        ),
        (
            {"profiles": "nowhere"},
            r"nowhere.question-0\.safetensors: there is no such profile; measure it with",
        ),
        ({"seeds": (1,)}, r"question-1\.safetensors: there is no such profile"),
        ({"tasks": ("scene",)}, "holds 0 scene samples"),
        ({"folder": "nowhere"}, "nowhere"),
        ({"frames": (10, 30), "profiled": 400}, r"joint\.frames|of other models, data"),
        ({"calibration": "nowhere.safetensors"}, "no calibrated gate there"),
    ],
)
def test_what_cannot_be_used_is_an_error(
    config: JointConfig, tmp_path: Path, changes: dict, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        run(replace(config, **changes), tmp_path)


def test_a_profile_of_another_codec_is_an_error(config: JointConfig, tmp_path: Path) -> None:
    for suffix in (".safetensors", ".json"):
        content = (Path(config.profiles) / f"question-0{suffix}").read_bytes()
        (tmp_path / f"question-0{suffix}").write_bytes(content.replace(b"leomix-image-2", b"leomix-image-1"))
    with pytest.raises(ConfigError, match="coded as leomix-image-1, and frames are coded as"):
        run(replace(config, profiles=str(tmp_path)), tmp_path)


def test_a_stale_profile_is_measured_again_where_that_is_allowed(config: JointConfig, tmp_path: Path) -> None:
    changed = replace(config, small=f"{__name__}:other_corner", profiles=str(tmp_path), measure=True)
    for suffix in (".safetensors", ".json"):
        content = (Path(config.profiles) / f"question-0{suffix}").read_bytes()
        (tmp_path / f"question-0{suffix}").write_bytes(content)
    said = run(changed, tmp_path)
    words = " ".join(said.split())
    assert "small was bright or not, 6 px and is bright or not, 8 px: measured again" in words
    assert "3.tif" in said, "a picture that cannot be read is named"
    assert (
        load_profile(tmp_path / "question-0.safetensors").provenance["small"] == other_corner().fingerprint()
    )


def test_models_that_always_agree_are_an_error(config: JointConfig, tmp_path: Path) -> None:
    alike = replace(config, small=f"{__name__}:whole", profiles=str(tmp_path), measure=True)
    with pytest.raises(ConfigError, match="both models agree equally on every sample"):
        run(alike, tmp_path)
