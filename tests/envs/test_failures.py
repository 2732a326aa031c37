"""Failed satellites and links."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from envs.config import ConfigError
from envs.constellation import FORE, OPPOSITE, RIGHT, Constellation
from envs.failures import FailureConfig
from envs.links import EbN0Link
from envs.orbit import slot_times_s
from envs.scenario import Scenario
from envs.topology import build_topology

STAR = Constellation("star", "star", 6, 11, 780.0, 86.4, 1, polar_cutoff_deg=70.0)
TOPOLOGY = build_topology(STAR, EbN0Link(), slot_times_s(6, 900.0))
SLOT = torch.tensor([3, 8, 9, 40, 41, 99])


def test_by_default_nothing_fails():
    assert FailureConfig().apply(TOPOLOGY, SLOT) is TOPOLOGY


@pytest.mark.parametrize("lasting", ["day", "slot"])
@pytest.mark.parametrize(("satellites", "links"), [(0.3, 0.0), (0.0, 0.3), (0.2, 0.2)])
def test_links_fail_from_both_ends_and_only_fail(lasting: Any, satellites: float, links: float):
    failed = FailureConfig(satellites, links, lasting=lasting, seed=4).apply(TOPOLOGY, SLOT)
    assert not (failed.up & ~TOPOLOGY.up).any()
    assert failed.up.sum() < TOPOLOGY.up.sum()
    assert torch.equal(failed.rate_mbps, torch.where(failed.up, TOPOLOGY.rate_mbps, 0.0))
    assert torch.equal(failed.length_km, TOPOLOGY.length_km)
    for direction in (FORE, RIGHT):
        there = TOPOLOGY.neighbours[:, direction]
        linked = STAR.wired()[:, direction]
        back = failed.up[:, there[linked], OPPOSITE[direction]]
        assert torch.equal(back, failed.up[:, linked, direction])


@pytest.mark.parametrize("lasting", ["day", "slot"])
def test_what_fails_at_a_low_rate_fails_at_a_higher_one(lasting: Any):
    last = TOPOLOGY.up
    for rate in (0.0, 0.1, 0.25, 0.5, 0.9):
        up = FailureConfig(rate, rate / 2, lasting=lasting, seed=1).apply(TOPOLOGY, SLOT).up
        assert not (up & ~last).any()
        last = up
    assert last.float().mean() < 0.1


def test_shares_are_as_asked():
    ring = Constellation("large", "delta", 20, 30, 1000.0, 53.0, 1)
    topology = build_topology(ring, EbN0Link(), slot_times_s(4), keep_positions=False)
    slots = torch.arange(4)
    up = FailureConfig(link_rate=0.3, lasting="slot").apply(topology, slots).up
    assert float(up.sum() / topology.up.sum()) == pytest.approx(0.7, abs=0.03)
    up = FailureConfig(satellite_rate=0.3, lasting="slot").apply(topology, slots).up
    assert float(up.any(2).float().mean()) == pytest.approx(0.7, abs=0.03)


def test_a_day_is_long_and_a_slot_is_its_own():
    still = replace(TOPOLOGY, up=STAR.wired().expand(6, -1, -1))
    day = FailureConfig(0.2, 0.2).apply(still, SLOT).up
    assert (day == day[:1]).all()
    by_slot = FailureConfig(0.2, 0.2, lasting="slot").apply(still, SLOT).up
    assert not (by_slot == by_slot[:1]).all()
    # A slot fails alike whatever other slots are looked at.
    alone = FailureConfig(0.2, 0.2, lasting="slot").apply(still.slots([3]), SLOT[3:4]).up
    assert torch.equal(alone[0], by_slot[3])


def test_listed_satellites_and_links_fail():
    neighbours, wired = TOPOLOGY.neighbours, STAR.wired()
    here = int(wired[:, RIGHT].nonzero()[5])
    there = int(neighbours[here, RIGHT])
    up = FailureConfig(satellites=(2, 30), links=((there, here),)).apply(TOPOLOGY, SLOT).up
    assert not up[:, [2, 30]].any() and not up[:, here, RIGHT].any()
    assert not up[:, neighbours[2, FORE], OPPOSITE[FORE]].any()
    touched = (neighbours == 2) | (neighbours == 30)
    touched[[2, 30]] = True
    touched[here, RIGHT] = touched[there, OPPOSITE[RIGHT]] = True
    assert torch.equal(up[:, ~touched], TOPOLOGY.up[:, ~touched])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"satellite_rate": 1.0}, "failures.satellite_rate=1.0"),
        ({"link_rate": -0.1}, "failures.link_rate=-0.1"),
        ({"seed": -1}, "failures.seed=-1"),
        ({"satellites": (66,)}, "failures.satellites=66 is not possible: 0 to 65"),
        ({"links": ((0, 66),)}, "failures.links=(0, 66)"),
        ({"links": ((0, 40),)}, "satellite 0 is linked to 1, 10, 11"),
    ],
)
def test_impossible_failures_name_their_field(settings: dict[str, Any], words: str):
    with pytest.raises(ConfigError) as error:
        FailureConfig(**settings).apply(TOPOLOGY, SLOT)
    assert words in str(error.value)


def test_scenarios_have_their_failures_in_every_part(small_scenario: Scenario):
    broken = replace(small_scenario, failures=FailureConfig(0.1, 0.1, seed=3))
    for part in ("training", "validation", "test"):
        whole, left = small_scenario.topology(part), broken.topology(part)
        assert left.up.sum() < whole.up.sum()
    ephemeris = broken.ephemeris("training")
    worlds = broken.worlds(ephemeris, 50, seed=0)
    component = ephemeris.component[worlds.slot]
    assert torch.equal(component.gather(1, worlds.source), component.gather(1, worlds.destination))
    assert ephemeris.link_up.view(4, -1, 4).any(2)[worlds.slot[:, None], worlds.source].all()
    assert "worlds are drawn among the others" in broken.remarks(ephemeris)[-1]
    assert small_scenario.remarks(small_scenario.ephemeris("training")) == []
