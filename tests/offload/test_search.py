"""The search against exhaustive references, and what its trace promises."""

from dataclasses import replace

import pytest
import torch

from agents.routers import ROUTERS
from envs.config import EnvironmentConfig, TaskConfig
from envs.ephemeris import Ephemeris
from envs.worlds import Worlds, sample_worlds
from offload.config import (
    PAPER_SEARCH,
    ComputeConfig,
    Computing,
    FramesConfig,
    OffloadConfig,
    ScheduleName,
    SearchConfig,
)
from offload.problem import OffloadProblem
from offload.schedules import Response
from offload.schemes import SCHEMES
from offload.search import Stop, search
from offload.tasks import Tasks, sample_tasks
from tests.offload.grid import grid_search

PER_PACKET = ("source", "destination", "size_mbit", "present")
SHORT = FramesConfig(frames=(40, 90))
PATIENT = replace(PAPER_SEARCH, stop_when_worse=False)
SEARCHES = {
    "bisection": PATIENT,
    "balance": replace(PATIENT, schedule=ScheduleName.balance),
    "coordinate": replace(PATIENT, schedule=ScheduleName.coordinate, iterations=32),
    "default": SearchConfig(),
}
"""Those that go on while there is something to try: schedules alone, and the default, which polishes."""


def small_problem(ephemeris: Ephemeris, n_worlds: int, n_tasks: int, **config) -> OffloadProblem:
    worlds = sample_worlds(ephemeris, TaskConfig(n_tasks=n_tasks), n_worlds, seed=7)
    settings = OffloadConfig(frames=SHORT, **config)
    tasks = sample_tasks(SHORT, worlds, seed=3)
    return OffloadProblem.of(ephemeris, worlds, tasks, settings, EnvironmentConfig())


@pytest.mark.parametrize("search_name", SEARCHES)
def test_one_task_is_solved_to_within_a_frame(ephemeris: Ephemeris, search_name: str) -> None:
    problem = small_problem(ephemeris, 32, 1)
    router = ROUTERS["dijkstra"]()
    found = search(problem, router, replace(SEARCHES[search_name], tolerance=0.0)).chosen.mean_s
    best, _ = grid_search(problem, router)
    assert (found <= 1.0001 * best).all()


@pytest.mark.parametrize("computing", list(Computing))
@pytest.mark.parametrize("router", ["min_hop", "look_ahead_2"])
def test_within_two_percent_of_the_grid_where_it_is_balanced_inside(
    ephemeris: Ephemeris, router: str, computing: Computing
) -> None:
    """Tasks of a world contend for links (and, if shared, for computing). The rule that stops as soon as it got worse
    cannot promise this much."""
    problem = small_problem(ephemeris, 40, 3, compute=ComputeConfig(computing=computing))
    best, offloaded = grid_search(problem, ROUTERS[router]())
    inside = ((offloaded > 0) & (offloaded < problem.tasks.frames)).all(1)
    assert inside.sum() >= 30
    found = {
        name: search(problem, ROUTERS[router](), config).chosen.mean_s for name, config in SEARCHES.items()
    }
    for name, mean_s in found.items():
        assert (mean_s <= 1.02 * best)[inside].all(), name
    printed = search(problem, ROUTERS[router](), PAPER_SEARCH).chosen.mean_s
    assert (printed > 1.02 * best)[inside].any()


@pytest.mark.parametrize("router", ["dijkstra", "look_ahead_2", "best_response_single"])
@pytest.mark.parametrize("search_name", [*SEARCHES, "Algorithm 1"])
def test_never_worse_than_its_start(problem: OffloadProblem, search_name: str, router: str) -> None:
    config = (SEARCHES | {"Algorithm 1": PAPER_SEARCH})[search_name]
    for ratio in (0.0, 0.5, 1.0):
        decision = search(problem, ROUTERS[router](), replace(config, initial_ratio=ratio, iterations=5))
        start = (problem.tasks.frames * ratio).round().long()
        assert (decision.chosen.mean_s <= problem.evaluate(start, ROUTERS[router]()).mean_s + 1e-9).all()


@pytest.mark.parametrize("computing", list(Computing))
def test_the_response_is_the_best_number_of_frames_on_given_paths(
    ephemeris: Ephemeris, computing: Computing
) -> None:
    """Also that of a task which offloads nothing now, and of others that could be served by its satellite."""
    compute = ComputeConfig(computing=computing, computing_tops=4.0)
    problem, router = small_problem(ephemeris, 12, 3, compute=compute), ROUTERS["min_hop"]()
    worlds, response = torch.arange(12), Response(problem)
    offloaded = problem.tasks.frames // 2
    response(worlds, problem.evaluate(offloaded, router))  # so that it knows everybody's path
    offloaded = offloaded.masked_fill(torch.tensor([True, False, False]), 0)
    found = response(worlds, problem.evaluate(offloaded, router))
    for task in range(3):
        totals_s = []
        for frames in range(int(problem.tasks.frames[:, task].max()) + 1):
            tried = offloaded.clone()
            tried[:, task] = problem.tasks.frames[:, task].clamp(max=frames)
            totals_s.append(problem.evaluate(tried, router).delay.total_s[:, task])
        least_s = torch.stack(totals_s).min(0).values
        own_s = torch.stack(totals_s).gather(0, found[None, :, task]).squeeze(0)
        if (
            task == 0
        ):  # its data packet would load links that others use, so its path may be dearer for it by now
            assert (own_s <= 1.01 * least_s).all()
        else:
            torch.testing.assert_close(own_s, least_s, rtol=1e-6, atol=0.0)


