"""What an export holds, and that there is a whole one or none."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch

from agents.config import UtilityKind
from agents.export.folder import CONFIG_FILE, INT8_MODEL, RUNTIME_FILE, export_policy
from agents.export.graph import IR_VERSION, OPSET
from agents.export.onboard import EXAMPLES, MANIFEST, MODEL
from agents.export.parity import TOLERANCE, ExportError
from agents.export.provenance import Provenance
from agents.policy import POLICY_FILE, Policy
from envs.config import LoadView
from tests.agents.export.conftest import CONFIG, POLICIES, SCENARIO, tiny_policy

EVERYTHING = {MODEL, INT8_MODEL, POLICY_FILE, MANIFEST, CONFIG_FILE, RUNTIME_FILE, EXAMPLES}
PROVENANCE = Provenance(CONFIG, 3, None)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return tiny_policy(UtilityKind.direction_shared, LoadView.announced)


def test_it_holds_everything_and_its_hashes(export_folder: Path):
    assert {path.name for path in export_folder.iterdir()} == EVERYTHING
    manifest = json.loads((export_folder / MANIFEST).read_text())
    assert set(manifest["files"]) == EVERYTHING - {MANIFEST}
    for name, about in manifest["files"].items():
        content = (export_folder / name).read_bytes()
        assert about == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    assert [path.name for path in export_folder.parent.iterdir()] == [export_folder.name], (
        "nothing unfinished"
    )


def test_the_manifest_says_what_the_policy_is_for(export_folder: Path):
    manifest = json.loads((export_folder / MANIFEST).read_text())
    observation = manifest["observation"]
    indices = [one["index"] for one in observation["global"]]
    indices += [i for one in observation["per_direction"] for i in one["index"]]
    assert sorted(indices) == list(range(observation["size"]))
    assert [action["name"] for action in manifest["actions"]] == ["fore", "aft", "left", "right"]
    assert manifest["constellation"] == CONFIG["constellation"] and manifest["link"]["model"] == "eb_n0"
    assert manifest["training"]["iterations"] == 3 and manifest["training"]["config"] == CONFIG
    assert manifest["exported_by"].startswith("leomix ")
    checks = manifest["checks"]
    assert checks["parity_with_torch"][MODEL]["agreement"] == 1
    assert checks["parity_with_torch"][MODEL]["largest_error"] <= TOLERANCE
    assert checks["parity_with_torch"][MODEL]["decisions"] > 500
    assert 0.8 < checks["parity_with_torch"][INT8_MODEL]["agreement"] <= 1
    assert checks["same_paths_as_torch"] > 0.98, "rounding may decide a tie otherwise, no more"


@pytest.mark.parametrize("model", [MODEL, INT8_MODEL])
def test_the_graphs_are_valid_plain_and_about_nothing_else(model: str, export_folder: Path):
    graph = onnx.load(export_folder / model)
    onnx.checker.check_model(graph, full_check=True)
    assert (graph.ir_version, [(o.domain, o.version) for o in graph.opset_import]) == (
        IR_VERSION,
        [("", OPSET)],
    )
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*graph.graph.input, *graph.graph.output)
    }
    rows = shapes["observation"][0]
    assert isinstance(rows, str), "any number of rows"
    assert shapes == {"observation": [rows, 124], "legal": [rows, 4], "action": [rows], "q": [rows, 4]}
    content = (export_folder / model).read_bytes()
    assert b".py" not in content and str(Path.home()).encode() not in content


@pytest.mark.parametrize(("kind", "loads"), POLICIES)
def test_int8_is_int8(kind: UtilityKind, loads: LoadView, export_of):
    graph = onnx.load(export_of(kind, loads).folder / INT8_MODEL)
    operators = {node.op_type for node in graph.graph.node}
    assert "MatMulInteger" in operators and not {"MatMul", "Gemm"} & operators
    large = [w for w in graph.graph.initializer if len(w.dims) == 2]
    assert large and all(w.data_type == onnx.TensorProto.INT8 for w in large)


def test_the_weights_are_the_policy(policy: Policy, export_folder: Path):
    loaded = Policy.load(export_folder)
    for name, value in policy.utility.state_dict().items():
        assert torch.equal(loaded.utility.state_dict()[name], value)


@pytest.mark.usefixtures("quick_export")
def test_an_export_takes_the_place_of_an_earlier_one(policy: Policy, tmp_path: Path):
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / MANIFEST).write_text("{}")
    (folder / "left-over").touch()
    export_policy(policy, SCENARIO, PROVENANCE, folder)
    assert {path.name for path in folder.iterdir()} == EVERYTHING
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


@pytest.mark.usefixtures("quick_export")
def test_without_parity_nothing_is_written(tmp_path: Path):
    policy = tiny_policy(UtilityKind.direction_shared, LoadView.announced)
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / MANIFEST).write_text("{}")
    policy.utility.state_dict()["hidden.weight"].mul_(1.001)  # the graph is of the policy as it was
    with pytest.raises(ExportError, match="does not decide as torch does"):
        export_policy(policy, SCENARIO, PROVENANCE, folder)
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
    assert [path.name for path in folder.iterdir()] == [MANIFEST], "the earlier export is as it was"


def test_a_folder_that_is_no_export_is_left_alone(policy: Policy, tmp_path: Path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ExportError, match="is not an export"):
        export_policy(policy, SCENARIO, PROVENANCE, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_observations_that_the_runtime_does_not_build_are_refused(policy: Policy, tmp_path: Path):
    with pytest.raises(ExportError, match="'leomix-routing-v0/own'"):
        export_policy(
            replace(policy, observation="leomix-routing-v0/own"), SCENARIO, PROVENANCE, tmp_path / "export"
        )
    assert not list(tmp_path.iterdir())
