"""A decision for people and for programs: a table, and plain values for JSON."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table
from torch import Tensor

from offload.problem import OffloadProblem
from offload.scenario_file import satellite_name
from offload.search import Decision, Stop


def decision_record(problem: OffloadProblem, decision: Decision, world: int = 0) -> dict[str, Any]:
    """Everything that is decided in one world, as JSON values. Seconds, Mbit; satellites by name."""
    chosen, n_tasks = decision.chosen, problem.worlds.n_tasks
    levels = problem.design.data.levels.bits_per_pixel
    accuracies = problem.accuracies(chosen.offloaded)
    parts = {name: part[world].tolist() for name, part in chosen.delay.parts().items()}
    tasks = []
    for task in range(n_tasks):
        counts = chosen.data.level_frames[world, task].tolist()
        tasks.append(
            {
                "sensing": satellite_name(int(problem.worlds.destination[world, task])),
                "computing": satellite_name(int(problem.worlds.source[world, task])),
                "frames": int(problem.tasks.frames[world, task]),
                "offloaded_frames": int(chosen.offloaded[world, task]),
                "ratio": float(decision.ratio[world, task]),
                "frames_by_residual_bits_per_pixel": {
                    f"{bits:g}": count for bits, count in zip(levels, counts, strict=True)
                },
                **{name: float(value[world, task]) for name, value in accuracies.items()},
                "model_packet": _packet(problem, decision, world, task, chosen.model_mbit),
                "data_packet": _packet(problem, decision, world, n_tasks + task, chosen.data.size_mbit),
                "delay_s": {
                    "total": float(chosen.delay.total_s[world, task]),
                    "model_packet": float(chosen.delay.model.total_s[world, task]),
                    "feature_extraction": float(chosen.delay.feature_s[world, task]),
                    "data_packet": float(chosen.delay.data.total_s[world, task]),
                    "large_model": float(chosen.delay.large_s[world, task]),
                    "small_model": float(chosen.delay.small_s[world, task]),
                    "parts_of_total": {name: values[task] for name, values in parts.items()},
                },
            }
        )
    record: dict[str, Any] = {
        "constellation": problem.ephemeris.topology.constellation.name,
        "mean_service_delay_s": float(chosen.mean_s[world]),
        "tasks": tasks,
    }
    if decision.trace is not None:
        n = int(decision.trace.iterations[world])
        record["search"] = {
            "routings": n,
            "stopped": Stop(int(decision.trace.stop[world])).name,
            "returned": int(decision.trace.best[world]),
            "mean_service_delay_as_routed_s": decision.trace.mean_s[:n, world].tolist(),  # before any polish
        }
    return record


def _packet(
    problem: OffloadProblem, decision: Decision, world: int, packet: int, size_mbit: Tensor
) -> dict[str, Any] | None:
    size = float(size_mbit[world, packet % problem.worlds.n_tasks])
    if size == 0:
        return None
    links = decision.chosen.routes.links[world, packet]
    entered = problem.ephemeris.topology.neighbours.view(-1)[links[links >= 0]].tolist()
    return {
        "mbit": size,
        "path": [satellite_name(v) for v in (int(problem.worlds.source[world, packet]), *entered)],
        "delivered": bool(decision.chosen.routes.delivered[world, packet]),
    }


def decision_table(record: dict[str, Any]) -> Table:
    """A `decision_record` as tables for a screen: what is offloaded and what it takes, then the paths."""
    out = Table(
        title=f"mean service delay {record['mean_service_delay_s']:.3f} s",
        caption="s: model packet, features, then data packet + large model beside the small model",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for column in ("task", "offload", "ratio", "data\nMbit", "model\nMbit"):
        out.add_column(column, justify="right", no_wrap=True)
    for column in ("total", "model\npacket", "fea-\ntures", "data\npacket", "large", "small"):
        out.add_column(column, justify="right", no_wrap=True)
    for task in record["tasks"]:
        delay = task["delay_s"]
        data, model = task["data_packet"], task["model_packet"]
        names = ("total", "model_packet", "feature_extraction", "data_packet", "large_model", "small_model")
        out.add_row(
            task["sensing"],
            f"{task['offloaded_frames']}/{task['frames']}",
            f"{task['ratio']:.3f}",
            "-" if data is None else f"{data['mbit']:.0f}",
            "-" if model is None else f"{model['mbit']:.0f}",
            *(f"{delay[name]:.2f}" for name in names),
        )
    return out


def path_lines(record: dict[str, Any]) -> list[str]:
    """One line for every packet: whose, which, and the satellites on its way; accuracies where they are known."""
    lines = []
    for task in record["tasks"]:
        for kind in ("model_packet", "data_packet"):
            packet = task[kind]
            if packet is not None:
                path = " ".join(name.removeprefix("sat_") for name in packet["path"])
                lost = "" if packet["delivered"] else "  LOST"
                lines.append(f"{task['sensing']} {kind.removesuffix('_packet'):5s} {path}{lost}")
        known = [f"{name.replace('_', ' ')} {task[name]:.4f}" for name in task if name.endswith("_accuracy")]
        if known:
            lines.append(f"{task['sensing']} {', '.join(known)}")
    return lines
