"""Fleets from TLE files: planes, order and neighbours are those that the satellites were given."""

from __future__ import annotations

import itertools
import json
import math
import pickle
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from envs.config import ConfigError, EnvironmentConfig, TaskConfig
from envs.connectivity import components, connectivity
from envs.constellation import (
    AFT,
    CONSTELLATIONS,
    FORE,
    LEFT,
    OPPOSITE,
    RIGHT,
    Constellation,
    Fleet,
    TleFleet,
)
from envs.constellation.__main__ import main
from envs.constellation.description import describe
from envs.constellation.wiring import least_versine, rms_distance_km, wire_planes
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.observation import Observer
from envs.orbit import j2_positions_km, sgp4_positions_km, slot_times_s
from envs.scenario import Scenario
from envs.simulator import RoutingSimulator
from envs.topology import build_topology
from tests.envs.tle_files import tle_lines, write_tle

WALKER = Constellation("walker_6x8", "delta", 6, 8, 1000.0, 53.0, 1)
OTHER = Constellation("higher", "delta", 3, 5, 1200.0, 53.0, 1)
TIMES = slot_times_s(12, 3600.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "fleet.tle"


def numbers(fleet: TleFleet) -> list[int]:
    """The number in `WALKER` of every satellite of the fleet."""
    return [int(record.name.removeprefix("SAT ")) for record in fleet.records]


def assert_proper_graph(fleet: Fleet) -> None:
    """Whoever is my neighbour has me in the opposite direction; nobody is linked twice, nor to himself."""
    neighbours, wired = fleet.neighbours(), fleet.wired()
    satellite = torch.arange(fleet.n_satellites)
    pairs: set[tuple[int, int]] = set()
    for direction in range(4):
        here = satellite[wired[:, direction]]
        there = neighbours[here, direction]
        assert torch.equal(neighbours[there, OPPOSITE[direction]], here)
        assert wired[there, OPPOSITE[direction]].all()
        assert (here != there).all()
        if direction in (FORE, RIGHT):
            found = {(min(pair), max(pair)) for pair in zip(here.tolist(), there.tolist(), strict=True)}
            assert len(found) == len(here) and not found & pairs
            pairs |= found


def test_a_complete_walker_is_found_again(file: Path):
    fleet = TleFleet(file=str(write_tle(file, tle_lines(WALKER))))
    assert (fleet.n_satellites, fleet.planes, fleet.warnings) == (48, 6, ())
    assert fleet.plane.tolist() == WALKER.plane.tolist()
    order = numbers(fleet)
    assert sorted(order) == list(range(48))
    for plane in torch.tensor(order).view(6, 8):
        assert len(set((plane // 8).tolist())) == 1
        assert ((plane.roll(-1) - plane) % 8 == 1).all()  # in the direction of flight
    of_plane = (torch.tensor(order).view(6, 8)[:, 0] // 8).tolist()
    assert [(b - a) % 6 for a, b in itertools.pairwise(of_plane)] == [1] * 5  # eastward
    elements = fleet.elements()
    torch.testing.assert_close(
        elements.semi_major_axis_km.mean(), torch.tensor(7378.137).double(), rtol=1e-4, atol=0
    )
    torch.testing.assert_close(
        elements.inclination_rad.mean(), torch.tensor(math.radians(53)).double(), rtol=1e-5, atol=0
    )
    # The same model of gravity in both would differ by the file's rounding only; WGS 72 here, WGS 84 there.
    apart = (fleet.positions_km(TIMES) - sgp4_positions_km(WALKER, TIMES)[:, order]).norm(dim=-1)
    assert apart.max() < 15


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    missing=st.sets(st.integers(0, 47), max_size=20),
    seed=st.integers(0, 1000),
    ages=st.sampled_from([(0.0,), (0.0, 1.7, -0.9), (3.0, 0.2, 5.5, 4.0)]),
)
def test_missing_and_drifting_satellites(
    missing: set[int], seed: int, ages: tuple[float, ...], tmp_path: Path
):
    drift = np.random.default_rng(seed).uniform(-10, 10, 48)
    lines = tle_lines(WALKER, missing=missing, ahead_deg=dict(enumerate(drift)), age_days=ages)
    fleet = TleFleet(file=str(write_tle(tmp_path / f"{uuid4()}.tle", lines)), date="2025-10-18")
    order = torch.tensor(numbers(fleet))
    assert sorted(order.tolist()) == sorted(set(range(48)) - missing)
    # Elements of different days show nodes up to 20 degrees apart in one plane; brought to one day they agree.
    for plane in range(fleet.planes):
        assert len(set((order[fleet.plane == plane] // 8).tolist())) == 1
    assert fleet.planes == len({number // 8 for number in order.tolist()})
    assert_proper_graph(fleet)
    neighbours, wired, phase = fleet.neighbours(), fleet.wired(), fleet.elements().argument_of_latitude_rad
    for plane in range(fleet.planes):
        here = (fleet.plane == plane).nonzero().flatten()
        assert (phase[here].diff() > 0).all() and torch.equal(fleet.slot[here], torch.arange(len(here)))
        if len(here) > 2:
            assert torch.equal(neighbours[here, FORE], here.roll(-1)) and wired[here][:, :2].all()
            steps = (phase[neighbours[here, FORE]] - phase[here]) % (2 * math.pi)
            assert float(steps.sum()) == pytest.approx(2 * math.pi)  # once round
    right = neighbours[wired[:, RIGHT], RIGHT]
    assert ((fleet.plane[right] - fleet.plane[wired[:, RIGHT]]) % fleet.planes == 1).all()


def test_neighbours_to_the_right_are_together_as_near_as_can_be():
    random = np.random.default_rng(3)
    phase = np.sort(random.uniform(0, 2 * np.pi, 9))
    phase = np.concatenate([np.sort(phase[:4]), np.sort(phase[4:])])
    raan = np.concatenate([np.full(4, 6.2), np.full(5, 0.3)])
    planes = [np.arange(4), np.arange(4, 9)]
    neighbours, wired = wire_planes(planes, raan, phase, math.cos(0.9), 7000.0, max_link_km=4000.0)

    def cost_km(pairs: list[tuple[int, int]]) -> float:
        apart = [
            rms_distance_km(raan[b] - raan[a], phase[b] - phase[a], math.cos(0.9), 7000.0) for a, b in pairs
        ]
        return float(sum(np.minimum(apart, 4000.0)))

    found = [(a, int(neighbours[a, RIGHT])) for a in range(4) if wired[a, RIGHT]]
    none = 4000.0 * (4 - len(found))
    best = min(
        cost_km(list(zip(range(4), there, strict=True))) for there in itertools.permutations(range(4, 9), 4)
    )
    assert cost_km(found) + none == pytest.approx(best)


@pytest.mark.parametrize(("node", "phase"), [(0.1, 0.2), (2.0, -1.0), (-0.5, 0.6), (0.0, 0.3)])
def test_distances_over_an_orbit_are_those_of_points_on_circles(node: float, phase: float):
    inclination, w = 0.9, torch.linspace(0, 2 * math.pi, 2001, dtype=torch.float64)[:-1]

    def point(raan: float, u: Tensor) -> Tensor:
        flat = u.sin() * math.cos(inclination)
        x, y = (
            u.cos() * math.cos(raan) - flat * math.sin(raan),
            u.cos() * math.sin(raan) + flat * math.cos(raan),
        )
        return torch.stack([x, y, u.sin() * math.sin(inclination)], 1)

    squared = (point(0.0, w) - point(node, w + phase)).square().sum(1)
    rms = rms_distance_km(np.array(node), np.array(phase), math.cos(inclination), 1.0)
    assert float(squared.mean().sqrt()) == pytest.approx(float(rms), rel=1e-9)
    least = least_versine(np.array(node), np.array(phase), math.cos(inclination))
    assert float(squared.min() / 2) == pytest.approx(float(least), rel=1e-4, abs=1e-6)


def test_a_partial_ring_is_open(file: Path):
    star = Constellation("star", "star", 5, 9, 900.0, 87.0, 1)
    fleet = TleFleet(file=str(write_tle(file, tle_lines(star))))
    assert fleet.planes == 5
    wired = fleet.wired()
    assert not wired[fleet.plane == 0, LEFT].any() and not wired[fleet.plane == 4, RIGHT].any()
    assert wired[fleet.plane < 4][:, RIGHT].all()
    assert_proper_graph(fleet)


def test_links_of_a_fleet_with_gaps(file: Path):
    fleet = TleFleet(
        file=str(write_tle(file, tle_lines(WALKER, missing={0, 1, 2, 9, 20, 33, 34}))), max_link_km=4800.0
    )
    topology = build_topology(fleet, EbN0Link(), TIMES)
    wired, neighbours = fleet.wired(), fleet.neighbours()
    assert not wired.all()
    assert not topology.up[:, ~wired].any() and (topology.rate_mbps[:, ~wired] == 0).all()
    assert (topology.length_km[topology.up] <= 4800).all() and (topology.length_km[:, wired] > 4800).any()
    position = topology.position_km
    assert position is not None
    for direction in range(4):
        there = neighbours[:, direction]
        distance = (position - position[:, there]).norm(dim=-1)
        torch.testing.assert_close(topology.length_km[..., direction], distance, rtol=1e-5, atol=1e-2)
        linked = wired[:, direction]
        for values in (topology.up, topology.rate_mbps):
            assert torch.equal(values[:, there[linked], OPPOSITE[direction]], values[:, linked, direction])


def test_everything_is_played_on_a_fleet_as_on_a_walker(file: Path):
    write_tle(file, tle_lines(WALKER, missing={3, 17, 40}, ahead_deg={5: 6.0, 22: -9.0}))
    scenario = Scenario(
        TleFleet(file=str(file)),
        EbN0Link(),
        DayConfig(n_slots=30, training_slots=2, validation_slots=1, test_slots=1),
        TaskConfig(n_tasks=3),
        EnvironmentConfig(max_hops=20),
    )
    copy = pickle.loads(pickle.dumps(scenario))
    ephemeris = copy.ephemeris("training")
    simulator = RoutingSimulator(ephemeris, scenario.environment)
    observe = Observer(simulator)
    simulator.reset(scenario.worlds(ephemeris, 8, seed=1))
    while len(turn := simulator.turn()):
        observation = observe(turn)
        assert observation.isfinite().all()
        score = observe.look_ahead(turn).deepest
        simulator.step(turn, score.masked_fill(~turn.legal, torch.inf).argmin(1))
    assert simulator.delivered.float().mean() > 0.9


# ------------------------------------------------------------------------------------------------ files


def with_checksum(line: str) -> str:
    from envs.constellation.tle_file import checksum_of

    return line[:68] + str(checksum_of(line))


def replaced(line: str, begin: int, text: str) -> str:
    """`line` with `text` from column `begin` on, and the checksum that belongs to it."""
    return with_checksum(line[: begin - 1] + text + line[begin - 1 + len(text) :])


BREAKS = {
    "checksum": (1, lambda line: line[:-1] + str((int(line[-1]) + 1) % 10), "line 2: checksum"),
    "short": (2, lambda line: line[:-1], "line 3: 68 characters long, not 69"),
    "long": (1, lambda line: line + "0", "line 2: 70 characters"),
    "no line 2": (2, lambda line: "", "line 2: a line 1 that no line 2 follows"),
    "no line 1": (1, lambda line: "", "line 3: a line 2 that follows no line 1"),
    "another satellite": (2, lambda line: replaced(line, 3, "54321"), "line 3: catalogue number 54321"),
    "inclination": (2, lambda line: replaced(line, 9, " 5x.0000"), "line 3: inclination (columns 9-16)"),
    "too inclined": (
        2,
        lambda line: replaced(line, 9, "253.0000"),
        "line 3: inclination (columns 9-16) is 253.0000",
    ),
    "eccentricity": (2, lambda line: replaced(line, 27, "00.1000"), "line 3: eccentricity (columns 27-33)"),
    "epoch": (1, lambda line: replaced(line, 21, "400.00000000"), "line 2: epoch day (columns 21-32)"),
    "mean motion": (2, lambda line: replaced(line, 53, " 0.00000000"), "line 3: mean motion"),
    "drag": (1, lambda line: replaced(line, 54, " abcde-0"), "line 2: drag term B* (columns 54-61)"),
}


@pytest.mark.parametrize("case", BREAKS)
def test_a_broken_line_is_named_with_its_number_and_reason(case: str, file: Path):
    at, damage, message = BREAKS[case]
    lines = tle_lines(WALKER)
    lines[at] = damage(lines[at])
    fleet = TleFleet(file=str(write_tle(file, lines)))
    with pytest.raises(ConfigError) as error:
        fleet.check()
    assert message in str(error.value) and "skip_broken" in str(error.value) and "\n" not in str(error.value)
    without = replace(fleet, skip_broken=True)
    assert without.n_satellites == 47 and "SAT 0" not in {record.name for record in without.records}
    assert message in without.warnings[0]


def test_names_empty_lines_comments_and_windows_line_ends_do_not_matter(file: Path):
    lines = tle_lines(WALKER)
    bare = [line for line in lines if not line.startswith("SAT")]
    expected = TleFleet(file=str(write_tle(file, lines)))
    other = file.with_name("other.tle")
    other.write_bytes(("# a comment\r\n\r\n" + "\r\n".join(bare) + "\r\n").encode())
    fleet = TleFleet(file=str(other))
    assert torch.equal(fleet.positions_km(TIMES), expected.positions_km(TIMES))
    assert [r.catalogue_number for r in fleet.records] == [r.catalogue_number for r in expected.records]
    assert all(not record.name for record in fleet.records)


def test_of_satellites_listed_twice_the_newest_elements_count(file: Path):
    old, new = tle_lines(WALKER, age_days=(2.0,)), tle_lines(WALKER, age_days=(0.5,))
    fleet = TleFleet(file=str(write_tle(file, new[:9] + old + new[9:])), date="2025-10-18")
    expected = TleFleet(file=str(write_tle(file.with_name("new.tle"), new)), date="2025-10-18")
    assert torch.equal(fleet.positions_km(TIMES), expected.positions_km(TIMES))
    assert fleet.warnings[0].startswith("48 older elements of satellites listed twice left out: SAT 0, SAT 1")


def test_stale_elements_are_left_out_and_named(file: Path):
    lines = tle_lines(WALKER, age_days=(0.5, 0.5, 0.5, 0.5, 0.5, 30.0))
    fleet = TleFleet(file=str(write_tle(file, lines)), date="2025-10-18")
    assert fleet.n_satellites == 40
    assert "8 satellites left out" in fleet.warnings[0] and "SAT 5, SAT 11" in fleet.warnings[0]
    assert replace(fleet, max_age_days=40.0).n_satellites > 40
    with pytest.raises(
        ConfigError, match=r"2026-03-01: all its elements are more than 7 days.*constellation\.date"
    ):
        replace(fleet, date="2026-03-01").check()


def test_the_simulated_day_is_that_of_the_elements_or_as_said(file: Path):
    fleet = TleFleet(
        file=str(write_tle(file, tle_lines(WALKER, age_days=(0.1, 0.2, 9.0)))), max_age_days=20.0
    )
    assert f"{fleet.day_start:%Y-%m-%d}" == "2025-10-18"
    later = replace(fleet, date="2025-10-19")
    torch.testing.assert_close(
        later.positions_km(TIMES).sort(1).values,
        fleet.positions_km(TIMES + 86400).sort(1).values,
        rtol=0,
        atol=1e-3,
    )


def test_shells_are_told_apart_and_chosen(file: Path):
    lines = tle_lines(WALKER) + tle_lines(OTHER, first_number=20000)
    fleet = TleFleet(file=str(write_tle(file, lines)))
    assert [len(shell.members) for shell in fleet.shells] == [48, 15]
    assert fleet.n_satellites == 48
    assert replace(fleet, shell="53/1200").n_satellites == 15
    with pytest.raises(
        ConfigError, match=r"constellation\.shell='70/570'.*53\.0/\d+ \(48 satellites\), 53\.0/12"
    ):
        replace(fleet, shell="70/570").check()


def test_too_few_satellites(file: Path):
    with pytest.raises(ConfigError, match="of its 3 satellites no 4 share"):
        TleFleet(file=str(write_tle(file, tle_lines(WALKER, missing=range(3, 48))))).check()
    with pytest.raises(ConfigError, match="no two-line elements"):
        TleFleet(file=str(write_tle(file, ["# nothing"]))).check()
    with pytest.raises(ConfigError, match="there is no such file"):
        TleFleet(file=str(file.with_name("none.tle"))).check()
    with pytest.raises(ConfigError, match=r"constellation\.file is missing"):
        TleFleet().check()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shell", "big"),
        ("date", "tomorrow"),
        ("max_age_days", 0.0),
        ("plane_gap_deg", -1.0),
        ("polar_cutoff_deg", 91.0),
    ],
)
def test_impossible_values_name_their_field(field: str, value: object):
    with pytest.raises(ConfigError, match=rf"constellation\.{field}="):
        TleFleet(**{field: value})  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ describe


def test_what_is_described_is_what_there_is(file: Path):
    walker = describe(WALKER, EbN0Link())
    assert walker.satellites_per_plane == (8,) * 6
    assert walker.closest_approach[0] == WALKER.closest_approach()[0]
    assert walker.between_planes.up_near_poles is not None
    fleet = TleFleet(file=str(write_tle(file, tle_lines(WALKER, missing={0, 1}))))
    real = describe(fleet, EbN0Link())
    assert sum(real.satellites_per_plane) == real.n_satellites == 46
    assert real.closest_approach[0] == pytest.approx(walker.closest_approach[0], abs=10)
    assert real.period_s == pytest.approx(walker.period_s, rel=1e-3)
    topology = build_topology(WALKER, EbN0Link(), slot_times_s(144, 600.0))
    assert walker.connectivity == connectivity(components(topology))
    assert walker.within_planes.up == pytest.approx(float(topology.up[..., FORE].double().mean()))
    assert walker.between_planes.length_km is not None
    assert walker.between_planes.length_km[2] == float(
        topology.length_km[..., RIGHT][topology.up[..., RIGHT]].max()
    )
    assert walker.within_planes.links == 48 and int(WALKER.wired()[:, AFT].sum()) == 48


def test_the_command_prints_a_table_or_json(file: Path, capsys: pytest.CaptureFixture[str]):
    write_tle(file, tle_lines(WALKER, missing={7}))
    main(["describe", f"file={file}", "shell=53/1000"])
    shown = capsys.readouterr().out
    assert "left/right" in shown and "53.0/" in shown and "47" in shown
    main(["describe", f"constellation.file={file}", "link=fixed", "--json"])
    content = json.loads(capsys.readouterr().out)
    assert content["n_satellites"] == 47 and content["between_planes"]["rate_mbps"] == [1000.0] * 3


def test_any_walker_constellation_is_described(capsys: pytest.CaptureFixture[str]):
    main(
        ["describe", "constellation=iridium_star", "planes=4", "polar_cutoff_deg=null", "name=mine", "--json"]
    )
    content = json.loads(capsys.readouterr().out)
    assert (content["name"], content["satellites_per_plane"]) == ("mine", [11] * 4)
    assert content["between_planes"]["links"] == 33, "none across the seam"
    changed = replace(CONSTELLATIONS["iridium_star"], planes=4, polar_cutoff_deg=None)
    assert content["between_planes"]["up"] == describe(changed, EbN0Link()).between_planes.up


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "describe"),
        (["describe", "fil=3"], "fil=3"),
        (["describe", "constellation=big"], "walker_12x24"),
        (["describe", "shell=53/550"], "belongs to constellation=tle"),
        (["describe", "link=laser"], "eb_n0"),
        (["describe", "file=x", "max_age_days=many"], "constellation.max_age_days='many'"),
        (["describe", "file=x", "planes=3"], "belongs to a Walker constellation"),
        (["describe", "planes=six"], "constellation.planes='six'"),
        (["describe", "planes=null"], "constellation.planes='null'"),
        (["describe", "planes=6", "phasing=7"], "constellation.phasing=7"),
        (["describe", "phasing=0"], "come within 0.0 km of each other"),
        (["describe", "file=x", "max_age_days=-1"], "constellation.max_age_days=-1"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], words: str):
    with pytest.raises(ConfigError) as error:
        main(arguments)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_circles_of_the_helper_are_the_walkers(file: Path):
    """What the tests above compare with flies where the closed form says."""
    fleet = TleFleet(file=str(write_tle(file, tle_lines(WALKER, age_days=(1.0, 3.0)))), date="2025-10-18")
    noon = torch.tensor([43200.0], dtype=torch.float64)
    apart = fleet.positions_km(noon) - j2_positions_km(WALKER, noon)[:, numbers(fleet)]
    assert apart.norm(dim=-1).max() < 60