@pytest.mark.parametrize("schedule", list(ScheduleName))
def test_what_is_returned_is_the_best_of_the_trace(problem: OffloadProblem, schedule: ScheduleName) -> None:
    router = ROUTERS["look_ahead_2"]()
    decision = search(problem, router, SearchConfig(schedule=schedule, polish=False))
    trace = decision.trace
    assert trace is not None
    world = torch.arange(problem.worlds.n_worlds)
    torch.testing.assert_close(trace.mean_s.nan_to_num(torch.inf).min(0).values, decision.chosen.mean_s)
    torch.testing.assert_close(trace.offloaded[trace.best, world], decision.chosen.offloaded)
    again = problem.evaluate(decision.chosen.offloaded, router)
    torch.testing.assert_close(again.delay.total_s, decision.chosen.delay.total_s)
    assert torch.equal(again.routes.links, decision.chosen.routes.links)


@pytest.mark.parametrize("computing", list(Computing))
def test_polishing_balances_on_the_paths_found(ephemeris: Ephemeris, computing: Computing) -> None:
    problem = small_problem(ephemeris, 4, 3, compute=ComputeConfig(computing=computing))
    router = ROUTERS["look_ahead_2"]()
    rough, smooth = (
        search(problem, router, SearchConfig(iterations=1, polish=on)).chosen for on in (False, True)
    )
    assert (smooth.mean_s <= rough.mean_s).all() and (smooth.mean_s < rough.mean_s).any()
    assert torch.equal(smooth.routes.links, rough.routes.links)
    again = problem.evaluate_on(smooth.offloaded, smooth.routes)
    torch.testing.assert_close(again.delay.total_s, smooth.delay.total_s)
    for step in (-1, 1):  # no task gains by a frame more or less on these paths
        other = problem.evaluate_on(smooth.offloaded + step, smooth.routes)
        assert (other.delay.total_s >= smooth.delay.total_s - 1e-6).all()


def test_every_routing_is_polished(problem: OffloadProblem) -> None:
    """So a search that polishes is at least as good as polishing any one of its iterations."""
    router = ROUTERS["look_ahead_2"]()
    config = SearchConfig(iterations=4, contested=0.0)
    decision = search(problem, router, config)
    trace = decision.trace
    assert trace is not None
    for iteration in range(len(trace.offloaded)):
        there = (trace.iterations > iteration).nonzero().squeeze(1)
        some = problem.select(there)
        routed = some.evaluate(trace.offloaded[iteration, there], router)
        response = Response(some)(torch.arange(len(there)), routed)
        moves = ((response > 0) & (response < some.tasks.frames)) & (routed.offloaded > 0)
        moves &= routed.offloaded < some.tasks.frames
        polished = some.evaluate_on(torch.where(moves, response, routed.offloaded), routed.routes)
        assert (decision.chosen.mean_s[there] <= polished.mean_s + 1e-9).all()


def test_only_contested_worlds_are_routed_again(problem: OffloadProblem) -> None:
    router = ROUTERS["look_ahead_2"]()
    once = search(problem, router, SearchConfig(iterations=1)).chosen
    lost = problem.lost_to_others(once)
    assert (lost >= 0).all() and (lost < 1).all()
    limit = float(lost.median())
    trace = search(problem, router, SearchConfig(contested=limit)).trace
    assert trace is not None
    stopped = trace.stop == Stop.uncontested
    assert (lost[stopped] < limit).all() and (trace.iterations[stopped] == 1).all() and stopped.any()
    assert (trace.iterations[lost >= limit] == 2).any()
    every = search(problem, router, SearchConfig(contested=0.0)).trace
    assert every is not None and not (every.stop == Stop.uncontested).any()


def test_a_world_in_which_a_packet_is_to_appear_is_routed_again_however_little_it_loses(
    problem: OffloadProblem,
) -> None:
    router, config = ROUTERS["look_ahead_2"](), SearchConfig(initial_ratio=0.0, contested=0.99)
    decision = search(problem, router, config)
    assert decision.trace is not None and (decision.trace.iterations == 2).all()
    assert (decision.chosen.mean_s < decision.trace.mean_s[0]).all() and (decision.mean_ratio > 0).all()


