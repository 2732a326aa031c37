"""Service delay: closed forms by hand, and parts that add up."""

from dataclasses import replace

import pytest
import torch

from agents.routers import ROUTERS
from envs.delay import uncongested_delays
from offload.config import ComputeConfig, Computing
from offload.problem import OffloadProblem
from offload.service import service_delay, sharing
from tests.offload.by_hand import service_by_hand

CAUSES = ("transmission_s", "propagation_s", "relay_s")


def offloaded_by(problem: OffloadProblem, ratio: float) -> torch.Tensor:
    return (problem.tasks.frames * ratio).round().long()


@pytest.mark.parametrize("router", ["dijkstra", "best_response_single"])
@pytest.mark.parametrize("computing", list(Computing))
def test_every_term_is_that_of_plain_loops(
    problem: OffloadProblem, computing: Computing, router: str
) -> None:
    compute = replace(problem.config.compute, computing=computing, computing_tops=7.0, sensing_tops=1.5)
    problem = replace(problem, config=replace(problem.config, compute=compute))
    share = torch.rand(problem.tasks.frames.shape, generator=torch.Generator().manual_seed(5))
    offloaded = (problem.tasks.frames * share * (share > 0.3)).long()  # some tasks offload nothing
    found = problem.evaluate(offloaded, ROUTERS[router]())
    delay = found.delay
    terms = {
        **{
            f"{kind}_{cause}": getattr(getattr(delay, kind), cause)
            for kind in ("model", "data")
            for cause in CAUSES
        },
        **{name: getattr(delay, name) for name in ("feature_s", "large_s", "small_s", "total_s")},
    }
    for world in range(problem.worlds.n_worlds):
        by_hand = service_by_hand(problem, found, world)
        for task, expected in enumerate(by_hand):
            assert {name: float(term[world, task]) for name, term in terms.items()} == pytest.approx(
                expected, rel=1e-5
            )
        mean_s = sum(one["total_s"] for one in by_hand) / len(by_hand)
        assert float(found.mean_s[world]) == pytest.approx(mean_s, rel=1e-5)


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.7, 1.0])
def test_parts_add_up(problem: OffloadProblem, ratio: float) -> None:
    delay = problem.evaluate(offloaded_by(problem, ratio), ROUTERS["min_hop"]()).delay
    parts = delay.parts()
    torch.testing.assert_close(torch.stack(list(parts.values())).sum(0), delay.total_s)
    assert all((part >= 0).all() for part in parts.values())


def test_no_data_packet_and_no_load_where_nothing_is_offloaded(problem: OffloadProblem) -> None:
    offloaded = offloaded_by(problem, 0.5)
    offloaded[:, 0] = 0
    result = problem.evaluate(offloaded, ROUTERS["dijkstra"]())
    n_tasks = problem.worlds.n_tasks
    assert (result.routes.links[:, n_tasks] == -1).all()
    assert (result.delay.data.total_s[:, 0] == 0).all() and (result.delay.large_s[:, 0] == 0).all()
    everybody = problem.evaluate(offloaded_by(problem, 0.5), ROUTERS["dijkstra"]())
    others_s = result.delay.data.total_s[:, 1:], everybody.delay.data.total_s[:, 1:]
    assert (others_s[0] <= others_s[1] + 1e-6).all() and (others_s[0] < others_s[1] - 1e-3).any()


def test_a_shared_computing_satellite_is_divided_among_those_that_use_it(problem: OffloadProblem) -> None:
    offloaded = offloaded_by(problem, 0.5)
    offloaded[0, 0] = 0
    n_tasks = problem.worlds.n_tasks
    share = sharing(problem.worlds, offloaded, Computing.shared)
    for world in range(problem.worlds.n_worlds):
        for task in range(n_tasks):
            server = problem.worlds.source[world, task]
            others = sum(
                bool(offloaded[world, other] > 0) and bool(problem.worlds.source[world, other] == server)
                for other in range(n_tasks)
                if other != task
            )
            assert share[world, task] == others + 1, "what it finds, or would find"
    result = problem.evaluate(offloaded, ROUTERS["dijkstra"]())
    arguments = (problem.ephemeris, problem.worlds, result.routes, problem.tasks, offloaded)
    settings = {"frames": problem.config.frames, "environment": problem.environment}
    shared = service_delay(*arguments, compute=ComputeConfig(computing=Computing.shared), **settings)
    torch.testing.assert_close(shared.large_s, result.delay.large_s * share)


def test_a_lost_packet_is_charged(problem: OffloadProblem) -> None:
    offloaded = offloaded_by(problem, 0.5)
    short = replace(problem, environment=replace(problem.environment, max_hops=1, max_steps=1))
    result = short.evaluate(offloaded, ROUTERS["dijkstra"]())
    n_tasks = problem.worlds.n_tasks
    lost = ~result.routes.delivered[:, n_tasks:]
    assert lost.any()
    sized = problem.worlds.with_sizes(torch.cat([result.model_mbit, result.data.size_mbit], 1).float())
    alone_s = uncongested_delays(problem.ephemeris, sized)[:, n_tasks:].double()
    charge = torch.where(lost, problem.environment.undelivered_factor * alone_s, 0.0)
    assert torch.equal(result.delay.data.lost_s, charge) and (charge[lost] > 0).all()
