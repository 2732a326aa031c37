import csv
import io
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from rich.console import Console

from agents.evaluation import Comparison, compare, save_report, table
from agents.evaluation.bootstrap import Interval
from agents.evaluation.report import CSV_FILE, FIGURE_FILE, JSON_FILE
from agents.routers import ROUTERS, Routes
from agents.routers.best_response import BestResponseRouter
from envs.config import EnvironmentConfig, TaskConfig
from envs.constellation import CONSTELLATIONS
from envs.delay import packet_delays, uncongested_delays
from envs.ephemeris import Ephemeris, build_ephemeris
from envs.links import LINK_MODELS
from envs.topology import build_topology
from envs.worlds import Worlds, sample_worlds

CONFIG = EnvironmentConfig()


@pytest.fixture(scope="module")
def ephemeris() -> Ephemeris:
    topology = build_topology(
        CONSTELLATIONS["iridium_star"], LINK_MODELS["eb_n0"](), torch.tensor([0.0, 900.0])
    )
    return build_ephemeris(topology, CONFIG.relay_s_per_mbit)


@pytest.fixture(scope="module")
def worlds(ephemeris: Ephemeris) -> Worlds:
    return sample_worlds(ephemeris, TaskConfig(n_tasks=5), 25, seed=3)


@pytest.fixture(scope="module")
def comparison(ephemeris: Ephemeris, worlds: Worlds) -> Comparison:
    return compare([ROUTERS[name]() for name in ("random", "dijkstra")], ephemeris, worlds, CONFIG)


class Nowhere:
    """A router that sends nothing."""

    name = "nowhere"

    def route(self, ephemeris: Ephemeris, worlds: Worlds, config: EnvironmentConfig) -> Routes:
        nothing = torch.full((*worlds.source.shape, config.max_hops), -1)
        return Routes(nothing, torch.zeros_like(worlds.present))


def test_references_always_take_part(comparison: Comparison):
    assert [r.router for r in comparison.results] == [
        "random",
        "dijkstra",
        "best_response_single",
        "best_response",
    ]
    assert comparison["best_response"].ratio_to_best_response == 1
    assert comparison["best_response"].ci95 == (1, 1)
    assert comparison["best_response_single"].ratio_to_best_response_single == 1
    single = comparison["best_response_single"].ratio_to_best_response
    assert single >= 1 and comparison["best_response"].ratio_to_best_response_single == pytest.approx(
        1 / single
    )


def test_figures_of_a_router_are_those_of_its_delays(comparison: Comparison, ephemeris, worlds):
    result = comparison["dijkstra"]
    routes = ROUTERS["dijkstra"]().route(ephemeris, worlds, CONFIG)
    delay = packet_delays(ephemeris, worlds, routes.links).total_s.double().numpy()
    best = packet_delays(
        ephemeris, worlds, BestResponseRouter().route(ephemeris, worlds, CONFIG).links
    ).total_s
    assert result.mean_delay_s == pytest.approx(delay.mean())
    assert result.p95_delay_s == pytest.approx(np.quantile(delay, 0.95))
    assert result.ratio_to_best_response == pytest.approx(delay.mean() / float(best.double().mean()))
    assert result.ci95.low < result.ratio_to_best_response < result.ci95.high
    assert (result.delivery, result.undelivered) == (1, 0)
    assert result.hops == pytest.approx(float(routes.hops.double().mean()))
    assert result.seconds_per_decision > 0


def test_lost_packets_are_counted_and_charged(comparison: Comparison, ephemeris, worlds):
    random = comparison["random"]
    assert (
        random.delivery == pytest.approx(1 - random.undelivered / comparison.n_packets)
        and random.delivery < 1
    )
    nowhere = compare([Nowhere()], ephemeris, worlds, CONFIG)["nowhere"]
    assert (nowhere.delivery, nowhere.hops) == (0, None)
    alone = uncongested_delays(ephemeris, worlds)
    assert nowhere.mean_delay_s == pytest.approx(CONFIG.undelivered_factor * float(alone.mean()), rel=1e-6)


