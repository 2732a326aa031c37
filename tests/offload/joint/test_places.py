"""The way to the ground: contact windows, gateways, and what waiting costs."""

import numpy as np
import pytest
import torch

from envs.config import ConfigError
from envs.constellation import Constellation
from models.link import Downlink, RateTrace
from offload.joint.config import StationConfig
from offload.joint.contact import Contacts, arrival_s, elevations_deg, gateways
from offload.joint.places import best_by_contact
from offload.joint.seconds import FrameSeconds

WALKER = Constellation("walker_6x8", "delta", 6, 8, 1000.0, 53.0, 1)
LINK = Downlink(
    np.array([[100.0, 160.0], [400.0, 430.0], [1000.0, 1100.0]]), RateTrace(np.zeros(1), np.array([50.0]))
)


def test_arrivals_are_those_of_the_link_itself() -> None:
    random = np.random.default_rng(0)
    ready_s, size_mbit = random.uniform(0, 1050, 300), random.uniform(1, 4000, 300)
    found = arrival_s(LINK, ready_s, size_mbit)
    for ready, size, arrival in zip(ready_s, size_mbit, found, strict=True):
        if np.isfinite(arrival):
            assert LINK.send(ready, size * 1e6 / 8)[1] == pytest.approx(arrival)
        else:
            with pytest.raises(ValueError, match="contact windows end"):
                LINK.send(ready, size * 1e6 / 8)
    assert np.isinf(found).any() and np.isfinite(found).any()


def test_nothing_to_send_needs_no_contact_and_impossible_sizes_never_arrive() -> None:
    assert arrival_s(LINK, np.array([5000.0, 7.0]), np.array([0.0, np.inf])).tolist() == [5000.0, np.inf]


def test_the_best_number_of_frames_by_contact_against_trying_all() -> None:
    seconds = FrameSeconds(look_s=0.1, send_s=0.05, keep_s=3.0, large_s=1.0)
    size = np.concatenate([np.full(5, np.inf), np.linspace(60, 900, 36)])
    for start in (0.0, 120.0, 155.0, 420.0):
        frames, delay, way = best_by_contact(LINK, start, 40, size, seconds)
        totals = []
        for m in range(41):
            busy = 4.0 + 0.05 * m
            arrival = float(arrival_s(LINK, np.array([start + busy]), size[m : m + 1])[0])
            totals.append(busy + max(arrival - start - busy + m, 3.0 * (40 - m)))
        assert delay == pytest.approx(min(totals))
        assert totals[frames] == pytest.approx(delay)
        assert way >= 0


def test_downlinks_are_open_when_the_satellite_is_above_the_mask() -> None:
    config = StationConfig(hours=30.0, mask_deg=20.0)
    contacts = Contacts(WALKER, config)
    time_s = torch.arange(0.0, 30 * 3600.0, 97.0).double()
    elevation = elevations_deg(WALKER, time_s, config)
    for satellite in (3, 20):
        link = contacts.downlink(satellite)
        assert contacts.downlink(satellite) is link, "looked for once"
        inside = (
            (time_s[:, None].numpy() >= link.windows[:, 0]) & (time_s[:, None].numpy() <= link.windows[:, 1])
        ).any(1)
        sure = (
            elevation[:, satellite] - config.mask_deg
        ).abs().numpy() > 1.5  # J2 against SGP4, round against oval
        assert (inside == (elevation[:, satellite] > config.mask_deg).numpy())[sure].all()
        assert inside.any()


def test_the_gateway_is_the_highest_free_satellite() -> None:
    config = StationConfig(mask_deg=5.0)
    time_s = torch.tensor([0.0, 4000.0]).double()
    elevation = elevations_deg(WALKER, time_s, config)
    order = elevation.argsort(1, descending=True)
    assert torch.equal(gateways(WALKER, time_s, order[:, 5:7], config), order[:, 0])
    assert torch.equal(gateways(WALKER, time_s, order[:, :1], config), order[:, 1])


def test_a_station_that_nobody_sees_is_refused() -> None:
    with pytest.raises(ConfigError, match="no satellite of walker_6x8 is above"):
        gateways(WALKER, torch.tensor([0.0]).double(), torch.tensor([[0]]), StationConfig(latitude_deg=90.0))
