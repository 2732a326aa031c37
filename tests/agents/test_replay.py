"""The replay against a plain list of episodes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from agents.collect import collect_episodes
from agents.episodes import ROW_FIELDS, Batch, Episodes
from agents.replay import Replay
from tests.agents.games import WalkGame


def walk(seed: int, n_worlds: int = 8, max_steps: int = 6) -> Episodes:
    random = torch.Generator().manual_seed(seed)
    game = WalkGame(n_worlds, max_steps=max_steps)
    return collect_episodes(game, lambda o: torch.zeros(len(o), 2), seed=seed, epsilon=0.5, generator=random)


def one(batch: Batch, b: int) -> tuple[Tensor, ...]:
    """Episode b of a batch without its padding."""
    rows, steps = batch["valid"][b], int(batch["length"][b] + batch["truncated"][b])
    return (
        *(batch[name][b][rows] for name in ROW_FIELDS),
        *(batch[name][b, :steps] for name in ("agent_state", "summary", "team_reward")),
        batch["length"][b],
        batch["truncated"][b],
    )


def same(first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_newest_episodes_are_kept_whole_through_many_wraps() -> None:
    """Batches of changing size and episodes of changing length, until the ring has wrapped several times."""
    replay, known = Replay(20), []
    for i, n_worlds in enumerate([8, 3, 20, 1, 7, 8, 13, 8, 2, 19, 8, 8]):
        episodes = walk(i, n_worlds, max_steps=3 + i % 5)
        batch = episodes.to_batch()
        known = [*known, *(one(batch, b) for b in range(n_worlds))][-20:]
        replay.add(episodes)
        assert len(replay) == len(known)
        slots = torch.arange(replay.added - len(replay), replay.added) % 20
        held = replay.batch(slots)
        assert all(same(one(held, b), episode) for b, episode in enumerate(known))


def test_memory_stays_bounded() -> None:
    replay = Replay(16)
    capacities = []
    for i in range(40):
        replay.add(walk(i))
        capacities.append(replay.decisions.capacity)
    held = int(replay.decisions.count.sum())
    assert capacities[-1] == capacities[10] < 4 * held


def test_sampling_reaches_every_episode_and_follows_the_generator() -> None:
    replay = Replay(16)
    replay.add(walk(0))
    replay.add(walk(1))
    draws = [replay.sample(64, torch.Generator().manual_seed(s)) for s in (5, 5, 6)]
    assert all(torch.equal(draws[0][name], draws[1][name]) for name in draws[0])
    drawn = [[tuple(state) for state in draw["agent_state"][:, 0].flatten(1).tolist()] for draw in draws]
    assert len({*drawn[0], *drawn[2]}) == 16, "128 draws of 16 episodes"
    assert drawn[0] != drawn[2]


def test_padding_holds_nothing_of_other_episodes() -> None:
    replay = Replay(16)
    replay.add(walk(0))
    batch = replay.sample(16, torch.Generator().manual_seed(0))
    for name in ROW_FIELDS:
        assert (batch[name][~batch["valid"]] == (-1 if name == "action" else 0)).all(), name


def test_a_restored_replay_draws_the_same_batches_and_goes_on_alike() -> None:
    replay = Replay(20)
    for i in range(4):
        replay.add(walk(i))
    restored = Replay(20)
    restored.load_state_dict(replay.state_dict())
    for i in range(4, 8):
        random = [torch.Generator().manual_seed(i) for _ in range(2)]
        first, second = replay.sample(10, random[0]), restored.sample(10, random[1])
        assert all(torch.equal(first[name], second[name]) for name in first)
        replay.add(walk(i))
        restored.add(walk(i))


def test_an_empty_replay_can_be_stored_but_not_sampled() -> None:
    replay, other = Replay(4), Replay(4)
    other.load_state_dict(replay.state_dict())
    assert len(other) == 0
    with pytest.raises(ValueError, match="empty"):
        other.sample(1, torch.Generator())


def test_too_many_episodes_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        Replay(4).add(walk(0))
    full = Replay(8)
    full.add(walk(0))
    with pytest.raises(ValueError, match="do not fit"):
        Replay(4).load_state_dict(full.state_dict())
