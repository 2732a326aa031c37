"""How many Mb/s an inter-satellite link carries over a given length."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Protocol

import torch
from torch import Tensor

from envs.config import require

LIGHT_KM_S = 299792.458
BOLTZMANN_J_K = 1.380649e-23


class LinkModel(Protocol):
    """Rate of an inter-satellite link."""

    def rate_mbps(self, length_km: Tensor) -> Tensor:
        """Rate in Mb/s for lengths in km; any shape, same shape back."""
        ...


def _from_db(decibel: float) -> float:
    return 10 ** (decibel / 10)


@dataclass(frozen=True)
class EbN0Link:
    """Radio link at the rate that just reaches the energy per bit its modulation and code need.

        R = P G_t G_r / (k_B T (E_b/N_0) M L),   L = (4 pi d f / c)^2

    (the form of Zhou et al., IEEE TWC 2021), but at most `max_rate_mbps`, which is what its modem can do. Defaults
    from the public figures of MA-DRL, dishes of 0.26 m at an efficiency of 0.55 among them: 802 Mb/s at 1000 km. The
    most is 1855 Mb/s, at 658 km and less: the 500 MHz band of MA-DRL is 417 Msymbol/s with the roll-off of 0.2 of
    DVB-S2, whose densest mode, 32APSK at a code rate of 9/10, has 4.453 bits a symbol (ETSI EN 302 307-1).
    """

    frequency_ghz: float = 26.0
    power_w: float = 10.0
    transmit_gain_dbi: float = 34.41
    receive_gain_dbi: float = 34.41
    noise_temperature_k: float = 460.0
    eb_n0_db: float = 8.0
    margin_db: float = 3.0
    max_rate_mbps: float = 1855.0

    def __post_init__(self) -> None:
        _require_radio(self)
        require(self.max_rate_mbps > 0, "link.max_rate_mbps", self.max_rate_mbps, "positive")

    def rate_mbps(self, length_km: Tensor) -> Tensor:
        """R of the class docstring, in Mb/s."""
        density = _signal_to_noise_density_hz(self)  # at 1 km
        at_1_km_mbps = density / (_from_db(self.eb_n0_db) * _from_db(self.margin_db)) / 1e6
        return (at_1_km_mbps / length_km.square()).clamp(max=self.max_rate_mbps)


@dataclass(frozen=True)
class ShannonLink:
    """Radio link at the capacity of its band, a bound that no code passes.

        R = B log2(1 + SNR),   SNR = P G_t G_r / (k_B T B M L),   L = (4 pi d f / c)^2

    (Shannon 1948). Defaults as `EbN0Link`, with the 500 MHz band of MA-DRL.
    """

    frequency_ghz: float = 26.0
    power_w: float = 10.0
    transmit_gain_dbi: float = 34.41
    receive_gain_dbi: float = 34.41
    noise_temperature_k: float = 460.0
    bandwidth_mhz: float = 500.0
    margin_db: float = 3.0

    def __post_init__(self) -> None:
        _require_radio(self)
        require(self.bandwidth_mhz > 0, "link.bandwidth_mhz", self.bandwidth_mhz, "positive")

    def rate_mbps(self, length_km: Tensor) -> Tensor:
        """R of the class docstring, in Mb/s."""
        at_1_km = _signal_to_noise_density_hz(self) / (self.bandwidth_mhz * 1e6 * _from_db(self.margin_db))
        return self.bandwidth_mhz / math.log(2) * torch.log1p(at_1_km / length_km.square())


@dataclass(frozen=True)
class FixedLink:
    """Link of one rate whatever its length: an optical terminal (1 to 10 Gb/s in use today)."""

    capacity_mbps: float = 1000.0

    def __post_init__(self) -> None:
        require(
            0 < self.capacity_mbps < math.inf, "link.capacity_mbps", self.capacity_mbps, "positive and finite"
        )

    def rate_mbps(self, length_km: Tensor) -> Tensor:
        """`capacity_mbps` everywhere."""
        return torch.full_like(length_km, self.capacity_mbps)


LINK_MODELS: dict[str, type[EbN0Link | ShannonLink | FixedLink]] = {
    "eb_n0": EbN0Link,
    "shannon": ShannonLink,
    "fixed": FixedLink,
}
"""Link models by name; `eb_n0` is the default everywhere."""


def _require_radio(link: EbN0Link | ShannonLink) -> None:
    for name, value in asdict(link).items():
        require(math.isfinite(value), f"link.{name}", value, "a finite number")
    for name in ("frequency_ghz", "power_w", "noise_temperature_k"):
        require(getattr(link, name) > 0, f"link.{name}", getattr(link, name), "positive")
    require(link.margin_db >= 0, "link.margin_db", link.margin_db, "zero or more")


def _signal_to_noise_density_hz(link: EbN0Link | ShannonLink) -> float:
    """Received power over noise density, P G_t G_r / (k_B T L), at a length of 1 km."""
    path_loss = (4 * math.pi * link.frequency_ghz * 1e9 / LIGHT_KM_S) ** 2
    gains = _from_db(link.transmit_gain_dbi + link.receive_gain_dbi)
    return link.power_w * gains / (BOLTZMANN_J_K * link.noise_temperature_k * path_loss)
