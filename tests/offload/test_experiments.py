"""The experiments of the paper in miniature: every result has its rows, files and pictures, and they are consistent."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from agents.routers import ROUTERS, Router
from envs.config import ConfigError, EnvironmentConfig, TaskConfig
from envs.constellation import CONSTELLATIONS
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.scenario import Scenario
from offload.config import PAPER_SEARCH, OffloadConfig
from offload.experiments import bs_marl
from offload.experiments.config import BsMarlConfig
from offload.experiments.result import Row
from offload.experiments.searches import TRACED, run_searches, search_result, searches, trace_result
from offload.experiments.sweeps import compared_schemes, headline, reductions, sweep, with_volume
from offload.experiments.training_curves import training_result
from offload.problem import OffloadProblem
from offload.search import search

SCENARIO = Scenario(
    CONSTELLATIONS["iridium_star"],
    EbN0Link(),
    DayConfig(n_slots=60, training_slots=2, validation_slots=1, test_slots=2),
    TaskConfig(n_tasks=3),
    EnvironmentConfig(),
)


def test_everything_is_measured_shown_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bs_marl, "ROUTERS", {name: ROUTERS[name] for name in ("min_hop", "dijkstra")})
    console = Console(width=80, record=True)
    config = BsMarlConfig(
        volumes_mbit=(100.0, 300.0), computing_tops=(2.0, 80.0), router="dijkstra", router_worlds=2
    )
    results = bs_marl.run_bs_marl(
        SCENARIO, OffloadConfig(), config, tmp_path, n_worlds=3, seed=1, settings={"a": 1}, console=console
    )
    shown = console.export_text()
    for result in results:
        with open(tmp_path / f"{result.name}.csv") as file:
            assert len(list(csv.DictReader(file))) == len(result.rows)
        assert (tmp_path / f"{result.name}.png").is_file() == (result.draw is not None)
        assert result.title.split(",")[0] in " ".join(shown.split())
    stored = json.loads((tmp_path / "bs_marl.json").read_text())
    assert set(stored["results"]) == {result.name for result in results}
    assert stored["headline"].split(";")[0] in " ".join(shown.split())
    by_volume = next(result for result in results if result.name == "fig3_data_volume")
    for scheme in ("small_only", "centralised"):
        delays = [row["delay_s"] for row in by_volume.rows if row["scheme"] == scheme]
        assert delays == sorted(delays), "more data, more delay"
    assert all(row["low_s"] <= row["delay_s"] <= row["high_s"] for row in by_volume.rows)


def test_a_router_that_does_not_exist_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"bs_marl.router='best'.*dijkstra"):
        bs_marl.run_bs_marl(
            SCENARIO,
            OffloadConfig(),
            BsMarlConfig(router="best"),
            tmp_path,
            n_worlds=3,
            seed=1,
            settings={},
            console=Console(),
        )


def test_reductions_are_those_of_the_delays(problem: OffloadProblem) -> None:
    found = sweep(problem, [ROUTERS["min_hop"]()], "data_volume_Mbit", (200.0, 400.0), with_volume)
    result = reductions([found])
    row = next(row for row in result.rows if (row["scheme"], row["against"]) == ("bs_marl", "centralised"))
    own, other = (found.delay_s[name].mean((1, 2)) for name in ("bs_marl", "centralised"))
    saved = 100 * (1 - own / other)
    assert row["mean_%"] == pytest.approx(saved.mean())
    assert (row["least_%"], row["most_%"]) == pytest.approx((saved.min(), saved.max()))
    assert f"up to {float(row['most_%']):.1f}%" not in headline(result).split(";")[1]
    assert f"{float(row['most_%']):.1f}% ({saved.mean():.1f}% on average) against centralised" in headline(
        result
    )


def test_trainings_that_count_as_one_are_averaged(problem: OffloadProblem) -> None:
    one, other = ROUTERS["min_hop"](), ROUTERS["look_ahead_1"]()
    setting = ("data_volume_Mbit", (200.0,), with_volume)
    both, *each = (sweep(problem, routers, *setting) for routers in ([one, other], [one], [other]))
    for scheme, delay_s in both.delay_s.items():
        assert delay_s.shape == (1, 2, problem.worlds.n_worlds)
        assert np.array_equal(delay_s, np.concatenate([found.delay_s[scheme] for found in each], axis=1))
    decisions = run_searches(problem, [one, other])
    rows = {str(row["search"]): row for row in search_result(decisions).rows}
    alone = [
        {str(row["search"]): row for row in search_result(run_searches(problem, [router])).rows}
        for router in (one, other)
    ]
    for name, row in rows.items():
        for column in ("delay_s", "routings", "tasks_off_%", "worlds_off_%", "budget_%"):
            assert row[column] == pytest.approx(np.mean([found[name][column] for found in alone]))


def test_trainings_that_search_longer_are_averaged_with_those_that_ended(problem: OffloadProblem) -> None:
    routers = [ROUTERS["min_hop"](), ROUTERS["look_ahead_2"]()]
    configs = {name: searches(problem.config.search)[name] for name in TRACED}
    name = "balance to the end"

    def shown(some: list[Router]) -> list[Row]:
        found = {key: [search(problem, router, one) for router in some] for key, one in configs.items()}
        return [row for row in trace_result(found).rows if row["search"] == name]

    for both in (routers, routers[::-1]):
        together, alone = shown(both), [shown([router]) for router in both]
        assert len(alone[0]) != len(alone[1]) and len(together) == max(map(len, alone))
        assert [row["returned"] for row in together] == ["no"] * (len(together) - 1) + ["yes"]
        for k, row in enumerate(together[:-1]):
            each = [rows[min(k, len(rows) - 2)] for rows in alone]
            assert row["delay_s"] == pytest.approx(np.mean([one["delay_s"] for one in each]))
        assert together[-1]["ratio"] == pytest.approx(np.mean([rows[-1]["ratio"] for rows in alone]))


def test_the_printed_algorithm_is_compared_with_the_configured_search_unless_they_are_one() -> None:
    names = [scheme.name for scheme in compared_schemes(OffloadConfig())]
    assert names == ["small_only", "centralised", "even_split", "bs_marl", "bs_marl_balance"]
    assert len(compared_schemes(OffloadConfig(search=PAPER_SEARCH))) == 4


def test_a_world_that_has_stopped_keeps_its_last_iteration(problem: OffloadProblem) -> None:
    decisions = run_searches(problem, [ROUTERS["look_ahead_2"]()])
    result = trace_result(decisions)
    *_, last, returned = [row for row in result.rows if row["search"] == "bisection"]
    trace = decisions["bisection"][0].trace
    assert trace is not None
    world = torch.arange(problem.worlds.n_worlds)
    final_s = trace.total_s[trace.iterations - 1, world].mean(1)
    assert last["delay_s"] == pytest.approx(float(final_s.mean()))
    assert returned["delay_s"] == pytest.approx(float(decisions["bisection"][0].chosen.mean_s.mean()))
    rows = {str(row["search"]): row for row in search_result(decisions).rows}
    assert rows["bisection"]["delay_s"] <= rows["Algorithm 1"]["delay_s"]
    assert rows["bisection"]["worse_%"] == 0


def test_training_curves_average_runs_that_differ_in_their_seed(tmp_path: Path) -> None:
    for run, planes, offset in (("a", "one", 0.0), ("b", "one", 2.0), ("c", "two", 5.0)):
        (tmp_path / run).mkdir()
        task = "{n_tasks: 8, data_mbit: [20.0, 200.0]}"
        (tmp_path / run / "config.yaml").write_text(f"constellation: {{name: {planes}}}\ntask: {task}\n")
        (tmp_path / run / "metrics.csv").write_text(
            f"iteration,return,validation_delay_s\n1,{-9 + offset},\n2,{-8 + offset},{3 + offset}\n"
        )
    result = training_result([tmp_path / name for name in "abc"])
    row = next(
        row
        for row in result.rows
        if (row["metric"], row["iteration"]) == ("return", 2) and "one" in str(row["run"])
    )
    assert (row["mean"], row["seeds"]) == (-7.0, 2)
    assert row["high"] - row["mean"] == pytest.approx(12.706 * np.sqrt(2) / np.sqrt(2), rel=1e-3)
    assert result.screen is not None and len(result.screen) == 4
    result.save(tmp_path)
    with pytest.raises(ConfigError, match="nowhere"):
        training_result([tmp_path / "nowhere"])


def test_bad_settings_are_refused() -> None:
    for change, words in (({"volumes_mbit": ()}, "volumes_mbit"), ({"router_worlds": 1}, "router_worlds=1")):
        with pytest.raises(ConfigError, match=words):
            replace(BsMarlConfig(), **change)
