"""Start or join the Ray cluster that a configuration asks for, and make sure that it can hold its processes."""

from __future__ import annotations

import logging
import os

import ray
import torch
from ray.util import get_current_placement_group, placement_group, remove_placement_group

from agents.cluster import ClusterConfig
from envs.config import ConfigError, require


def connect(cluster: ClusterConfig, *, at_least_a_trial: bool = False) -> None:
    """Have Ray run where `cluster` needs other processes than this one; within a trial of Ray Tune it does already.

    at_least_a_trial: also where it does not, because the main process of `cluster` will be one of Ray's, too.

    Ray itself would wait for ever, and without a word, for CPUs and GPUs that never come: they are asked for here,
    which also makes an autoscaler add nodes. Raises ConfigError when they are not there after `cluster.wait_s`, or
    when no cluster answers at `cluster.address`.
    """
    if ray.is_initialized() and get_current_placement_group() is not None:
        return  # Tune has set the resources of this trial aside
    if cluster.address is None:
        _require_gpus(cluster)
        if cluster.bundles() or at_least_a_trial:
            _start(cluster)
        return
    if not ray.is_initialized():
        try:
            ray.init(address=cluster.address, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = str(error).strip().split("\n")[0]
            raise ConfigError(
                f"cluster.address={cluster.address!r} cannot be joined ({reason}): start a cluster with "
                "`ray start --head`, name one that runs, or set null to use this machine alone"
            ) from error
    _wait_for_resources(cluster)


def _require_gpus(cluster: ClusterConfig) -> None:
    of_main = 0 if cluster.learners else cluster.gpus_per_learner
    wanted = of_main + cluster.total("GPU")
    there = torch.cuda.device_count()
    require(
        wanted <= there, "GPUs of cluster", wanted, f"this machine has {there}; see cluster.gpus_per_learner"
    )


_cpus_of_ours = 0.0
"""CPUs of the Ray cluster that this process has started; 0: none."""


def _start(cluster: ClusterConfig) -> None:
    global _cpus_of_ours
    # Ray waits for ever for CPUs that a machine does not have: let processes share them instead.
    needed = cluster.threads + cluster.total("CPU")
    if ray.is_initialized():
        if not 0 < _cpus_of_ours < needed:
            return
        ray.shutdown()  # an earlier, smaller job of a multirun started it
    _cpus_of_ours = max(needed, os.cpu_count() or 1)
    ray.init(
        address="local",  # also within a job of a cluster, whose address is in the environment
        num_cpus=int(_cpus_of_ours),
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )


def _wait_for_resources(cluster: ClusterConfig) -> None:
    bundles = cluster.bundles()
    if not bundles:
        return
    group = placement_group(bundles)
    try:
        if group.wait(timeout_seconds=max(1, round(cluster.wait_s))):
            return
        free = ray.available_resources()
        raise ConfigError(
            f"cluster.env_runners={cluster.env_runners} and cluster.learners={cluster.learners} need "
            f"{cluster.total('CPU'):g} CPUs and {cluster.total('GPU'):g} GPUs, the cluster at "
            f"{cluster.address!r} has {free.get('CPU', 0):g} and {free.get('GPU', 0):g} free after "
            f"cluster.wait_s={cluster.wait_s:g}: ask for fewer, or add nodes"
        )
    finally:
        remove_placement_group(group)
