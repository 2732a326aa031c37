"""The packets of real frames: against brute force, against sums over frames, and what is always true."""

import itertools

import numpy as np
import pytest
import torch

from models.profile_file import EITHER
from offload.accuracy import RequirementError
from offload.joint.design import JointDesign
from offload.joint.estimates import Estimates
from offload.joint.frames import FrameTasks, draw_frames
from offload.joint.plans import Plans, efficient_levels
from tests.offload.joint.profiles import made_profile

PIXELS = 65536


def made_design(
    accuracy: float = 0.9,
    *,
    classes: int = 4,
    coding: str = "attention",
    counts: tuple[int, ...] = (60, 35, 0, 80),
    seed: int = 0,
) -> JointDesign:
    known, asked = made_profile(seed=1), made_profile(seed=2)
    estimates = Estimates.fit(known, coding, classes)
    frames = draw_frames(asked, torch.tensor([counts, counts[::-1]]), accuracy, seed=seed)
    return JointDesign(asked, coding, estimates, frames.ranked(asked) if classes > 1 else frames, PIXELS)


def all_counts(design: JointDesign) -> list[torch.Tensor]:
    most = int(design.frames.counts.max())
    return [torch.full_like(design.frames.counts, m).minimum(design.frames.counts) for m in range(most + 1)]


@pytest.mark.parametrize("classes", [1, 4])
def test_sizes_are_the_coded_bytes_of_the_frames_sent(classes: int) -> None:
    design = made_design(classes=classes)
    for offloaded in all_counts(design):
        packets = design(design.frames.tasks, offloaded)
        possible = packets.size_mbit.isfinite()
        assert torch.allclose(packets.size_mbit[possible], design.sent_mbit(offloaded)[possible])
        assert (packets.level_frames.sum(2) == offloaded).all()


@pytest.mark.parametrize("classes", [1, 4])
@pytest.mark.parametrize("accuracy", [0.8, 0.88, 0.93])
def test_the_accuracy_is_reached_wherever_a_size_is_given_and_nowhere_else(
    classes: int, accuracy: float
) -> None:
    design = made_design(accuracy, classes=classes)
    finest = torch.from_numpy(design._plans.level[-1])
    for offloaded in all_counts(design):
        possible = design(design.frames.tasks, offloaded).size_mbit.isfinite()
        expected, present = design.expected_accuracy(offloaded), design.frames.counts > 0
        assert (expected[possible & present] >= accuracy - 1e-8).all()
        group = design._group[design.frames.rows]
        at_best = torch.from_numpy(design._estimates.received(finest[group].numpy(), group.numpy()))
        sent = torch.arange(group.shape[2]) < offloaded[..., None]
        best = design._mean(torch.where(sent, at_best, torch.from_numpy(design._estimates.onboard)[group]))
        assert (best[~possible & present] < accuracy).all()


def test_sizes_against_the_cheapest_of_all_choices_of_levels() -> None:
    """Never cheaper than any choice of a level for each frame that is good enough; at most one step dearer."""
    known = made_profile(seed=1, levels=3)
    same_size = known.codings["plain"].coded_bytes
    same_size[:] = same_size.mean(0).astype(
        np.int64
    )  # then a class's mean is each frame's size, and greedy is exact
    estimates = Estimates.fit(known, "plain", 2)
    frames = draw_frames(known, torch.tensor([[6]]), 0.85, seed=3).ranked(known)
    design = JointDesign(known, "plain", estimates, frames, PIXELS)
    rows = frames.rows[0, 0].numpy()
    group = np.searchsorted(estimates.edges, known.confidence[rows, 0], side="right")
    mbit = same_size[0] * 8 / 9216 * PIXELS / 1e6
    for m in range(7):
        onboard = estimates.onboard[group[m:]].sum()
        costs = []
        for levels in itertools.product(range(3), repeat=m):
            right = onboard + estimates.received(np.array(levels, int), group[:m]).sum()
            if right >= 6 * 0.85 - 1e-9:
                costs.append(mbit[list(levels)].sum())
        size = float(design(frames.tasks, torch.tensor([[m]])).size_mbit)
        if not costs:
            assert np.isinf(size)
        else:
            assert min(costs) - 1e-9 <= size <= min(costs) + np.diff(mbit).max() + 1e-9


def test_nothing_offloaded_is_the_onboard_model_and_everything_is_the_large_one() -> None:
    asked = made_profile(seed=2)
    design = made_design(accuracy=0.0)
    rows = design.frames.rows
    none, all_ = torch.zeros_like(design.frames.counts), design.frames.counts
    present = design.frames.present
    for offloaded, scores in ((none, asked.small_score), (all_, asked.codings["attention"].score[:, 0])):
        expected = torch.where(present, torch.from_numpy(scores)[rows], 0.0).sum(2) / all_.clamp(min=1)
        assert torch.allclose(design.measured_accuracy(offloaded), expected)
    assert (design(design.frames.tasks, none).size_mbit == 0).all()


