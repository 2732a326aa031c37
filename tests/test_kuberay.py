"""The KubeRay manifest has the fields that a RayJob needs, and its command is one of ours."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir

from configs import CONFIG_DIR
from configs.convert import to_dataclass
from configs.schema import TrainConfig


@pytest.fixture
def manifest() -> dict[str, Any]:
    return yaml.safe_load((CONFIG_DIR.parent / "docs" / "kuberay.yaml").read_text())


def groups(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = manifest["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def test_it_is_a_ray_job_with_a_head_and_workers_of_one_image(manifest: dict[str, Any]) -> None:
    assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", "RayJob")
    assert manifest["metadata"]["name"]
    assert isinstance(manifest["spec"]["shutdownAfterJobFinishes"], bool)
    images = set()
    for group in groups(manifest):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values()), "KubeRay wants text"
        (container,) = group["template"]["spec"]["containers"]
        images.add(container["image"])
        assert container["name"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
        volumes = {volume["name"] for volume in group["template"]["spec"]["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    assert len(images) == 1
    for group in manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"]:
        assert group["groupName"]
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_its_command_is_possible_and_its_processes_fit_its_machines(manifest: dict[str, Any]) -> None:
    python, program, *overrides = shlex.split(manifest["spec"]["entrypoint"])
    assert (python, program) == ("python", "train.py")
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = to_dataclass(TrainConfig, compose("train", overrides))
    head, *workers = groups(manifest)
    cpus = int(head["rayStartParams"]["num-cpus"])
    for group in workers:
        (container,) = group["template"]["spec"]["containers"]
        cpus += group["replicas"] * int(container["resources"]["limits"]["cpu"])
    assert config.cluster.total("CPU") <= cpus
    (container,) = head["template"]["spec"]["containers"]
    assert Path(config.folder) in [Path(mount["mountPath"]) for mount in container["volumeMounts"]]
