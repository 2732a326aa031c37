"""The runtime decides what torch decides, and refuses what it must not fly with."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agents.config import UtilityKind
from agents.evaluation.validation import VALIDATION_SEED
from agents.export.decisions import record_decisions
from agents.export.folder import INT8_MODEL
from agents.export.onboard import EXAMPLES, MANIFEST, MODEL, OnboardError, OnboardPolicy, sealed
from agents.routers.flown import FlownRouter
from agents.routers.learned import LearnedRouter
from agents.routers.trained import MANIFEST as MARK
from agents.routers.trained import trained_router
from envs.config import ConfigError, EnvironmentConfig, LoadView
from tests.agents.export.conftest import POLICIES, SCENARIO, tiny_policy
from tests.envs.random_networks import grid, random_ephemeris, random_worlds


@pytest.mark.parametrize(("kind", "loads"), POLICIES)
def test_it_flies_whole_episodes_as_torch_does(kind: UtilityKind, loads: LoadView, export_of):
    """On networks of random rates, where no two ways cost the same: rounding may decide a tie."""
    ephemeris = random_ephemeris(grid("delta", 6, 8, 1), seed=3)
    worlds = random_worlds(ephemeris, 4, 12, absent_share=0.1, seed=5)
    router = trained_router(export_of(kind, loads).folder)
    for rules in (EnvironmentConfig(), EnvironmentConfig(max_hops=12, broadcast_delay_steps=1)):
        flown = router.route(ephemeris, worlds, rules)
        learned = LearnedRouter(tiny_policy(kind, loads)).route(ephemeris, worlds, rules)
        assert (flown.links == learned.links).all() and (flown.delivered == learned.delivered).all()
        assert int((flown.links >= 0).sum()) > 300


@pytest.fixture(scope="module")
def recorded():
    """Decisions of the policy in `export_folder`."""
    ephemeris = SCENARIO.ephemeris("test")
    policy = tiny_policy(UtilityKind.direction_shared, LoadView.announced)
    return record_decisions(policy, ephemeris, SCENARIO.worlds(ephemeris, 8, seed=1), SCENARIO.environment)


def test_a_decision_does_not_depend_on_those_beside_it(recorded, export_folder: Path):
    for model in (MODEL, INT8_MODEL):
        onboard = OnboardPolicy(export_folder / model)
        together, q = onboard.decide(recorded.observation, recorded.legal)
        for i in range(20):
            alone, q_alone = onboard.decide(recorded.observation[i : i + 1], recorded.legal[i : i + 1])
            assert alone[0] == together[i]
            np.testing.assert_allclose(q_alone[0], q[i], rtol=1e-5, atol=1e-5)


def test_an_action_is_always_legal(recorded, export_folder: Path):
    for model in (MODEL, INT8_MODEL):
        action = OnboardPolicy(export_folder / model).act(recorded.observation, recorded.legal)
        assert action.dtype == np.int64 and action.shape == (len(recorded),)
        assert recorded.legal[np.arange(len(recorded)), action].all()


@pytest.mark.parametrize(
    ("observation", "mask", "words"),
    [
        (lambda o: o[:, :-1], lambda m: m, "observation has shape"),
        (lambda o: o[0], lambda m: m[0], r"observation has shape \(124,\), it must have \(N, 124\)"),
        (lambda o: None, lambda m: m, "observation has shape"),
        (lambda o: np.full(o.shape, 1e300), lambda m: m, "not finite"),
        (lambda o: o, lambda m: m[:-1], "mask has shape"),
        (lambda o: o, lambda m: m.astype(np.float32), "mask is float32"),
        (lambda o: np.where(np.arange(o.shape[1]) == 9, np.nan, o), lambda m: m, "not finite"),
        (lambda o: o, lambda m: m & (np.arange(len(m)) != 1)[:, None], "row 1 .* no legal direction"),
        (lambda o: o, lambda m: ~m | (np.arange(4) == 0), "do not agree"),
    ],
)
def test_what_cannot_be_right_is_refused(observation, mask, words: str, recorded, export_folder: Path):
    onboard = OnboardPolicy(export_folder)
    with pytest.raises(OnboardError, match=words):
        onboard.act(observation(recorded.observation[:3]), mask(recorded.legal[:3]))


def change_manifest(folder: Path, change) -> None:
    """As another version of LEOMix might have written it."""
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(sealed(manifest)))


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))


def graph_of_another_kind(folder: Path) -> None:
    """As if this onnxruntime were too old for the graph."""
    (folder / MODEL).write_bytes(b"another kind")
    digest = hashlib.sha256(b"another kind").hexdigest()
    change_manifest(folder, lambda m: m["files"][MODEL].update(sha256=digest))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / MANIFEST).unlink(), "manifest.json cannot be read"),
        (lambda f: (f / MODEL).unlink(), "policy.onnx cannot be read"),
        (lambda f: (f / MANIFEST).write_text("{"), "manifest.json is damaged"),
        (lambda f: (f / MANIFEST).write_text("[]"), "manifest.json is damaged"),
        (lambda f: change_manifest(f, lambda m: m.pop("rules")), "is damaged .KeyError: 'rules'"),
        (
            lambda f: change_manifest(f, lambda m: m.update(format="leomix-export-3")),
            "format 'leomix-export-3'",
        ),
        (
            lambda f: change_manifest(
                f, lambda m: m["observation"].update(layout="leomix-routing-v2/announced")
            ),
            "observations 'leomix-routing-v2/announced', this file builds",
        ),
        (
            lambda f: change_manifest(f, lambda m: m["observation"]["global"][2].update(unit="50 Mbit")),
            "otherwise than this file builds it",
        ),
        (
            lambda f: (f / MODEL).write_bytes((f / MODEL).read_bytes() + b"\0"),
            "SHA-256 is not the manifest's",
        ),
        (lambda f: shutil.copy(f / INT8_MODEL, f / MODEL), "SHA-256 is not the manifest's"),
        (
            lambda f: edit(f / MANIFEST, '"announced_hops": 5', '"announced_hops": 7'),
            "damaged: its content has changed",
        ),
        (lambda f: edit(f / MANIFEST, '"digest": "', '"digest": "0'), "damaged: its content has changed"),
        (graph_of_another_kind, r"onnxruntime .* cannot read .*policy\.onnx"),
    ],
)
def test_files_that_it_does_not_know_are_refused(damage, words: str, export_folder: Path, tmp_path: Path):
    folder = tmp_path / "export"
    shutil.copytree(export_folder, folder)
    OnboardPolicy(folder)
    damage(folder)
    with pytest.raises(OnboardError, match=words):
        OnboardPolicy(folder)
    if MARK in {path.name for path in folder.iterdir()}:
        with pytest.raises(ConfigError, match=words):
            trained_router(folder)


def test_other_files_and_other_manifests_are_refused(export_folder: Path):
    with pytest.raises(OnboardError, match="not in the manifest"):
        OnboardPolicy(export_folder / "other.onnx")
    digest = hashlib.sha256((export_folder / MANIFEST).read_bytes()).hexdigest()
    OnboardPolicy(export_folder, manifest_sha256=digest)
    with pytest.raises(OnboardError, match="not the one expected"):
        OnboardPolicy(export_folder, manifest_sha256=digest[::-1])


def test_the_folder_flies_where_there_is_neither_torch_nor_leomix(
    recorded, export_folder: Path, tmp_path: Path
):
    folder = tmp_path / "satellite"
    shutil.copytree(export_folder, folder)
    np.savez(tmp_path / "in.npz", observation=recorded.observation, legal=recorded.legal)
    program = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "envs", "agents", "configs", "onnx", "safetensors"}:
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
import numpy as np
from onboard import OnboardPolicy
data = np.load("../in.npz")
OnboardPolicy(".").self_test()
print(*OnboardPolicy(".").act(data["observation"], data["legal"]))
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""
    done = subprocess.run(
        [sys.executable, "-E", "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    actions, modules = done.stdout.splitlines()
    assert [int(action) for action in actions.split()] == OnboardPolicy(export_folder).act(
        recorded.observation, recorded.legal
    ).tolist()
    assert not {"torch", "envs", "agents"} & set(modules.split())


def test_the_self_test_of_a_folder(export_folder: Path, tmp_path: Path):
    for model in (MODEL, INT8_MODEL):
        assert OnboardPolicy(export_folder / model).self_test() == 32
    folder = tmp_path / "export"
    shutil.copytree(export_folder, folder)
    with np.load(folder / EXAMPLES, allow_pickle=False) as stored:
        right = {name: stored[name] for name in stored.files}
    for name, words in (("queue_mbit", "observations"), ("q", "values"), ("action", "actions")):
        np.savez(folder / EXAMPLES, **(right | {name: right[name] + 1}))
        with pytest.raises(OnboardError, match=r"examples\.npz is damaged"):
            OnboardPolicy(folder).self_test()
        digest = hashlib.sha256((folder / EXAMPLES).read_bytes()).hexdigest()
        change_manifest(folder, lambda m, digest=digest: m["files"][EXAMPLES].update(sha256=digest))
        with pytest.raises(OnboardError, match=words):
            OnboardPolicy(folder).self_test()


def test_the_self_test_finds_damage_in_every_file(export_folder: Path, tmp_path: Path):
    """One bit of it is enough; what was left on the ground is not missed, if it does not fly."""
    folder = tmp_path / "export"
    shutil.copytree(export_folder, folder)
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 7
    for name in names:
        content = (folder / name).read_bytes()
        for place in (0, len(content) // 2, len(content) - 2):
            changed = bytearray(content)
            changed[place] ^= 4
            (folder / name).write_bytes(changed)
            with pytest.raises(OnboardError, match=name.replace(".", r"\.")):
                OnboardPolicy(folder).self_test()
        (folder / name).write_bytes(content)
    for name in set(names) - {MANIFEST, MODEL, EXAMPLES}:
        (folder / name).unlink()
    assert OnboardPolicy(folder).self_test() == 32


def test_flown_under_the_rules_of_the_worlds_given(export_folder: Path):
    """Not under those that the policy was trained with: LearnedRouter does the same."""
    ephemeris = SCENARIO.ephemeris("test")
    worlds = SCENARIO.worlds(ephemeris, 4, seed=VALIDATION_SEED)
    router = FlownRouter(export_folder / INT8_MODEL)
    assert router.name == "flown_int8"
    routes = router.route(ephemeris, worlds, EnvironmentConfig(max_hops=7, loads=LoadView.own))
    assert int(routes.hops.max()) <= 7
