"""The command that decides one moment, from a scenario file."""

import json
from pathlib import Path

import pytest

from envs.config import ConfigError
from envs.constellation import Constellation
from offload import decide
from offload.scenario_file import ScenarioError, build_problem, read_scenario
from tests.envs.tle_files import tle_lines, write_tle

GOOD = """\
constellation: iridium_star
time: 2025-10-18T06:30:00Z
computing: [sat_010, sat_050]
tasks:
  - {sensing: sat_003, frames: 60}
  - {sensing: sat_027, frames: 40, large_accuracy: 0.9, computing: sat_050}
offload:
  compute: {computing: shared}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "scenario.yaml"
    path.write_text(GOOD)
    return path


def test_the_decision_is_printed_as_a_table_and_as_json(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decide.main([f"scenario={scenario}", "router=look_ahead_2"])
    printed = capsys.readouterr()
    record = json.loads(printed.out)
    assert record["router"] == "look_ahead_2" and len(record["tasks"]) == 2
    assert max(map(len, printed.err.splitlines())) <= 80
    assert "…" not in printed.err, "nothing is cut off"
    for task in record["tasks"]:
        assert task["sensing"] in printed.err
        offloaded = task["offloaded_frames"]
        assert sum(task["frames_by_residual_bits_per_pixel"].values()) == offloaded
        assert task["ratio"] == pytest.approx(offloaded / task["frames"])
        parts = task["delay_s"]["parts_of_total"]
        assert sum(parts.values()) == pytest.approx(task["delay_s"]["total"])
        data, model = task["data_packet"], task["model_packet"]
        assert data["path"][0] == model["path"][-1] == task["sensing"]
        assert data["path"][-1] == model["path"][0] == task["computing"]
        assert data["delivered"] and model["delivered"]
    assert record["tasks"][1]["computing"] == "sat_050"
    totals_s = [task["delay_s"]["total"] for task in record["tasks"]]
    assert record["mean_service_delay_s"] == pytest.approx(sum(totals_s) / len(totals_s))
    as_routed_s = record["search"]["mean_service_delay_as_routed_s"]
    assert len(as_routed_s) == record["search"]["routings"]
    assert record["mean_service_delay_s"] <= min(as_routed_s)


def test_nothing_offloaded_nothing_sent(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decide.main([f"scenario={scenario}", "scheme=small_only"])
    assert all(task["data_packet"] is None for task in json.loads(capsys.readouterr().out)["tasks"])


def test_the_file_says_what_is_decided(scenario: Path) -> None:
    problem = build_problem(read_scenario(scenario))
    assert problem.tasks.frames.tolist() == [[60, 40]]
    assert problem.tasks.large_accuracy.tolist() == [[0.93, 0.9]]
    assert problem.worlds.source[0, 1] == 50 and problem.worlds.destination[0, :2].tolist() == [3, 27]
    assert problem.config.compute.computing.value == "shared"
    assert problem.ephemeris.topology.time_s.tolist() == [6.5 * 3600]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("frames: 60", "frames: many", r"tasks\[0\].frames='many'.*integer"),
        ("frames: 60", "frames: 0", r"tasks\[0\].frames=0.*from 1 to 1000000000"),
        ("frames: 60", "frames: -60", r"tasks\[0\].frames=-60.*from 1 to 1000000000"),
        ("frames: 60", "frames: 1e300", r"tasks\[0\].frames=.*integer"),
        ("frames: 60", f"frames: {10**30}", r"tasks\[0\].frames=10.*from 1 to 1000000000"),
        ("frames: 60", "frames: .nan", r"tasks\[0\].frames=nan.*integer"),
        ("frames: 60", "frames: true", r"tasks\[0\].frames=True.*integer"),
        ("frames: 60", "frames: 2025-10-18", r"tasks\[0\].frames='2025-10-18'.*integer"),
        ("frames: 60", "frames: 60, frames: 70", "is not YAML: frames is there twice, line 5"),
        ("{sensing: sat_003, frames: 60}", "sat_003", r"tasks\[0\] must be a mapping with sensing"),
        ("frames: 60", "frame: 60", r"tasks\[0\].frame is not a field: did you mean frames"),
        (", frames: 60", "", r"tasks\[0\].frames is missing"),
        ("sat_003", "sat_066", r"tasks\[0\].sensing='sat_066'.*sat_000 to sat_065"),
        ("sat_003", "sat_010", r"tasks\[0\].sensing='sat_010'.*computing satellite"),
        ("sat_027", "sat_003", r"tasks\[1\].sensing='sat_003'.*tasks\[0\] is there already"),
        ("sat_027", "27", r"tasks\[1\].sensing=27.*string"),
        ("[sat_010, sat_050]", "sat_010", "computing='sat_010'.*array"),
        ("[sat_010, sat_050]", "&it [*it]", "only words, numbers, lists and mappings"),
        ("[sat_010, sat_050]", "[]", r"tasks\[0\].computing is missing"),
        ("[sat_010, sat_050]", "[10]", r"computing\[0\]=10.*string"),
        ("iridium_star", "iridium", "constellation='iridium'.*iridium_star"),
        ("2025-10-18T06:30:00Z", "noon", "time='noon'.*2025-10-18T06:30:00Z"),
        ("0.9", "0.99", "large_accuracy=0.99.*at most 0.9726"),
        ("0.9", ".nan", r"tasks\[1\].large_accuracy=nan.*between 0 and 1"),
        ("0.9", "1.9", r"tasks\[1\].large_accuracy=1.9.*between 0 and 1"),
        (
            "{computing: shared}",
            "{computing: alone}",
            "offload.compute.computing='alone'.*'paper' or 'shared'",
        ),
        ("{computing: shared}", "{utilisation: 3.0}", "offload.compute.utilisation=3.0.*at most 1"),
        ("{computing: shared}", "{computing_tops: .inf}", "offload.compute.computing_tops=inf.*finite"),
        ("offload:", "link: {model: fixed, mbps: 3}\noffload:", "link.mbps is not a field"),
        ("offload:", "link: {model: eb_n0, power_w: -3}\noffload:", "^link.power_w=-3.0.*positive"),
        ("offload:", "link: {model: eb_n0, power_w: much}\noffload:", "^link.power_w='much'.*number"),
        ("offload:", "time: 2025-10-19\noffload:", "is not YAML: time is there twice, line 7"),
        ("compute:", "computer:", "offload.computer is not a field: did you mean compute"),
        ("tasks:", "tasks: [", "is not YAML.*line 5"),
        (GOOD, "", "must be a mapping with tasks"),
    ],
)
def test_a_mistake_names_its_field(scenario: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    scenario.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError, match=words) as error:
        build_problem(read_scenario(scenario))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "scenario= is missing"),
        (["scenari=x"], "cannot read 'scenari=x'"),
        (["scenario=nowhere.yaml"], "nowhere.yaml: there is no such file"),
        (["scenario=nowhere.yaml", "router=best"], "router='best'.*dijkstra"),
        (["scenario=nowhere.yaml", "scheme=best"], "scheme='best'.*bs_marl"),
        (["scenario=nowhere.yaml", "policy=nothing"], "nothing.*train"),
        (["scenario=nowhere.yaml", "policy=a", "router=b"], "both given"),
    ],
)
def test_a_bad_command_line_is_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        decide.main(arguments)


@pytest.mark.parametrize(
    "content", [b"tasks: 3\n", b"tasks: \xff\xfe\n", b"tasks: \x00", b"a: 1\n---\nb: 2\n"]
)
def test_an_error_is_a_configuration_error_with_the_file(scenario: Path, content: bytes) -> None:
    scenario.write_bytes(content)
    with pytest.raises(ConfigError, match=str(scenario)):
        read_scenario(scenario)


def test_a_mapping_may_be_merged_into_another_that_overrides_it(scenario: Path) -> None:
    scenario.write_text(
        GOOD.replace("{sensing: sat_003", "&one {sensing: sat_003").replace(
            "{sensing: sat_027", "{<<: *one, sensing: sat_027"
        )
    )
    tasks = read_scenario(scenario).tasks
    assert [(task.sensing, task.frames) for task in tasks] == [("sat_003", 60), ("sat_027", 40)]


def test_a_satellite_that_is_cut_off_is_refused_and_other_failures_are_borne(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario.write_text(GOOD + "failures: {satellites: [3]}\n")
    with pytest.raises(ScenarioError, match=r"tasks\[0\].*sat_003 has no way to its computing satellite"):
        build_problem(read_scenario(scenario))
    scenario.write_text(GOOD + "failures: {satellites: [4], link_rate: 0.05}\n")
    decide.main([f"scenario={scenario}", "router=look_ahead_2"])
    paths = [task["data_packet"]["path"] for task in json.loads(capsys.readouterr().out)["tasks"]]
    assert all("sat_004" not in path for path in paths)


def test_a_fleet_from_a_tle_file_has_its_day_at_the_scenarios_time(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    walker = Constellation("walker_6x8", "delta", 6, 8, 1000.0, 53.0, 1)
    tle = write_tle(scenario.with_name("fleet.tle"), tle_lines(walker, missing={5}))
    fleet = f"constellation: {{file: {tle}, shell: 53/1000, max_link_km: 6500}}"
    scenario.write_text(
        GOOD.replace("constellation: iridium_star", fleet)
        .replace("sat_050", "sat_040")
        .replace("10-18", "10-19")
    )
    problem = build_problem(read_scenario(scenario))
    topology = problem.ephemeris.topology
    assert topology.n_satellites == 47 and f"{topology.constellation.day_start:%Y-%m-%d}" == "2025-10-19"
    assert topology.time_s.tolist() == [6.5 * 3600]
    decide.main([f"scenario={scenario}", "router=dijkstra"])
    assert json.loads(capsys.readouterr().out)["constellation"] == "tle"
    scenario.write_text(
        GOOD.replace("constellation: iridium_star", f"constellation: {{file: {tle}, shel: 3}}")
    )
    with pytest.raises(ScenarioError, match=r"constellation\.shel is not a field: did you mean shell"):
        read_scenario(scenario)
