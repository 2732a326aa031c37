"""The TD loss of a batch: what it may depend on, what it must not, and what it must be."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from agents.collect import collect_episodes
from agents.config import (
    AlgorithmConfig,
    Credit,
    MixerConfig,
    MixerKind,
    Precision,
    UtilityConfig,
    UtilityKind,
)
from agents.episodes import ROW_FIELDS, Batch, Episodes
from agents.protocol import EnvironmentSpec
from agents.qmix import QMIXModel
from tests.agents.games import MatrixGame, WalkGame

GAME = WalkGame(24, max_steps=6)
SPEC = EnvironmentSpec.of(GAME)
KINDS = list(MixerKind)


def walk(seed: int = 0, game: WalkGame = GAME) -> Episodes:
    random = torch.Generator().manual_seed(seed)
    return collect_episodes(game, lambda o: torch.rand(len(o), 2), seed=seed, epsilon=0.5, generator=random)


def config(kind: MixerKind = MixerKind.set, **options: float | Credit) -> AlgorithmConfig:
    return AlgorithmConfig(
        precision=Precision.float32,
        mixer=MixerConfig(kind=kind, width=8, embedding=8, hypernetwork_width=8),
        utility=UtilityConfig(kind=UtilityKind.flat, width=16),
        **options,  # type: ignore[arg-type]
    )


def model(settings: AlgorithmConfig, spec: EnvironmentSpec = SPEC) -> QMIXModel:
    """A model with weights as after some training, online and target apart."""
    torch.manual_seed(0)
    built = QMIXModel(spec, settings).eval()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for mixer in (built.mixer, built.target_mixer):
            if mixer is not None:
                mixer.return_scale.fill_(7.0)
    return built


def loss_and_gradient(built: QMIXModel, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    built.zero_grad()
    loss = built.loss(batch)["loss"]
    loss.backward()
    gradients = [p.grad for p in built.online_parameters() if p.grad is not None]
    return loss.detach(), torch.cat([g.flatten() for g in gradients])


def padded(batch: Batch, rows: int, steps: int) -> Batch:
    """The batch with more padding, of arbitrary content."""
    longer = {}
    for name, field in batch.items():
        if name in (*ROW_FIELDS, "valid"):
            filler = torch.zeros(len(field), rows, *field.shape[2:], dtype=field.dtype)
        elif name in ("agent_state", "summary", "team_reward"):
            filler = torch.full((len(field), steps, *field.shape[2:]), 3.0)
        else:
            longer[name] = field
            continue
        if name == "action":
            filler -= 1
        elif filler.dtype == torch.float32:
            filler += 50.0
        longer[name] = torch.cat([field, filler], dim=1)
    return longer


@pytest.mark.parametrize("kind", KINDS)
def test_padding_does_not_matter(kind: MixerKind) -> None:
    built, batch = model(config(kind)), walk().to_batch()
    expected = loss_and_gradient(built, batch)
    torch.testing.assert_close(loss_and_gradient(built, padded(batch, rows=5, steps=3)), expected)


@pytest.mark.parametrize("kind", [MixerKind.none, MixerKind.vdn, MixerKind.set, MixerKind.link])
def test_unused_slots_do_not_matter(kind: MixerKind) -> None:
    batch = walk().to_batch()
    wide = dict(batch, agent_state=torch.cat([batch["agent_state"], 0 * batch["agent_state"]], dim=2))
    narrow, broad = model(config(kind)), model(config(kind), replace(SPEC, n_agents=12))
    torch.testing.assert_close(loss_and_gradient(broad, wide), loss_and_gradient(narrow, batch))


@pytest.mark.parametrize("kind", KINDS)
def test_illegal_actions_do_not_matter(kind: MixerKind) -> None:
    """However attractive an illegal action looks to either network, no target and no gradient sees it."""
    built, batch = model(config(kind)), walk().to_batch()
    legal = batch["legal"][batch["valid"]]
    expected = loss_and_gradient(built, batch)

    def tempt(_module: torch.nn.Module, _inputs: object, q: torch.Tensor) -> torch.Tensor:
        return torch.where(legal, q, 1e6)

    built.utility.register_forward_hook(tempt)
    built.target_utility.register_forward_hook(tempt)
    assert not legal.all()
    torch.testing.assert_close(loss_and_gradient(built, batch), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_agents_without_a_legal_action_do_no_harm(kind: MixerKind) -> None:
    batch = walk().to_batch()
    batch["legal"][:, ::3] = False
    batch["action"][:, ::3] = -1
    loss, gradient = loss_and_gradient(model(config(kind)), batch)
    assert loss.isfinite() and gradient.isfinite().all()


def test_gradients_reach_the_online_networks_only() -> None:
    built = model(config(MixerKind.set))
    built.loss(walk().to_batch())["loss"].backward()
    for name, parameter in built.named_parameters():
        online = not name.startswith("target")
        assert parameter.requires_grad == online, name
        assert (parameter.grad is not None) == online, name


def test_each_weight_switches_its_part_off() -> None:
    batch = walk().to_batch()
    weights = model(config()).state_dict()

    def losses(credit_weight: float, joint_weight: float) -> dict[str, torch.Tensor]:
        built = model(config(credit_weight=credit_weight, joint_weight=joint_weight))
        built.load_state_dict(weights, strict=False)
        return built.loss(batch)

    both, joint, own = losses(2, 3), losses(0, 1), losses(1, 0)
    torch.testing.assert_close(both["loss"], 2 * own["loss"] + 3 * joint["loss"])
    assert "credit_loss" not in joint and "joint_loss" not in own
    assert model(config(joint_weight=0)).mixer is None, "what is never used is not built"
    assert model(config(MixerKind.none)).mixer is None


def test_the_team_learns_from_the_reward_and_the_agents_from_their_credit() -> None:
    batch = walk().to_batch()
    richer = dict(batch, team_reward=batch["team_reward"] + 1)
    valued = dict(batch, credit=batch["credit"] + 1)
    own, joint = model(config(joint_weight=0)), model(config(credit_weight=0))
    assert torch.equal(own.loss(richer)["loss"], own.loss(batch)["loss"])
    assert torch.equal(joint.loss(valued)["loss"], joint.loss(batch)["loss"])
    assert own.loss(valued)["loss"] != own.loss(batch)["loss"]
    assert joint.loss(richer)["loss"] != joint.loss(batch)["loss"]


def test_agents_may_share_the_reward_of_the_team() -> None:
    batch = walk().to_batch()
    shared = model(config(MixerKind.none, credit=Credit.team))
    valued = dict(batch, credit=batch["credit"] + 1)
    richer = dict(batch, team_reward=batch["team_reward"] + 1)
    assert torch.equal(shared.loss(valued)["loss"], shared.loss(batch)["loss"])
    assert shared.loss(richer)["loss"] != shared.loss(batch)["loss"]
    expected = loss_and_gradient(shared, batch)
    torch.testing.assert_close(loss_and_gradient(shared, padded(batch, rows=5, steps=3)), expected)


def test_shards_of_a_batch_add_up() -> None:
    """A batch cut in two equal shards, each weighted by its size, has the gradient of the whole."""
    built, batch = model(config(joint_weight=0)), walk().to_batch()
    whole = loss_and_gradient(built, batch)
    parts = [{name: field[rows] for name, field in batch.items()} for rows in (slice(0, 12), slice(12, 24))]
    played = [float(((part["action"] >= 0) & part["valid"]).sum()) for part in parts]
    if batch["truncated"].any():  # decisions of unknown outcome have no target and do not count
        terminal = dict(batch, truncated=torch.zeros_like(batch["truncated"]))
        whole = loss_and_gradient(built, terminal)
        parts = [dict(part, truncated=torch.zeros_like(part["truncated"])) for part in parts]
    results = [loss_and_gradient(built, part) for part in parts]
    for of_whole, *of_parts in zip(whole, *results, strict=True):
        weighted = sum(n * part for n, part in zip(played, of_parts, strict=True)) / sum(played)
        torch.testing.assert_close(weighted, of_whole)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shard_without_decisions_does_no_harm(kind: MixerKind) -> None:
    batch = {name: field[:2].clone() for name, field in walk().to_batch().items()}
    batch["valid"][:] = False
    batch["action"][:] = -1
    batch["length"][:] = 0
    batch["truncated"][:] = False
    built = model(config(kind)).train()
    loss, gradient = loss_and_gradient(built, batch)
    assert loss == 0 and (gradient == 0).all()
    assert built.mixer is None or built.mixer.return_scale == 7.0


# ---------------------------------------------------------------- what the targets must be, by hand


def joint_metrics(built: QMIXModel, batch: Batch) -> float:
    return float(built.loss(batch)["target"])


def by_hand(truncated: bool) -> tuple[QMIXModel, Batch]:
    """One agent, one episode of two steps; observation = step number; tables for both networks."""
    spec = EnvironmentSpec(n_agents=1, n_actions=2, observation_size=3, agent_state_size=1, summary_size=1)
    settings = AlgorithmConfig(
        precision=Precision.float32,
        mixer=MixerConfig(kind=MixerKind.vdn),
        utility=UtilityConfig(kind=UtilityKind.flat, residual_on_prior=False),
        td_lambda=0.0,
        gamma=0.5,
    )
    built = QMIXModel(spec, settings).eval()
    tables = {
        "utility": torch.tensor([[1.0, 0.0], [4.0, 3.0], [0.0, 9.0]]),  # best: 0, 0, 1
        "target_utility": torch.tensor([[10.0, 99.0], [20.0, 99.0], [99.0, 40.0]]),
    }
    for name, table in tables.items():
        network = getattr(built, name)
        network.correction = lambda observation, table=table: observation @ table  # observations are one-hot
    n = 3 if truncated else 2
    batch = {
        "observation": torch.eye(3)[None, :n],
        "legal": torch.ones(1, n, 2, dtype=torch.bool),
        "action": torch.tensor([[0, 1, -1]])[:, :n],
        "step": torch.arange(n)[None],
        "agent": torch.zeros(1, n, dtype=torch.int64),
        "order": torch.arange(n)[None],
        "credit": torch.tensor([[100.0, 200.0, 0.0]])[:, :n],
        "valid": torch.ones(1, n, dtype=torch.bool),
        "agent_state": torch.ones(1, n, 1, 1),
        "summary": torch.ones(1, n, 1),
        "team_reward": torch.tensor([[1.0, 2.0, 0.0]])[:, :n],
        "length": torch.tensor([2]),
        "truncated": torch.tensor([truncated]),
    }
    return built, batch


@pytest.mark.parametrize("truncated", [False, True])
def test_the_double_q_target_is_that_of_the_next_step(truncated: bool) -> None:
    """r_t + gamma Q'(s_{t+1}, argmax Q(s_{t+1})): not Q' of this step, not its own maximum; the end is worth
    zero, the cut is not."""
    built, batch = by_hand(truncated)
    after = 0.5 * 40.0 if truncated else 0.0
    targets = torch.tensor([1.0 + 0.5 * 20.0, 2.0 + after])
    taken = torch.tensor([1.0, 3.0])  # online values of the actions played
    metrics = built.loss(batch)
    torch.testing.assert_close(metrics["target"], targets.mean())
    huber = torch.nn.functional.huber_loss
    torch.testing.assert_close(metrics["joint_loss"], huber(taken, targets, delta=1.0))
    own = torch.tensor([100.0 + 0.5 * 20.0, 200.0 + after])
    torch.testing.assert_close(metrics["credit_loss"], huber(taken, own, delta=2.0))


def test_a_packet_that_waits_at_the_cut_does_not_count_as_finished() -> None:
    """Its last decision has an unknown outcome: it must not be learned as if nothing followed."""
    built, batch = model(config(joint_weight=0)), walk(game=WalkGame(24, max_steps=3)).to_batch()
    layout = WalkGame.state_layout
    at = batch["truncated"].nonzero().squeeze(1)
    alive = batch["agent_state"][at, batch["length"][at], :, layout.alive] > 0
    waiting = built._alive_at_cut(batch)[at]
    assert torch.equal(waiting, alive) and alive.any()
    forgetful = dict(batch, agent_state=torch.zeros_like(batch["agent_state"]))
    assert not built._alive_at_cut(forgetful).any()
    assert built.loss(batch)["loss"] != built.loss(forgetful)["loss"]


# ---------------------------------------------------------------- what moves besides the gradient


def test_targets_follow_softly() -> None:
    built = model(config())
    before = {name: value.clone() for name, value in built.named_parameters()}
    built.update_targets(0.25)
    for name, value in built.named_parameters():
        if name.startswith("target"):
            online = before[name.removeprefix("target_")]
            torch.testing.assert_close(value, before[name] + 0.25 * (online - before[name]))
        else:
            assert torch.equal(value, before[name])
    built.update_targets(1.0)
    assert torch.equal(built.target_utility.head.weight, built.utility.head.weight)  # type: ignore[union-attr]


def test_the_return_scale_follows_the_returns_in_training_only() -> None:
    built, batch = QMIXModel(SPEC, config(td_lambda=1.0)), walk().to_batch()
    assert built.mixer is not None and built.target_mixer is not None
    built.eval().loss(batch)
    assert built.mixer.return_scale == 1.0
    built.train().loss(batch)
    played = torch.arange(batch["team_reward"].shape[1]) < batch["length"][:, None]
    ended = ~batch["truncated"]
    to_go = batch["team_reward"].flip(1).cumsum(1).flip(1)
    assert 0.5 < built.mixer.return_scale / to_go[ended][played[ended]].std() < 2.0
    assert torch.equal(built.mixer.return_scale, built.target_mixer.return_scale)
    many = {name: field * 10 if name == "team_reward" else field for name, field in batch.items()}
    before = built.mixer.return_scale.clone()
    built.loss(many)
    assert before < built.mixer.return_scale < 10 * before, "it follows gradually"


def test_a_restored_model_is_the_same_model() -> None:
    batch = walk().to_batch()
    built, restored = QMIXModel(SPEC, config()), QMIXModel(SPEC, config())
    built.loss(batch)
    restored.load_state_dict(built.state_dict())
    torch.testing.assert_close(
        loss_and_gradient(restored, batch), loss_and_gradient(built, batch), rtol=0, atol=0
    )


def test_games_without_layouts_train_too() -> None:
    game = MatrixGame([[1.0, 0.0], [0.0, 2.0]], n_worlds=16)
    batch = collect_episodes(game, lambda o: torch.rand(len(o), 2), seed=0).to_batch()
    for kind in (MixerKind.vdn, MixerKind.qmix, MixerKind.set):
        settings = config(kind, credit_weight=0.0)
        settings = replace(settings, utility=UtilityConfig(kind=UtilityKind.flat, residual_on_prior=False))
        loss, gradient = loss_and_gradient(model(settings, EnvironmentSpec.of(game)), batch)
        assert loss > 0 and gradient.isfinite().all()
