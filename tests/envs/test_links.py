"""Link budgets against the figures they are taken from, and against each other."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from envs.config import ConfigError
from envs.constellation import CONSTELLATIONS
from envs.links import LINK_MODELS, EbN0Link, FixedLink, LinkModel, ShannonLink
from envs.topology import build_topology

LENGTHS_KM = torch.linspace(100, 8000, 80, dtype=torch.float64).reshape(8, 10)


@pytest.mark.parametrize("model", LINK_MODELS.values())
def test_rates_keep_shape_are_positive_and_never_grow_with_length(model: type[LinkModel]):
    rate = model().rate_mbps(LENGTHS_KM)
    assert rate.shape == LENGTHS_KM.shape
    assert (rate > 0).all()
    assert (rate.flatten().diff() <= 0).all()


@pytest.mark.parametrize(("length_km", "rate_mbps"), [(1000.0, 803), (1972.0, 206)])
def test_default_budget(length_km: float, rate_mbps: float):
    found = EbN0Link().rate_mbps(torch.tensor(length_km))
    assert float(found) == pytest.approx(rate_mbps, rel=2e-3)


def test_default_gain_is_the_dish_s():
    dish_m, efficiency, wavelength_m = 0.26, 0.55, 299792458 / 26e9
    gain_dbi = 10 * math.log10(efficiency * (math.pi * dish_m / wavelength_m) ** 2)
    assert EbN0Link().transmit_gain_dbi == pytest.approx(gain_dbi, abs=0.005)


def test_every_decibel_counts_once():
    link, length = EbN0Link(max_rate_mbps=1e9), torch.tensor(1500.0, dtype=torch.float64)
    reference = link.rate_mbps(length)
    ten_db = {
        "power_w": link.power_w * 10,
        "transmit_gain_dbi": link.transmit_gain_dbi + 10,
        "receive_gain_dbi": link.receive_gain_dbi + 10,
        "noise_temperature_k": link.noise_temperature_k / 10,
        "eb_n0_db": link.eb_n0_db - 10,
        "margin_db": link.margin_db + 10,
        "frequency_ghz": link.frequency_ghz / math.sqrt(10),
    }
    for name, value in ten_db.items():
        gain = 0.1 if name == "margin_db" else 10
        torch.testing.assert_close(replace(link, **{name: value}).rate_mbps(length), gain * reference)


@given(st.floats(10, 1e4))
def test_free_space_loss_is_quadratic(length_km: float):
    length = torch.tensor([length_km, 2 * length_km], dtype=torch.float64)
    near, far = EbN0Link(max_rate_mbps=1e9).rate_mbps(length)
    assert float(near / far) == pytest.approx(4)


def test_no_neighbour_is_near_enough_to_pass_the_modem_s_rate():
    """The default is the band of MA-DRL with DVB-S2's narrowest roll-off and densest mode, 32APSK at a code rate of
    9/10: 58192 of 64800 bits are data but for a header of 80, five a symbol, after 90 of header (ETSI EN 302 307-1)."""
    link = EbN0Link()
    symbols_per_us = 500 / 1.2
    bits_per_symbol = (58192 - 80) / (64800 / 5 + 90)
    assert link.max_rate_mbps == pytest.approx(symbols_per_us * bits_per_symbol, rel=1e-3)
    length = torch.cat([torch.tensor([0.001]), torch.linspace(1, 8000, 500)]).double()
    free = replace(link, max_rate_mbps=1e30).rate_mbps(length)
    assert torch.equal(link.rate_mbps(length), free.minimum(torch.tensor(link.max_rate_mbps).double()))
    reach_km = float((free * length.square()).mean() / link.max_rate_mbps) ** 0.5
    assert reach_km == pytest.approx(658, abs=0.5)


@pytest.mark.parametrize("name", CONSTELLATIONS)
def test_presets_are_not_near_enough(name: str):
    """Their results do not depend on the modem's rate."""
    topology = build_topology(
        CONSTELLATIONS[name], EbN0Link(), torch.arange(0, 12 * 3600, 300, dtype=torch.float64)
    )
    assert float(topology.rate_mbps.max()) < 0.5 * EbN0Link().max_rate_mbps


def test_shannon_of_an_endless_band_asks_for_minus_1_6_db_per_bit():
    """Capacity tends to S / (N_0 ln 2): an E_b/N_0 of ln 2."""
    needed = replace(EbN0Link(), eb_n0_db=10 * math.log10(math.log(2)), max_rate_mbps=1e30)
    endless = ShannonLink(bandwidth_mhz=1e12)
    torch.testing.assert_close(endless.rate_mbps(LENGTHS_KM), needed.rate_mbps(LENGTHS_KM), rtol=1e-4, atol=0)


def test_shannon_carries_its_bandwidth_at_a_signal_as_strong_as_the_noise():
    link = ShannonLink()
    far = torch.tensor(1.0, dtype=torch.float64)
    at_1_km = float(torch.expm1(link.rate_mbps(far) / link.bandwidth_mhz * math.log(2)))
    equal = torch.tensor(math.sqrt(at_1_km), dtype=torch.float64)
    assert float(link.rate_mbps(equal)) == pytest.approx(link.bandwidth_mhz)


def test_fixed_is_fixed():
    assert (FixedLink(capacity_mbps=2500.0).rate_mbps(LENGTHS_KM) == 2500).all()


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        (EbN0Link, "power_w", 0.0),
        (EbN0Link, "frequency_ghz", -26.0),
        (EbN0Link, "noise_temperature_k", 0.0),
        (EbN0Link, "margin_db", -1.0),
        (EbN0Link, "eb_n0_db", math.nan),
        (ShannonLink, "bandwidth_mhz", 0.0),
        (ShannonLink, "receive_gain_dbi", math.inf),
        (FixedLink, "capacity_mbps", 0.0),
        (FixedLink, "capacity_mbps", math.inf),
    ],
)
def test_impossible_values_are_named(model: type, field: str, value: float):
    with pytest.raises(ConfigError, match=rf"link\.{field}={value!r}"):
        model(**{field: value})