def test_absent_packets_do_not_count(ephemeris, worlds):
    size = worlds.size_mbit.clone()
    size[::2, 1] = 0
    comparison = compare([Nowhere()], ephemeris, worlds.with_sizes(size), CONFIG)
    assert comparison.n_packets == 25 * 10 - 13
    assert comparison["nowhere"].undelivered == comparison.n_packets
    assert comparison["best_response"].delivery == 1


def test_what_cannot_be_compared_is_refused(ephemeris, worlds):
    with pytest.raises(ValueError, match="at least 2 worlds"):
        compare([], ephemeris, worlds.select(slice(0, 1)), CONFIG)
    with pytest.raises(ValueError, match="same name"):
        compare([Nowhere(), Nowhere()], ephemeris, worlds, CONFIG)


def test_report_holds_the_stable_keys_and_every_figure(comparison: Comparison, tmp_path):
    save_report(tmp_path, comparison, worlds={"n_worlds": 25}, config={"task": {"n_tasks": 5}})
    stored = json.loads((tmp_path / JSON_FILE).read_text())
    assert stored.keys() == {"routers", "worlds", "config"}
    stable = {
        "router",
        "mean_delay_s",
        "p95_delay_s",
        "delivery",
        "hops",
        "ratio_to_best_response",
        "ci95",
        "seconds_per_decision",
    }
    for row, result in zip(stored["routers"], comparison.results, strict=True):
        assert stable <= row.keys()
        assert row == json.loads(json.dumps(asdict(result)))
        assert row["ci95"] == list(result.ci95)
    with open(tmp_path / CSV_FILE, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["router"] for row in rows] == [result.router for result in comparison.results]
    assert float(rows[1]["ci95_low"]) == comparison["dijkstra"].ci95.low
    assert (tmp_path / FIGURE_FILE).read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {JSON_FILE, CSV_FILE, FIGURE_FILE}


def test_the_table_fits_80_columns_also_on_a_slow_machine(comparison: Comparison):
    bad = replace(
        comparison["dijkstra"],
        router="dijkstra_propagation",
        mean_delay_s=144.1912,
        p95_delay_s=1139.71,
        ratio_to_best_response=11.1964,
        ci95=Interval(10.1404, 12.12345),
        ratio_to_best_response_single=10.9221,
        seconds_per_decision=7.1764e-3,
    )
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table(replace(comparison, results=(bad,))))
    (row,) = [line for line in console.export_text().splitlines() if line.startswith("dijkstra_propagation")]
    assert row.split()[1:] == [
        "144.191",
        "1139.71",
        "100.00",
        f"{bad.hops:.2f}",
        "11.20",
        "10.14-12.12",
        "10.92",
        "7176",
    ]


def test_trainings_of_one_policy_are_one_result(ephemeris: Ephemeris, worlds: Worlds):
    routers = [ROUTERS[name]() for name in ("dijkstra", "min_hop")]
    alone = compare(routers, ephemeris, worlds, CONFIG)
    both = compare(routers, ephemeris, worlds, CONFIG, averaged={"dijkstra": ["dijkstra", "min_hop"]})
    assert [result.router for result in both.results] == ["dijkstra", "best_response_single", "best_response"]
    together, each = both["dijkstra"], [alone["dijkstra"], alone["min_hop"]]
    assert (together.trainings, alone["dijkstra"].trainings) == (2, 1)
    for name in ("mean_delay_s", "ratio_to_best_response", "ratio_to_best_response_single", "delivery"):
        assert getattr(together, name) == pytest.approx(np.mean([getattr(one, name) for one in each]))
    assert together.undelivered == sum(one.undelivered for one in each)
    assert together.ci95.low <= min(one.ratio_to_best_response for one in each)
    assert together.ci95.high >= max(one.ratio_to_best_response for one in each)
