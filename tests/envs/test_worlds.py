"""How worlds are drawn."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.config import ConfigError, TaskConfig
from envs.worlds import sample_worlds
from tests.envs.random_networks import grid, random_ephemeris

EPHEMERIS = random_ephemeris(grid("delta", 4, 5, 1), up_share=0.9)
tasks = st.builds(TaskConfig, n_tasks=st.integers(1, 12), n_computing=st.integers(1, 8))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(tasks, st.integers(0, 2**62))
def test_sampled_worlds_are_as_the_task_says(task: TaskConfig, seed: int):
    worlds = sample_worlds(EPHEMERIS, task, 6, seed=seed)
    n = task.n_tasks
    server, sensing = worlds.source[:, :n], worlds.source[:, n:]
    assert torch.equal(worlds.destination, torch.cat([sensing, server], 1))
    for world in range(6):
        assert len(set(sensing[world].tolist())) == n
        assert len(set(server[world].tolist())) <= task.n_computing
        assert not set(sensing[world].tolist()) & set(server[world].tolist())
        slot, servers = worlds.slot[world], server[world]
        hops = EPHEMERIS.hops(slot, servers[None, :], sensing[world][:, None])  # [n, n]
        assert torch.equal(hops.diagonal(), hops.amin(1))  # no other task's server is nearer
    for size, (low, high) in (
        (worlds.size_mbit[:, :n], task.model_mbit),
        (worlds.size_mbit[:, n:], task.data_mbit),
    ):
        assert bool(((size >= low) & (size <= high)).all())
    assert bool(worlds.present.all())


def test_equal_seeds_give_equal_worlds_and_others_do_not():
    first, same, other = (sample_worlds(EPHEMERIS, TaskConfig(), 9, seed=seed) for seed in (1, 1, 2))
    for name in ("slot", "source", "destination", "size_mbit"):
        assert torch.equal(getattr(first, name), getattr(same, name))
        assert not torch.equal(getattr(first, name), getattr(other, name))


def test_only_the_slots_asked_for_are_used():
    slots = torch.tensor([0, 2])
    assert set(sample_worlds(EPHEMERIS, TaskConfig(), 50, seed=0, slots=slots).slot.tolist()) == {0, 2}


def test_a_packet_of_size_zero_is_absent():
    worlds = sample_worlds(EPHEMERIS, TaskConfig(n_tasks=2), 1, seed=0)
    sizes = torch.tensor([[1.0, 0.0, 2.0, 3.0]])
    assert worlds.with_sizes(sizes).present.tolist() == [[True, False, True, True]]


def test_too_many_tasks_are_refused():
    with pytest.raises(
        ConfigError, match=r"task\.n_tasks=19 plus task\.n_computing=2 is more than the 20 satellites"
    ):
        sample_worlds(EPHEMERIS, TaskConfig(n_tasks=19), 1, seed=0)


def test_worlds_of_a_mixed_load_differ_in_their_number_of_tasks():
    task = TaskConfig(n_tasks=6, fewest_tasks=2)
    worlds = sample_worlds(EPHEMERIS, task, 200, seed=0)
    by_kind = worlds.present.view(200, 2, 6)
    assert torch.equal(by_kind[:, 0], by_kind[:, 1])  # both packets of a task or none
    n_present = by_kind[:, 0].sum(1)
    assert set(n_present.tolist()) == {2, 3, 4, 5, 6}
    assert torch.equal(by_kind[:, 0], torch.arange(6) < n_present[:, None])


def test_fewest_tasks_must_be_possible():
    with pytest.raises(ConfigError, match=r"task\.fewest_tasks=7 .*from 1 to task\.n_tasks=6"):
        TaskConfig(n_tasks=6, fewest_tasks=7)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.sampled_from([0.45, 0.6, 0.8]), st.integers(0, 2**62), st.integers(1, 4), st.integers(1, 3))
def test_worlds_are_of_satellites_with_a_way_to_each_other(up_share: float, seed: int, n: int, k: int):
    ephemeris = random_ephemeris(grid("delta", 6, 8, 1), up_share=up_share, seed=seed % 5)
    worlds = sample_worlds(ephemeris, TaskConfig(n_tasks=n, n_computing=k), 20, seed=seed)
    part = ephemeris.component[worlds.slot]  # [E, V]
    assert torch.equal(part.gather(1, worlds.source), part.gather(1, worlds.destination))
    sensing = worlds.source[:, n:]
    assert all(len(set(row)) == n for row in sensing.tolist())


def test_in_a_connected_network_a_seed_means_what_it_always_did():
    ephemeris = random_ephemeris(grid("delta", 6, 8, 1), up_share=1.0)
    worlds = sample_worlds(ephemeris, TaskConfig(n_tasks=5, n_computing=2), 30, seed=8)
    generator = torch.Generator().manual_seed(8)
    assert torch.equal(worlds.slot, torch.randint(3, (30,), generator=generator))
    chosen = torch.rand(30, 48, generator=generator).topk(7, dim=1).indices
    assert torch.equal(worlds.source[:, 5:], chosen[:, :5])
    assert (worlds.source[:, :5, None] == chosen[:, None, 5:]).any(2).all()


def test_a_network_in_pieces_too_small_is_refused():
    ephemeris = random_ephemeris(grid("delta", 6, 8, 1), up_share=0.05)
    with pytest.raises(ConfigError, match="hang together in any slot: take fewer tasks or failures"):
        sample_worlds(ephemeris, TaskConfig(n_tasks=8), 3, seed=0)
