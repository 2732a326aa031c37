"""The observation that is built on board is the one that the policy was trained on."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.export import onboard
from agents.export.measuring import measure, select
from agents.export.onboard import (
    LAYOUTS,
    Measurements,
    OnboardError,
    Rules,
    build_observation,
    legal_directions,
    needed_of_ring,
    satellites_around,
)
from envs import announcements, constellation, ephemeris, links, observation, observation_layout
from envs.config import EnvironmentConfig, LoadView
from envs.observation import Observer
from envs.observation_layout import ObservationLayout
from envs.simulator import RoutingSimulator
from tests.envs.random_networks import RELAY_S_PER_MBIT, RandomPlayer, grid, random_ephemeris, random_worlds

DOC = Path(__file__).parents[3] / "docs" / "environment.md"


def a_game(loads: LoadView, seed: int = 0, **rules) -> tuple[RoutingSimulator, RandomPlayer]:
    """A random network with closed links, absent packets and a player that holds now and then."""
    network = random_ephemeris(
        grid(("delta", "star")[seed % 2], 5, 7, 1), up_share=(0.6, 0.9, 1.0)[seed % 3], seed=seed
    )
    worlds = random_worlds(network, 5, 4, absent_share=0.2, seed=seed)
    config = EnvironmentConfig(loads=loads, relay_s_per_mbit=RELAY_S_PER_MBIT, **rules)
    simulator = RoutingSimulator(network, config)
    simulator.reset(worlds)
    return simulator, RandomPlayer(worlds.n_packets, seed, hold_share=0.1)


def turns(simulator: RoutingSimulator, player: RandomPlayer):
    while len(turn := simulator.turn()) and not bool(simulator.truncated.any()):
        yield turn
        simulator.step(turn, player(turn))


@pytest.mark.parametrize("loads", LoadView)
@pytest.mark.parametrize("seed", range(6))
def test_it_equals_the_one_of_training_on_random_worlds(loads: LoadView, seed: int):
    simulator, player = a_game(
        loads,
        seed,
        broadcast_delay_steps=seed % 3,
        feasibility_mask=seed % 2 == 0,
        max_hops=(8, 40)[seed % 2],
    )
    observer, rules = Observer(simulator), Rules(simulator.config.max_hops, RELAY_S_PER_MBIT)
    layout = LAYOUTS[observer.layout.name]
    compared = 0
    for turn in turns(simulator, player):
        known = measure(simulator, turn, layout)
        # The way to an unreachable destination reads 1000 s; one rounding of it is 2e-5 units of delay.
        np.testing.assert_allclose(
            build_observation(layout, rules, known), observer(turn).numpy(), rtol=1e-5, atol=5e-5
        )
        compared += len(turn)
    assert compared > 30


def a_measurement(loads: LoadView = LoadView.announced) -> Measurements:
    simulator, player = a_game(loads)
    simulator.step(simulator.turn(), player(simulator.turn()))
    return measure(simulator, simulator.turn(), LAYOUTS[ObservationLayout.of(loads).name])


def build(known: Measurements, loads: LoadView = LoadView.announced) -> np.ndarray:
    return build_observation(LAYOUTS[ObservationLayout.of(loads).name], Rules(40, RELAY_S_PER_MBIT), known)


def test_each_row_depends_on_its_own_measurements_only():
    known = a_measurement()
    whole = build(known)

    for i in range(3):
        np.testing.assert_array_equal(build(select(known, slice(i, i + 1)))[0], whole[i])


@pytest.mark.parametrize("loads", LoadView)
def test_the_layouts_are_those_of_training(loads: LoadView):
    trained = ObservationLayout.of(loads)
    layout = LAYOUTS[trained.name]
    assert layout.size == trained.size
    assert tuple(layout.common) == trained.global_names and tuple(layout.block) == trained.direction_names
    torch.testing.assert_close(torch.from_numpy(layout.units), trained.units())


def test_the_units_are_those_of_the_document():
    tables = []
    for table in re.findall(
        r"^\| name \| unit \|.*\n(?:\|.*\n)+", DOC.read_text(encoding="utf-8"), flags=re.MULTILINE
    ):
        tables.append(dict(re.findall(r"^\| `(\w+)` \| ([\d.]+[ \w]*) \|", table, flags=re.MULTILINE)))
    layout = LAYOUTS["leomix-routing-v1/announced"]
    assert [layout.common, layout.block] == tables[:2]


def test_the_constants_are_those_of_training():
    assert tuple(onboard.OPPOSITE) == constellation.OPPOSITE
    assert onboard.DOWN_S_PER_MBIT == ephemeris.DOWN_S_PER_MBIT
    assert onboard.UNREACHABLE == (0.0, ephemeris.UNREACHABLE_S, ephemeris.UNREACHABLE_HOPS)
    assert onboard.LIGHT_KM_S == links.LIGHT_KM_S
    assert onboard.FORBIDDEN_S == observation.FORBIDDEN_S
    assert onboard.ANNOUNCED_WEIGHT == observation.ANNOUNCED_WEIGHT
    assert onboard.CAP == observation_layout.CAP
    assert announcements.ANNOUNCED_HOPS == 5, "docs/flight.md says so"


def test_the_mask_is_the_one_of_the_game():
    simulator, player = a_game(LoadView.own, max_hops=9)
    neighbours, up = simulator.neighbours.numpy(), simulator.ephemeris.link_up.numpy()
    compared = 0
    for turn in turns(simulator, player):
        n = len(turn)
        entered = np.zeros(
            (n, simulator.n_satellites), bool
        )  # each packet's own list, as its header carries it
        paths = simulator.paths.reshape(-1, simulator.config.max_hops)[turn.packet]
        source = simulator.worlds.source.reshape(-1)[turn.packet]
        for i in range(n):
            hops = paths[i][paths[i] >= 0].numpy()
            entered[i, [int(source[i]), *neighbours.reshape(-1)[hops]]] = True
        here, ahead, onward = satellites_around(neighbours, turn.satellite.numpy(), 2)
        rows, slot = np.arange(n)[:, None], turn.slot_row.numpy()[:, None]
        go = simulator.ephemeris.cost_to_go.numpy()[turn.goal_row.numpy()[:, None] + ahead]
        legal = legal_directions(
            up=up[(slot + here)[:, 0]],
            visited=entered[rows, ahead],
            hops_to_go=go[..., 2],
            onward_up=up[slot + ahead],
            onward_visited=entered[rows, onward].reshape(n, 4, 4),
            hops_left=simulator.config.max_hops - simulator.hops.reshape(-1)[turn.packet].numpy(),
        )
        np.testing.assert_array_equal(legal, turn.legal.numpy())
        np.testing.assert_array_equal(entered[rows, ahead], turn.visited.numpy())
        compared += n
    assert compared > 30


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda known: {"size_mbit": known.size_mbit[:-1]}, "has shape"),
        (lambda known: {"legal": known.legal[:, :3]}, r"legal has shape"),
        (lambda known: {"legal": known.legal.astype(np.int8)}, r"legal is int8, it must be bool"),
        (lambda known: {"rings": known.rings[:-1]}, r"rings: leomix-routing-v1/announced needs 4"),
        (lambda known: {"rings": (*known.rings[:2], known.rings[3], known.rings[3])}, r"rings\[2\]"),
        (
            lambda known: {"queue_mbit": known.queue_mbit * np.nan},
            r"queue_mbit holds a number that is not finite",
        ),
        (
            lambda known: {"accumulated_s": known.accumulated_s + np.inf},  # at most 20, as a feature
            r"accumulated_s holds a number that is not finite",
        ),
        (lambda known: {"size_mbit": known.size_mbit * 0}, r"is size_mbit positive"),
    ],
)
def test_wrong_measurements_are_refused_by_name(change, words: str):
    known = a_measurement()
    with pytest.raises(OnboardError, match=words):
        build(replace(known, **change(known)))


@pytest.mark.parametrize("ring", range(4))
def test_a_missing_or_broken_measurement_of_any_ring_is_named(ring: int):
    known = a_measurement()
    for name in needed_of_ring(LAYOUTS["leomix-routing-v1/announced"], ring):
        if name == "is_destination":
            continue

        def with_ring(values, name=name):
            changed = replace(known.rings[ring], **{name: values})
            return replace(known, rings=(*known.rings[:ring], changed, *known.rings[ring + 1 :]))

        with pytest.raises(OnboardError, match=rf"rings\[{ring}\].{name} is missing"):
            build(with_ring(onboard.NOT_NEEDED))
        for value in (np.nan, np.inf):
            with pytest.raises(
                OnboardError, match=rf"rings\[{ring}\].{name} holds a number that is not finite"
            ):
                build(with_ring(np.full_like(getattr(known.rings[ring], name), value)))
