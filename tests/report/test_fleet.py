"""What the report calls a fleet."""

from __future__ import annotations

from pathlib import Path

from envs.constellation import TleFleet
from report.fleet import fleet_title, fleet_words, satellite_names
from tests.envs.tle_files import tle_lines, write_tle
from tests.report.conftest import WALKER


def test_a_walker_constellation_goes_by_its_name():
    fleet = WALKER
    assert fleet_title(fleet) == "walker_6x8" and satellite_names(fleet) == ()
    assert fleet_words(fleet) == "48 satellites in 6 planes, 1000 km high, inclined by 53°"


def test_a_real_fleet_goes_by_its_file_and_its_satellites_by_their_names(tmp_path: Path):
    file = str(write_tle(tmp_path / "small.tle", tle_lines(WALKER)))
    fleet = TleFleet(file)
    assert fleet_title(fleet) == "small (shell 53.0/1000)"
    assert fleet_title(TleFleet(file, name="mine")) == "mine"
    names = satellite_names(fleet)
    assert len(names) == fleet.n_satellites == 48
    assert names == tuple(record.name for record in fleet.records)