def test_who_is_alone_loses_nothing_to_others(ephemeris: Ephemeris) -> None:
    """One task's two packets go opposite ways: on its cheapest path a data packet shares no link, just relays."""
    problem = small_problem(ephemeris, 6, 1)
    evaluation = problem.evaluate(problem.tasks.frames // 2, ROUTERS["dijkstra"]())
    assert (problem.lost_to_others(evaluation) < 0.002).all()


def test_worlds_do_not_influence_one_another(problem: OffloadProblem) -> None:
    router, config = ROUTERS["dijkstra"](), SearchConfig()
    together = search(problem, router, config).chosen
    for world in (0, 5):
        alone = search(problem.select(torch.tensor([world])), router, config).chosen
        assert torch.equal(alone.offloaded[0], together.offloaded[world])


def test_reasons_to_stop(problem: OffloadProblem) -> None:
    router = ROUTERS["look_ahead_2"]()
    trace = search(problem, router, PAPER_SEARCH).trace
    assert trace is not None
    mean_s, last = trace.mean_s, trace.iterations - 1
    for world in range(problem.worlds.n_worlds):
        k = int(last[world])
        went_worse = k > 0 and bool(mean_s[k, world] > mean_s[k - 1, world])
        assert went_worse == (trace.stop[world] == Stop.worse)
        assert (mean_s[1:k, world] <= mean_s[: k - 1, world]).all() if k > 1 else True
    patient = search(problem, router, PATIENT).trace
    assert patient is not None and not (patient.stop == Stop.worse).any()
    assert (patient.iterations >= trace.iterations).all()


def test_bisection_moves_towards_the_branch_that_waits(problem: OffloadProblem) -> None:
    trace = search(problem, ROUTERS["dijkstra"](), PATIENT).trace
    assert trace is not None
    for k in range(len(trace.offloaded) - 1):
        both = trace.iterations > k + 1
        step = (trace.offloaded[k + 1] - trace.offloaded[k])[both]
        idle = (trace.small_s - trace.offloaded_s)[k][both]
        assert ((step == 0) | (step.sign() == idle.sign())).all()


def test_schemes_are_ordered_where_ratios_can_only_help(problem: OffloadProblem) -> None:
    """The search starts from the even split and keeps the best; fixed ratios are what they say."""
    router = ROUTERS["dijkstra"]()
    decisions = {name: make(SearchConfig()).decide(problem, router) for name, make in SCHEMES.items()}
    assert (decisions["small_only"].ratio == 0).all() and (decisions["centralised"].ratio == 1).all()
    assert (decisions["bs_marl"].chosen.mean_s <= decisions["even_split"].chosen.mean_s + 1e-9).all()
    assert (decisions["small_only"].chosen.data.size_mbit == 0).all()


def test_more_computing_moves_work_to_it(ephemeris: Ephemeris) -> None:
    ratios = []
    for tops in (1.0, 5.0, 20.0, 80.0):
        problem = small_problem(ephemeris, 6, 3, compute=ComputeConfig(computing_tops=tops))
        ratios.append(float(search(problem, ROUTERS["min_hop"](), SearchConfig()).ratio.mean()))
    assert ratios == sorted(ratios)


@pytest.mark.parametrize("computing", list(Computing))
def test_worlds_with_fewer_tasks_are_those_worlds(problem: OffloadProblem, computing: Computing) -> None:
    """A task of no frames leaves no trace: the others fare as if it had never been there."""
    router = ROUTERS["look_ahead_2"]()
    problem = replace(problem, config=replace(problem.config, compute=ComputeConfig(computing=computing)))
    tasks = problem.tasks
    fewer = replace(problem, tasks=replace(tasks, frames=tasks.frames * torch.tensor([1, 0, 1, 0])))
    kept, n_tasks = [0, 2], problem.worlds.n_tasks
    packets = torch.tensor([*kept, *(n_tasks + task for task in kept)])
    worlds = problem.worlds
    small = replace(
        problem,
        worlds=Worlds(worlds.slot, *(getattr(worlds, name)[:, packets] for name in PER_PACKET)),
        tasks=Tasks(*(getattr(tasks, name)[:, kept] for name in tasks.__dataclass_fields__)),
    )
    with_gaps, without = (search(one, router, SearchConfig()) for one in (fewer, small))
    assert torch.equal(with_gaps.chosen.offloaded[:, kept], without.chosen.offloaded)
    torch.testing.assert_close(with_gaps.chosen.mean_s, without.chosen.mean_s)
    torch.testing.assert_close(with_gaps.mean_ratio, without.mean_ratio)


def test_sizes_that_do_not_fit_are_refused(problem: OffloadProblem) -> None:
    with pytest.raises(ValueError, match="tasks="):
        replace(problem, tasks=problem.tasks.select(torch.arange(2)))
