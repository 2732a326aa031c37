"""The search over tasks of real frames: never below the accuracy, and as good as brute force."""

from dataclasses import replace

import pytest
import torch

from agents.routers import ROUTERS
from envs.config import EnvironmentConfig
from envs.ephemeris import Ephemeris
from envs.worlds import Worlds
from models.workload import Workload
from offload.config import PAPER_SEARCH, OffloadConfig, ScheduleName, SearchConfig
from offload.joint.design import JointDesign
from offload.joint.estimates import Estimates
from offload.joint.frames import draw_frames
from offload.joint.problem import JointProblem
from offload.joint.seconds import FrameSeconds, devices, operations
from offload.search import search
from tests.offload.joint.profiles import made_profile

ROUTER = ROUTERS["dijkstra"]()


def joint_problem(
    ephemeris: Ephemeris,
    worlds: Worlds,
    environment: EnvironmentConfig,
    accuracy: float,
    *,
    seconds: FrameSeconds | None = None,
    classes: int = 4,
    pixels: int = 1_000_000,
) -> JointProblem:
    known, asked = made_profile(seed=1), made_profile(seed=2)
    config = OffloadConfig()
    counts = torch.randint(20, 60, (worlds.n_worlds, worlds.n_tasks), generator=torch.manual_seed(0))
    frames = draw_frames(asked, counts, accuracy, seed=1).ranked(asked)
    design = JointDesign(asked, "attention", Estimates.fit(known, "attention", classes), frames, pixels)
    seconds = seconds or operations(config.compute, config.frames, gated=True)
    return JointProblem.joined(
        ephemeris, worlds, design, seconds, config, environment, update_mbit=config.model.smallest_mbit
    )


@pytest.fixture(scope="module")
def tight(ephemeris: Ephemeris, worlds: Worlds, environment: EnvironmentConfig) -> JointProblem:
    """A requirement that keeps most tasks from offloading little."""
    return joint_problem(ephemeris, worlds, environment, 0.93)


@pytest.mark.parametrize(
    "config",
    [
        PAPER_SEARCH,
        SearchConfig(schedule=ScheduleName.bisection),
        SearchConfig(),
        SearchConfig(schedule=ScheduleName.coordinate, initial_ratio=0.0),
    ],
    ids=["Algorithm 1", "bisection", "balance", "coordinate from 0"],
)
def test_every_search_keeps_to_the_accuracy_and_adds_up(tight: JointProblem, config: SearchConfig) -> None:
    decision = search(tight, ROUTER, config)
    chosen = decision.chosen
    assert (tight.fewest > 0).any()
    assert (chosen.offloaded >= tight.fewest).all()
    assert (tight.joint.expected_accuracy(chosen.offloaded) >= 0.93 - 1e-8).all()
    assert chosen.data.size_mbit.isfinite().all()
    assert torch.allclose(sum(chosen.delay.parts().values()), chosen.delay.total_s)  # type: ignore[arg-type]
    start = tight.evaluate((tight.tasks.frames * config.initial_ratio).round().long(), ROUTER)
    assert (chosen.mean_s <= start.mean_s + 1e-9).all()


def test_best_frames_against_trying_every_number(tight: JointProblem) -> None:
    """On given paths a task's delay depends on its own frames only."""
    latest = tight.evaluate((tight.tasks.frames * 0.6).long(), ROUTER)
    data, size = latest.delay.data, latest.data.size_mbit
    best = tight.best_frames(latest, (data.total_s - data.propagation_s) / size, data.propagation_s)
    found = tight.evaluate_on(best, latest.routes)
    most = int(tight.tasks.frames.max())
    for m in range(1, most + 1):
        offloaded = torch.full_like(best, m).minimum(tight.tasks.frames)
        tried = tight.evaluate_on(offloaded, latest.routes)
        possible = tried.data.size_mbit.isfinite()
        assert (tried.delay.total_s[possible] >= found.delay.total_s[possible] - 1e-5).all()


def test_one_task_alone_against_brute_force(
    ephemeris: Ephemeris, worlds: Worlds, environment: EnvironmentConfig
) -> None:
    """Dijkstra's path does not depend on sizes, so trying every number of frames is the best there is."""
    alone = Worlds(
        worlds.slot,
        *(x[:, [0, worlds.n_tasks]] for x in (worlds.source, worlds.destination)),
        *(x[:, [0, worlds.n_tasks]] for x in (worlds.size_mbit, worlds.present)),
    )
    problem = joint_problem(ephemeris, alone, environment, 0.9)
    chosen = search(problem, ROUTER, SearchConfig()).chosen
    tried = []
    for m in range(int(problem.tasks.frames.max()) + 1):
        offloaded = torch.full_like(chosen.offloaded, m).minimum(problem.tasks.frames)
        possible = problem.design.data(problem.tasks, offloaded).size_mbit.isfinite()[:, 0]
        tried.append(problem.evaluate(offloaded, ROUTER).mean_s.where(possible, torch.inf))
    assert torch.allclose(chosen.mean_s, torch.stack(tried).amin(0), rtol=1e-5)


def test_selected_worlds_are_decided_alike(tight: JointProblem) -> None:
    whole = search(tight, ROUTER, SearchConfig())
    part = search(tight.select(torch.tensor([2, 5])), ROUTER, SearchConfig())
    assert torch.equal(part.chosen.offloaded, whole.chosen.offloaded[[2, 5]])


def test_looking_at_every_frame_and_leaving_the_constellation_are_charged(tight: JointProblem) -> None:
    offloaded = tight.tasks.frames.clone()
    plain = replace(tight, look_s=0.0).evaluate(offloaded, ROUTER)
    exit_s = torch.full((tight.worlds.n_worlds,), 0.01, dtype=torch.float64)
    charged = replace(tight, look_s=0.5, exit_s_per_mbit=exit_s).evaluate(offloaded, ROUTER)
    extra = charged.delay.total_s - plain.delay.total_s
    assert torch.allclose(extra, 0.5 * tight.tasks.frames + 0.01 * plain.data.size_mbit)


def test_seconds_survive_being_written_as_operations() -> None:
    config = OffloadConfig()
    for seconds in (
        devices(made_profile(), Workload()),
        operations(config.compute, config.frames, gated=False),
    ):
        compute = seconds.compute(config.compute, config.frames)
        assert compute.small_frame_s == pytest.approx(seconds.keep_s)
        assert compute.large_frame_s == pytest.approx(seconds.large_s)
        assert compute.feature_s_per_mbit * config.frames.frame_mbit == pytest.approx(seconds.send_s)
