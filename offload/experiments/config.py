"""What the experiments of BS-MARL vary."""

from __future__ import annotations

from dataclasses import dataclass

from envs.config import require


@dataclass(frozen=True)
class BsMarlConfig:
    """Settings of `evaluate.py experiment=bs_marl`.

    volumes_mbit: data volume D of every task, Fig. 3. computing_tops: capacity of a computing satellite, Fig. 4.
    router: routes where there is no policy.
    router_worlds: worlds of the table of schemes by routers, some of which are slow.
    training_runs: folders of runs, or of studies, whose training curves are compared, Fig. 6; runs that differ only in
        their seed are averaged.
    """

    volumes_mbit: tuple[float, ...] = (300.0, 600.0, 900.0, 1200.0, 1500.0, 1800.0)
    computing_tops: tuple[float, ...] = (2.5, 5.0, 10.0, 20.0, 40.0, 80.0)
    router: str = "look_ahead_3"
    router_worlds: int = 50
    training_runs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("volumes_mbit", "computing_tops"):
            values = getattr(self, name)
            allowed = "at least one positive number"
            require(len(values) > 0 and min(values) > 0, f"bs_marl.{name}", values, allowed)
        require(self.router_worlds >= 2, "bs_marl.router_worlds", self.router_worlds, "at least 2")