@pytest.mark.parametrize("classes", [1, 4])
def test_a_higher_requirement_never_takes_fewer_bytes_or_frames(classes: int) -> None:
    loose = made_design(0.8, classes=classes)
    (strict,) = loose.at_each([0.9])
    possible = strict.table.size_mbit.isfinite()
    assert loose.table.size_mbit[possible].isfinite().all()
    assert (loose.table.size_mbit[possible] <= strict.table.size_mbit[possible] + 1e-9).all()
    assert (loose.fewest <= strict.fewest).all()


def test_select_gives_the_same_worlds() -> None:
    design = made_design()
    part = design.select(torch.tensor([1]))
    offloaded = design.fewest
    assert torch.equal(part.fewest, offloaded[1:])
    assert torch.equal(part.levels_of(offloaded[1:]), design.levels_of(offloaded)[1:])
    assert torch.equal(
        part(part.frames.tasks, offloaded[1:]).size_mbit, design(design.frames.tasks, offloaded).size_mbit[1:]
    )


def test_what_cannot_be_reached_is_refused_with_what_can() -> None:
    design = made_design(0.9999)
    with pytest.raises(RequirementError, match=r"at most 0\.9\d+ is expected"):
        design.require_reachable()
    reachable = float(design.table.reachable[design.frames.counts > 0].min())
    assert reachable < 0.9999
    made_design(0.85).require_reachable()


def test_ranking_keeps_the_frames_and_puts_the_least_trusted_first() -> None:
    profile = made_profile()
    frames = draw_frames(profile, torch.tensor([[30, 12]]), 0.9, seed=5)
    ranked = frames.ranked(profile)
    for task, count in enumerate((30, 12)):
        before, after = frames.rows[0, task, :count], ranked.rows[0, task, :count]
        assert torch.equal(before.sort().values, after.sort().values)
        assert len(before.unique()) == count
        assert (np.diff(profile.confidence[after.numpy(), 0]) >= 0).all()


def test_either_coding_never_takes_more_than_the_better_ladder_expects_to() -> None:
    """Where one ladder's frames are unusable, its levels are never bought; its bytes would have bought nothing."""
    known, asked = made_profile(seed=1), made_profile(seed=2)
    for profile in (known, asked):
        profile.codings["attention"].score[:] = 0.0
    frames = draw_frames(asked, torch.tensor([[60, 35, 80]]), 0.9, seed=0)
    design = JointDesign(asked, EITHER, Estimates.fit(known, EITHER, 1), frames, PIXELS)
    plain = JointDesign(asked, "plain", Estimates.fit(known, "plain", 1), frames, PIXELS)
    for offloaded in all_counts(design):
        levels = design.levels_of(offloaded)
        assert (levels < 4).all(), "the first four are the plain ladder's"
    assert torch.equal(design.fewest, plain.fewest)


def test_estimates_are_monotone_and_expectations_stay_within_bounds() -> None:
    for informative in (True, False):
        found = Estimates.fit(made_profile(seed=4, informative=informative), "plain", 5)
        assert (np.diff(found.onboard) >= 0).all()
        assert (np.diff(found.error) <= 0).all()
        assert (np.diff(found.difficulty) <= 0).all()
        level, group = np.meshgrid(np.arange(4), np.arange(len(found.onboard)))
        received = found.received(level, group)
        assert ((received >= 0) & (received <= 1)).all()


def test_plans_refine_one_class_at_a_time_by_gain_per_byte() -> None:
    plans = Plans.of(Estimates.fit(made_profile(seed=4), "plain", 5))
    changed = np.diff(plans.level, axis=0) != 0
    assert (changed.sum(1) == 1).all()
    assert (changed.argmax(1) == plans.step_class).all()
    assert (plans.step_gain > 0).all()


def test_efficient_levels_are_the_hull() -> None:
    bits, error = np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([0.5, 0.45, 0.2, 0.21, 0.1])
    assert efficient_levels(bits, error) == [0, 2, 4]


def test_frames_beyond_those_profiled_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 50"):
        draw_frames(made_profile(50), torch.tensor([[51]]), 0.9, seed=0)


def test_requirements_are_of_the_whole_task() -> None:
    frames = draw_frames(made_profile(), torch.tensor([[10, 0]]), 0.9, seed=0)
    assert isinstance(frames, FrameTasks)
    assert frames.tasks.present.tolist() == [[True, False]]
    assert (frames.requiring(0.5).accuracy == 0.5).all()
