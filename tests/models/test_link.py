"""Contact windows and transfers against closed forms and a step-by-step search."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from models.link import (
    DEFAULT_RATE_MBPS,
    START,
    Downlink,
    GroundStation,
    LinkError,
    RateTrace,
    constellation_downlinks,
    contact_windows,
    read_rate_trace,
    read_tle,
    shell_satellites,
)

TRACE = RateTrace(np.array([0.0, 10.0, 30.0]), np.array([8.0, 16.0, 4.0]))  # 1, 2, 0.5 MB/s


@pytest.mark.parametrize(
    ("ready", "megabytes", "first", "last", "sending"),
    [
        (0.0, 5.0, 0.0, 5.0, 5.0),
        (0.0, 20.0, 0.0, 15.0, 15.0),  # 10 at 1 MB/s, then 5 s at 2 MB/s
        (25.0, 20.0, 25.0, 50.0, 25.0),  # 10 MB by 30 s, then 10 MB at 0.5 MB/s
    ],
)
def test_transfers_follow_the_rate_trace(ready, megabytes, first, last, sending):
    link = Downlink(np.array([[0.0, np.inf]]), TRACE)
    assert link.send(ready, megabytes * 1e6) == pytest.approx((first, last, sending))


def test_a_transfer_waits_for_contact_and_goes_on_in_the_next_window():
    link = Downlink(np.array([[100.0, 110.0], [200.0, 300.0]]), RateTrace(np.zeros(1), np.array([8.0])))
    assert link.send(0.0, 4e6) == pytest.approx((100.0, 104.0, 4.0))
    assert link.send(105.0, 8e6) == pytest.approx((105.0, 203.0, 8.0))
    with pytest.raises(LinkError, match="windows end"):
        link.send(0.0, 1e9)


def test_default_rate_is_the_papers():
    assert Downlink.always().send(0.0, 196_608)[1] == pytest.approx(196_608 * 8 / (DEFAULT_RATE_MBPS * 1e6))


def test_windows_agree_with_a_search_over_time():
    satellite = shell_satellites(3)[1]
    station = GroundStation()
    windows = contact_windows(satellite, station, 24.0)
    assert len(windows) > 0 and (windows[:, 1] > windows[:, 0]).all()
    from skyfield.api import load, wgs84

    timescale = load.timescale(builtin=True)
    seconds = np.arange(0, 24 * 3600, 30.0)
    times = timescale.from_datetimes([START + timedelta(seconds=float(s)) for s in seconds])
    place = wgs84.latlon(station.latitude_deg, station.longitude_deg)
    above = np.asarray((satellite - place).at(times).altaz()[0].degrees) >= station.mask_deg
    inside = ((seconds[:, None] >= windows[:, 0]) & (seconds[:, None] < windows[:, 1])).any(1)
    assert (above != inside).mean() < 0.001


def test_a_shell_satellite_keeps_its_altitude_and_passes_are_minutes_long():
    satellite = shell_satellites(1, altitude_km=570.0)[0]
    windows = contact_windows(satellite, GroundStation(), 48.0)
    assert (windows[:, 1] - windows[:, 0]).max() < 600.0


def test_tle_files_are_read_with_and_without_names(tmp_path):
    from sgp4.exporter import export_tle

    lines = list(export_tle(shell_satellites(1)[0].model))
    path = tmp_path / "one.tle"
    path.write_text("\n".join(["FIRST", *lines, *lines]) + "\n")
    satellites = read_tle(path)
    assert [satellite.name for satellite in satellites] == ["FIRST", "satellite 1"]
    assert len(contact_windows(satellites[0], GroundStation(), 24.0)) > 0
    (tmp_path / "empty.tle").write_text("nothing\n")
    with pytest.raises(LinkError, match="no pair"):
        read_tle(tmp_path / "empty.tle")
    with pytest.raises(LinkError, match="no such"):
        read_tle(tmp_path / "absent.tle")


def test_rate_traces_are_read_or_refused_by_name(tmp_path):
    path = tmp_path / "rate.csv"
    path.write_text("time_s,mbps\n0,100\n5,50\n")
    assert read_rate_trace(path).mbps.tolist() == [100.0, 50.0]
    for text, words in (
        ("a,b\n1,2\n", "time_s and mbps"),
        ("time_s,mbps\n", "empty"),
        ("time_s,mbps\n0,fast\n", "not two numbers"),
        ("time_s,mbps\n5,10\n", "start at 0"),
        ("time_s,mbps\n0,-1\n", "above 0"),
    ):
        path.write_text(text)
        with pytest.raises(LinkError, match=words):
            read_rate_trace(path)


def test_bad_windows_and_stations_are_named():
    with pytest.raises(LinkError, match="overlap"):
        Downlink(np.array([[0.0, 10.0], [5.0, 20.0]]))
    with pytest.raises(LinkError, match="latitude_deg"):
        GroundStation(latitude_deg=120)
    with pytest.raises(LinkError, match="hours"):
        contact_windows(shell_satellites(1)[0], GroundStation(), 0)


def test_a_constellation_from_elements_and_a_trace(tmp_path):
    from sgp4.exporter import export_tle

    path = tmp_path / "shell.tle"
    lines = [line for satellite in shell_satellites(3) for line in export_tle(satellite.model)]
    path.write_text("\n".join(lines) + "\n")
    trace = tmp_path / "rate.csv"
    trace.write_text("time_s,mbps\n0,100\n5,50\n")
    links = constellation_downlinks(3, GroundStation(), tle=str(path), rate_trace=str(trace), hours=24.0)
    assert len(links) == 3 and all(len(link.windows) for link in links)
    assert links[0].rate.mbps.tolist() == [100.0, 50.0]
    with pytest.raises(LinkError, match="holds 3 satellites"):
        constellation_downlinks(4, GroundStation(), tle=str(path))
    path.write_text("BAD\n1 nothing\n2 at all\n")
    with pytest.raises(LinkError, match="BAD"):
        constellation_downlinks(1, GroundStation(), tle=str(path))
