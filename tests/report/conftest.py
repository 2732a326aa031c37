"""A small evaluation with everything a report can show, and the page made of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.evaluation import compare
from agents.routers import ROUTERS
from configs.convert import to_plain
from envs.config import EnvironmentConfig, TaskConfig
from envs.constellation import Constellation
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.scenario import Scenario
from report.config import GlobeConfig
from report.episodes import Episodes
from report.results import Results

WALKER = Constellation("walker_6x8", "delta", 6, 8, 1000.0, 53.0, 1)
SCENARIO = Scenario(
    constellation=WALKER,
    link=EbN0Link(),
    day=DayConfig(n_slots=60, training_slots=1, validation_slots=1, test_slots=2),
    task=TaskConfig(n_tasks=4, fewest_tasks=2),
    environment=EnvironmentConfig(max_hops=20),
)
COMPARED = ("random", "dijkstra", "look_ahead_3")


@pytest.fixture(scope="package")
def episodes() -> Episodes:
    """Twelve worlds of 48 satellites, some with absent packets, some whose packets random loses."""
    ephemeris = SCENARIO.ephemeris("test")
    return Episodes(ephemeris, SCENARIO.worlds(ephemeris, 12, seed=3), SCENARIO.environment)


@pytest.fixture(scope="package")
def results(episodes: Episodes, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Results in a folder where every other experiment has left its files too."""
    comparison = compare(
        [ROUTERS[name]() for name in COMPARED],
        episodes.ephemeris,
        episodes.worlds,
        episodes.config,
        on_routes=episodes.add,
    )
    folder = tmp_path_factory.mktemp("results")
    store_experiments(folder)
    return Results(
        folder=folder,
        comparison=comparison,
        episodes=episodes,
        globe=GlobeConfig(worlds=2, contact_hours=1.0),
        settings=to_plain(SCENARIO),
        propagator="j2",
        run=folder,
        remarks=("What one should know < the rest.",),
    )


def store_experiments(folder: Path) -> None:
    """Files as other experiments, an export and a training run leave them."""
    fig3 = [
        {
            "scheme": scheme,
            "data_volume_Mbit": volume,
            "delay_s": delay,
            "low_s": delay - 1,
            "high_s": delay + 1,
        }
        for scheme, delay in (("even_split", 8.0), ("bs_marl", 6.0))
        for volume in (300.0, 600.0)
    ]
    bs_marl = {
        "headline": "bs_marl reduces mean service delay by up to 25.0% against even_split.",
        "router": "dijkstra",
        "n_worlds": 3,
        "results": {
            "fig3_data_volume": fig3,
            "reductions": [{"scheme": "bs_marl", "against": "even_split", "mean_%": 25.0}],
        },
    }
    fig10 = {
        "title": "Accuracy",
        "note": "accuracy: built-in pair",
        "rows": [
            {"task": "question", "method": "g", "share": share, "accuracy": share / 2, "accuracy_ci95": 0.1}
            for share in (0.0, 0.5, 1.0)
        ],
    }
    joint = {
        "headline": "The gate lets the service delay fall by 9%.",
        "router": "dijkstra",
        "n_worlds": 6,
        "results": {
            "schemes": [
                {
                    "task": "question",
                    "pixels": 65536,
                    "required": required,
                    "scheme": "uniform",
                    "delay_s": 8.0,
                    "low_s": 7.0,
                    "high_s": 9.0,
                    "measured": required - 0.01,
                }
                for required in (0.9, 0.95)
            ],
            "more": [],
        },
    }
    manifest = {
        "format": 1,
        "observation": {"size": 2, "layout": "two", "global": [{"index": 0, "name": "up", "unit": "1 s"}]},
        "models": {"policy.onnx": {"opset": 20, "arithmetic": "float32", "inputs": [{"shape": {"rows": 2}}]}},
        "actions": ["fore", "aft"],
        "files": {"policy.onnx": {"bytes": 81261}},
        "checks": {"parity_with_torch": {"policy.onnx": {"decisions": 400, "agreement": 0.9975}}},
    }
    for name, content in (
        ("bs_marl/bs_marl.json", bs_marl),
        ("joint/joint.json", joint),
        ("spaceverse/spaceverse.json", {"fig10": fig10}),
        ("export/manifest.json", manifest),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    (folder / "metrics.csv").write_text(
        "iteration,return,decisions,validation_delay_s\n1,-3.0,100,\n2,-2.0,200,5.0\n3,-1.5,300,6.0\n"
    )
