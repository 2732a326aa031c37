"""Where models run and how samples come in and go down: the part of a command's settings that seconds depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.interface import VisionLanguageModel
from models.link import Downlink, GroundStation, RateTrace, constellation_downlinks, read_rate_trace
from models.sample import Sample
from models.sources import PROCEDURAL
from models.timing import AUTO, THIS_MACHINE, timing_named
from models.workload import Workload


@dataclass(frozen=True)
class Stream:
    """Processors, the stream of images, and the link.

    onboard, ground  processors: this-machine (measured) or a device of models.devices (estimated)
    onboard_size, ground_size  whose seconds are estimated: auto is the loaded model itself, and the paper's Qwen2-VL
                     for the built-in pair; or a size of models.devices
    satellites, interval_s  one image per satellite every interval_s
    tle              file of satellites for contact windows; empty: circular orbits of the paper's 570 km
    rate_trace       CSV with time_s and mbps; empty: 110.67 Mb/s
    station_latitude_deg, station_longitude_deg, station_mask_deg   the ground station
    """

    onboard: str = "xavier"
    ground: str = "rtx3090"
    onboard_size: str = AUTO
    ground_size: str = AUTO
    satellites: int = 10
    interval_s: float = 20.0
    tle: str = ""
    rate_trace: str = ""
    station_latitude_deg: float = 31.3
    station_longitude_deg: float = 121.5
    station_mask_deg: float = 25.0

    @property
    def station(self) -> GroundStation:
        """The ground station; raises LinkError when there is no such place."""
        return GroundStation(
            "station", self.station_latitude_deg, self.station_longitude_deg, self.station_mask_deg
        )

    def contact_downlinks(self) -> tuple[Downlink, ...]:
        """Contact windows of every satellite over the station."""
        return constellation_downlinks(
            self.satellites, self.station, tle=self.tle, rate_trace=self.rate_trace
        )

    def permanent_downlinks(self) -> tuple[Downlink, ...]:
        """A link that never breaks, at the rates of the trace."""
        rate = read_rate_trace(self.rate_trace) if self.rate_trace else RateTrace()
        return (Downlink.always(rate),) * self.satellites

    def workload(
        self, data: str, small: VisionLanguageModel, large: VisionLanguageModel, some: Sequence[Sample]
    ) -> Workload:
        """Processors and stream in permanent contact. `some` samples of `data` are what a measured model is timed on.

        On estimated devices procedural scenes stand in for frames of the real data sets; everything else counts as
        it is. Raises ValueError for an unknown device or size, or a model too large for its device.
        """
        stands_in = data == PROCEDURAL and THIS_MACHINE not in (self.onboard, self.ground)
        return Workload(
            onboard=timing_named(self.onboard, self.onboard_size, small, some, stand_in="qwen2-vl-2b"),
            ground=timing_named(self.ground, self.ground_size, large, some, stand_in="qwen2-vl-7b"),
            own_frames=not stands_in,
            satellites=self.satellites,
            interval_s=self.interval_s,
            downlinks=self.permanent_downlinks(),
        )
