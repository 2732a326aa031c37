from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import onnx
import pytest
import torch

from agents.config import UtilityConfig, UtilityKind
from agents.export import folder as export_module
from agents.export.folder import Exported, export_policy
from agents.export.onboard import MODEL
from agents.export.provenance import Provenance
from agents.networks import build_utility
from agents.policy import Policy
from agents.protocol import EnvironmentSpec
from configs.convert import to_plain
from envs.config import EnvironmentConfig, LoadView, TaskConfig
from envs.constellation import Constellation
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.observation_layout import ObservationLayout
from envs.routing_game import RoutingGame
from envs.scenario import Scenario

SCENARIO = Scenario(
    constellation=Constellation("walker_6x8", "delta", 6, 8, 1000.0, 53.0, 1),
    link=EbN0Link(),
    day=DayConfig(n_slots=30, training_slots=1, validation_slots=1, test_slots=1),
    task=TaskConfig(n_tasks=3),
    environment=EnvironmentConfig(max_hops=12, max_steps=40),
)
CONFIG = {**to_plain(SCENARIO), "link": {"model": "eb_n0", **to_plain(SCENARIO.link)}, "name": "tiny"}
"""The configuration of a run on it, as config.yaml has it."""


POLICIES = [
    (UtilityKind.direction_shared, LoadView.announced),
    (UtilityKind.flat, LoadView.two_hop),
]
"""Both networks, and two of the four layouts."""


def tiny_policy(kind: UtilityKind, loads: LoadView) -> Policy:
    """A network of random weights: it decides otherwise than any rule, and never by a hair."""
    game = RoutingGame(
        SCENARIO.ephemeris("training"), SCENARIO.task, EnvironmentConfig(max_hops=12, loads=loads), 1
    )
    spec, config = EnvironmentSpec.of(game), UtilityConfig(kind=kind, width=8)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        utility = build_utility(spec, config)
        for parameter in utility.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return Policy(utility.eval().requires_grad_(False), config, spec, ObservationLayout.of(loads).name)


@pytest.fixture(scope="session")
def export_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Exported]:
    """Exports of tiny policies, each made once."""

    @cache
    def export(
        kind: UtilityKind = UtilityKind.direction_shared, loads: LoadView = LoadView.announced
    ) -> Exported:
        folder = tmp_path_factory.mktemp("exports") / f"{kind.value}-{loads.value}"
        return export_policy(tiny_policy(kind, loads), SCENARIO, Provenance(CONFIG, 3, None), folder)

    return export


@pytest.fixture(scope="session")
def export_folder(export_of: Callable[..., Exported]) -> Path:
    """The export of a direction-shared policy that hears announcements."""
    return export_of().folder


@pytest.fixture
def quick_export(export_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports take the graph of `export_folder`, the right one for the same policy, instead of tracing it again."""
    graph = onnx.load(export_folder / MODEL)
    monkeypatch.setattr(export_module, "policy_graph", lambda *_: graph)
