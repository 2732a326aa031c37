"""What the report shows on its globe."""

from __future__ import annotations

from dataclasses import dataclass

from envs.config import require


@dataclass(frozen=True)
class Station:
    """A ground station: its name on the globe and where it stands."""

    name: str
    latitude_deg: float
    longitude_deg: float

    def __post_init__(self) -> None:
        require(bool(self.name.strip()), "globe.stations.name", self.name, "a name, it stands on the globe")
        for name, most in (("latitude_deg", 90), ("longitude_deg", 180)):
            value = getattr(self, name)
            require(abs(value) <= most, f"globe.stations.{name}", value, f"{-most} to {most}")


STATIONS = (
    Station("Svalbard", 78.23, 15.39),
    Station("Kiruna", 67.86, 20.96),
    Station("Fairbanks", 64.86, -147.85),
    Station("Shanghai", 31.3, 121.5),
    Station("Maspalomas", 27.76, -15.63),
    Station("Hawaii", 19.01, -155.66),
    Station("Singapore", 1.32, 103.99),
    Station("Hartebeesthoek", -25.89, 27.69),
    Station("Santiago", -33.15, -70.67),
    Station("Dongara", -29.05, 115.35),
)
"""Sites that host stations of several public networks; Shanghai is SpaceVerse's."""


@dataclass(frozen=True)
class GlobeConfig:
    """The globe of the report.

    left, right: routers shown side by side at first; every compared router can be chosen on the page. left=None: the
        policy, or without one the best rule that is written by hand.
    worlds: how many of the evaluation's worlds are replayed; which, `report.choice` decides.
    stations: ground stations.
    mask_deg: elevation below which a station hears no satellite.
    contact_hours: length of the time for which orbits and contact windows are shown, from the world's slot on.
    """

    left: str | None = None
    right: str = "dijkstra"
    worlds: int = 3
    stations: tuple[Station, ...] = STATIONS
    mask_deg: float = 25.0
    contact_hours: float = 2.0

    def __post_init__(self) -> None:
        require(1 <= self.worlds <= 8, "globe.worlds", self.worlds, "1 to 8, each makes the page larger")
        require(0 <= self.mask_deg < 90, "globe.mask_deg", self.mask_deg, "0 or more and below 90")
        require(
            0 < self.contact_hours <= 24,
            "globe.contact_hours",
            self.contact_hours,
            "above 0, up to 24 (two are one or two orbits)",
        )
        names = [station.name for station in self.stations]
        require(len(set(names)) == len(names), "globe.stations", names, "different names")

    def check_routers(self, compared: tuple[str, ...]) -> None:
        """Raise ConfigError unless both routers that the page starts with are among those `compared`."""
        for side, router in (("left", self.left), ("right", self.right)):
            require(
                router is None or router in compared,
                f"globe.{side}",
                router,
                f"one of {', '.join(compared)}",
            )
