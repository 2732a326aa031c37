"""What the utility networks are by construction, whatever their weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from agents.config import UtilityConfig, UtilityKind
from agents.networks import Utility, build_utility, largest_direction
from agents.protocol import EnvironmentSpec, ObservationLayout

LAYOUT = ObservationLayout(n_global=3, n_directions=4, n_per_direction=5, prior=2, prior_scale_s=3.0, legal=0)
SPEC = EnvironmentSpec(
    n_agents=6,
    n_actions=4,
    observation_size=23,
    agent_state_size=7,
    summary_size=2,
    observation_layout=LAYOUT,
)


def observations(n: int = 50) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    observation = torch.randn(n, 23, generator=random)
    _, directions = LAYOUT.split(observation)
    directions[..., LAYOUT.legal] = (torch.rand(n, 4, generator=random) < 0.6).float()
    return observation


def trained(kind: UtilityKind, residual_on_prior: bool = True) -> Utility:
    """A network whose head, zero at first, has been moved as training would move it."""
    torch.manual_seed(1)
    network = build_utility(SPEC, UtilityConfig(kind=kind, width=16, residual_on_prior=residual_on_prior))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize("kind", UtilityKind)
def test_untrained_agents_follow_the_known_cost(kind: UtilityKind) -> None:
    observation = observations()
    q = build_utility(SPEC, UtilityConfig(kind=kind))(observation)
    _, directions = LAYOUT.split(observation)
    torch.testing.assert_close(q, -3.0 * directions[..., 2])


@pytest.mark.parametrize("kind", UtilityKind)
def test_without_the_prior_the_network_says_it_all(kind: UtilityKind) -> None:
    network = trained(kind, residual_on_prior=False)
    observation = observations()
    torch.testing.assert_close(network(observation), network.correction(observation))


@pytest.mark.parametrize("kind", UtilityKind)
def test_judging_in_parts_gives_the_same_values_without_a_gradient(
    kind: UtilityKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, observation = trained(kind), observations()
    whole = network(observation)
    monkeypatch.setattr("agents.networks._ROWS_IN_CACHE", 7)
    judged = network.judge(observation)
    torch.testing.assert_close(judged, whole)
    assert whole.requires_grad and not judged.requires_grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_gradient_of_the_largest_is_shared_by_ties(dtype: torch.dtype) -> None:
    values = (
        torch.randint(4, (50, 4, 6), generator=torch.Generator().manual_seed(2)).to(dtype).requires_grad_()
    )
    upstream = torch.randint(-12, 12, (50, 6), generator=torch.Generator().manual_seed(3)).to(dtype)
    of_amax, ours = values.amax(1), largest_direction(values)
    assert torch.equal(of_amax, ours)
    (expected,), (found,) = (torch.autograd.grad(one, values, upstream) for one in (of_amax, ours))
    assert (values == ours[:, None]).sum() > ours.numel(), "there are ties"
    assert torch.equal(found, expected)


@pytest.mark.parametrize("kind", UtilityKind)
def test_agents_do_not_influence_each_other(kind: UtilityKind) -> None:
    network, observation = trained(kind), observations()
    torch.testing.assert_close(network(observation)[7:9], network(observation[7:9]))
    assert network(observation[:0]).shape == (0, 4)


def test_renaming_the_directions_renames_their_values() -> None:
    network, observation = trained(UtilityKind.direction_shared), observations()
    common, directions = LAYOUT.split(observation)
    order = torch.tensor([2, 0, 3, 1])
    renamed = torch.cat([common, directions[:, order].flatten(1)], dim=1)
    torch.testing.assert_close(network(renamed), network(observation)[:, order])


def test_illegal_directions_do_not_colour_the_legal_ones() -> None:
    network, observation = trained(UtilityKind.direction_shared), observations()
    before = network(observation)
    _, directions = LAYOUT.split(observation)
    legal = directions[..., LAYOUT.legal] > 0
    flag = directions[..., LAYOUT.legal].clone()
    directions[~legal] = 100.0  # a view: changes the observation
    directions[..., LAYOUT.legal] = flag
    torch.testing.assert_close(network(observation)[legal], before[legal])


@pytest.mark.parametrize("kind", UtilityKind)
def test_a_missing_layout_is_named(kind: UtilityKind) -> None:
    bare = replace(SPEC, observation_layout=None)
    with pytest.raises(ValueError, match="observation_layout"):
        build_utility(bare, UtilityConfig(kind=kind, residual_on_prior=True))
    if kind is UtilityKind.direction_shared:
        with pytest.raises(ValueError, match="direction_shared"):
            build_utility(bare, UtilityConfig(kind=kind, residual_on_prior=False))
    else:
        build_utility(bare, UtilityConfig(kind=kind, residual_on_prior=False))
