"""Where the large model of SpaceVerse is: on a computing satellite, or on the ground behind a downlink.

The frames, the gate, the codings and the seconds of both models are the same everywhere; only the way differs.
    in orbit            on a computing satellite, over ISLs, carried by any router
    ground by ISLs      over ISLs to the satellite highest above the station, whose downlink all tasks of a world share
    ground by own pass  data waits on board until its own satellite passes the station; nobody else is in the way
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from agents.routers import ROUTERS, Router
from envs.config import ConfigError
from envs.worlds import Worlds
from models.link import Downlink
from models.profile_file import EITHER
from models.workload import Workload
from offload.accuracy import RequirementError
from offload.experiments.result import Row, mean_interval
from offload.joint.contact import arrival_s, gateways
from offload.joint.problem import JointProblem
from offload.joint.seconds import FrameSeconds, devices
from offload.joint.setting import Setting
from offload.search import search

COMPUTING, GATEWAY, OWN_CONTACT = "in orbit", "ground by ISLs", "ground by own pass"


@dataclass(frozen=True)
class PlaceOutcome:
    """E worlds of n tasks: delay_s, way_s (until the data has arrived), ratio and measured accuracy, each [E, n]; NaN
    where there is no task."""

    delay_s: np.ndarray
    way_s: np.ndarray
    ratio: np.ndarray
    measured: np.ndarray


def compare_places(
    setting: Setting, router: Router, on_start: Callable[[str], None] = lambda what: None
) -> list[Row]:
    """Rows by frame size, requirement (first and last), place and router; intervals over worlds, of all seeds."""
    config, rows = setting.config, []
    routers = [router, *(ROUTERS[name]() for name in config.other_routers if name != router.name)]
    ways: list[tuple[str, str, Callable[[JointProblem], PlaceOutcome]]] = [
        (COMPUTING, one.name, lambda problem, one=one: _searched(problem, one)) for one in routers
    ]
    ways.append((GATEWAY, router.name, lambda problem: _searched(_to_gateway(setting, problem), router)))
    ways.append((OWN_CONTACT, "-", lambda problem: _own_contact(setting, problem)))
    on_start("packets of frames, ranked")
    designs = setting.designs(EITHER, gated=True)
    for pixels in config.pixels:
        for accuracy in dict.fromkeys((setting.accuracies[0], setting.accuracies[-1])):
            try:
                problem = setting.problem(
                    designs[accuracy], gated=True, pixels=pixels, seconds=_seconds(setting), update_mbit=0.0
                )
            except RequirementError:
                continue  # the table of schemes says so
            for place, name, decide in ways:
                on_start(f"{pixels} pixels, accuracy {accuracy:g}: {place}, {name}")
                rows.append(
                    {"pixels": pixels, "required": accuracy, "place": place, "router": name}
                    | _row(decide(problem))
                )
    return rows


def _seconds(setting: Setting) -> FrameSeconds:
    """Of the frames' kind on the device profiles, the same for all halves."""
    return devices(setting.halves[0].asked, Workload())


def _row(outcome: PlaceOutcome) -> Row:
    delay_s = outcome.delay_s
    bounds = mean_interval(np.nanmean(delay_s, 1))
    means = {name: float(np.nanmean(getattr(outcome, name))) for name in ("way_s", "ratio", "measured")}
    return {
        "delay_s": float(np.nanmean(delay_s)),
        "low_s": bounds.low,
        "high_s": bounds.high,
        "p50_s": float(np.nanquantile(delay_s, 0.5)),
        "p95_s": float(np.nanquantile(delay_s, 0.95)),
        "data_way_s": means["way_s"],
        "ratio": means["ratio"],
        "measured": means["measured"],
    }


SHOWN = ("required", "place", "router", "delay_s", "low_s", "high_s", "data_way_s", "ratio", "measured")


def _outcome(
    problem: JointProblem, offloaded: torch.Tensor, delay_s: torch.Tensor, way_s: torch.Tensor
) -> PlaceOutcome:
    present = problem.tasks.present
    ratio = offloaded / problem.tasks.frames.clamp(min=1)
    values = (delay_s, way_s, ratio, problem.joint.measured_accuracy(offloaded))
    return PlaceOutcome(*(torch.where(present, value, torch.nan).numpy() for value in values))


def _searched(problem: JointProblem, router: Router) -> PlaceOutcome:
    chosen = search(problem, router, problem.config.search).chosen
    return _outcome(problem, chosen.offloaded, chosen.delay.total_s, chosen.delay.data.total_s)


def _to_gateway(setting: Setting, problem: JointProblem) -> JointProblem:
    """The same tasks with their data going to the ground by way of one satellite."""
    worlds, n_tasks = problem.worlds, problem.worlds.n_tasks
    time_s = setting.ephemeris.topology.time_s[worlds.slot]
    sensing = worlds.destination[:, :n_tasks]
    gateway = gateways(setting.scenario.constellation, time_s, sensing, setting.config.station)
    there = gateway[:, None].expand(-1, n_tasks)
    sharing = problem.tasks.present.sum(1).clamp(min=1)
    return replace(
        problem,
        worlds=Worlds(
            worlds.slot,
            torch.cat([there, sensing], 1),
            torch.cat([sensing, there], 1),
            worlds.size_mbit,
            worlds.present,
        ),
        exit_s_per_mbit=sharing.double() / setting.config.station.downlink_mbps,
    )


def _own_contact(setting: Setting, problem: JointProblem) -> PlaceOutcome:
    """Every number of frames is tried on every satellite's own contacts, and the best taken."""
    worlds, tasks = problem.worlds, problem.tasks
    sensing = worlds.destination[:, : worlds.n_tasks]
    seconds = _seconds(setting)
    start_s = setting.ephemeris.topology.time_s[worlds.slot]
    size = problem.joint.size_mbit.numpy()
    offloaded = torch.zeros_like(tasks.frames)
    delay_s, way_s = torch.zeros(tasks.frames.shape).double(), torch.zeros(tasks.frames.shape).double()
    for world, task in tasks.present.nonzero().tolist():
        link = setting.contacts.downlink(int(sensing[world, task]))
        best, total, way = best_by_contact(
            link, float(start_s[world]), int(tasks.frames[world, task]), size[world, task], seconds
        )
        if not np.isfinite(total):
            raise ConfigError(
                f"joint.station.hours={setting.config.station.hours:g} is not enough: a satellite's contacts end "
                "before its data has come down"
            )
        offloaded[world, task], delay_s[world, task], way_s[world, task] = best, total, way
    return _outcome(problem, offloaded, delay_s, way_s)


def best_by_contact(
    link: Downlink, start_s: float, n_frames: int, size_mbit: np.ndarray, seconds: FrameSeconds
) -> tuple[int, float, float]:
    """(frames, delay, seconds until the data is down) of least delay for a task that starts at `start_s`.

    size_mbit: [M] by number of offloaded frames, inf where it is not possible.
    """
    frames = np.arange(n_frames + 1)
    size = size_mbit[: n_frames + 1]
    busy_s = seconds.look_s * n_frames + seconds.send_s * frames
    way_s = arrival_s(link, start_s + busy_s, size) - start_s - busy_s
    total_s = busy_s + np.maximum(way_s + seconds.large_s * frames, seconds.keep_s * (n_frames - frames))
    best = int(total_s.argmin())
    return best, float(total_s[best]), float(way_s[best])
