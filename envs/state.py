"""The global state that a mixing network is conditioned on; its size depends on the packets, not the satellites."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.observation_layout import PACKETS, SIZE_MBIT, STEPS
from envs.simulator import RoutingSimulator

PACKET_FEATURES = (
    "alive",
    "delivered",
    "dropped",
    "is_data",
    "size",
    "hops_left",
    "accumulated_s",
    "remaining_s",
    "task_uncongested_s",
    "task",
)
SUMMARY_FEATURES = (
    "step",
    "delivered_share",
    "dropped_share",
    "alive_share",
    "expected_stretch",
    "expected_speed",
    "total_delay",
    "busiest_link",
)
# A destination that cannot be reached reads as this far away.
FAR_S = 60.0

STATE_VERSION = 1
"""Changes with the features above: a mixer belongs to one version."""


@dataclass(frozen=True)
class StateLayout:
    """Columns of the per-packet state that mixing networks read by name; delays are in seconds."""

    alive: int = PACKET_FEATURES.index("alive")
    delivered: int = PACKET_FEATURES.index("delivered")
    dropped: int = PACKET_FEATURES.index("dropped")
    accumulated_s: int = PACKET_FEATURES.index("accumulated_s")
    remaining_s: int = PACKET_FEATURES.index("remaining_s")
    task_uncongested_s: int = PACKET_FEATURES.index("task_uncongested_s")
    task: int = PACKET_FEATURES.index("task")

    @property
    def name(self) -> str:
        """Identifier of the features, their order and their units."""
        return f"leomix-state-v{STATE_VERSION}"


def global_state(simulator: RoutingSimulator) -> tuple[Tensor, Tensor]:
    """Per-packet features [E, P, len(PACKET_FEATURES)] and link-load summary [E, len(SUMMARY_FEATURES)].

    An absent packet's row is zero. `expected_stretch` is the mean over tasks of (delay so far + uncongested rest)
    over uncongested delay; `expected_speed` the mean of exp(-kappa * stretch), the paper reward's second term.
    """
    sim = simulator
    present = sim.worlds.present
    n_present = present.sum(1).clamp(min=1)
    by_task = (sim.n_worlds, 2, -1)
    accumulated, remaining = sim.accumulated_s, sim.remaining_s().clamp(max=FAR_S)
    uncongested = torch.where(present, sim.uncongested_s, 0.0).view(by_task).sum(1)  # [E, n]
    task_uncongested = uncongested.repeat(1, 2)  # [E, P]
    n_tasks = sim.n_packets // 2
    is_data = torch.zeros_like(accumulated)
    is_data[:, n_tasks:] = 1.0
    features = {
        "alive": sim.alive,
        "delivered": sim.delivered,
        "dropped": sim.dropped,
        "is_data": is_data,
        "size": sim.worlds.size_mbit / SIZE_MBIT,
        "hops_left": (sim.config.max_hops - sim.hops) / sim.config.max_hops,
        "accumulated_s": accumulated,
        "remaining_s": remaining,
        "task_uncongested_s": task_uncongested,
        "task": torch.arange(sim.n_packets, device=sim.device).remainder(n_tasks).expand_as(accumulated),
    }
    packets = torch.stack([features[name].to(accumulated.dtype) for name in PACKET_FEATURES], 2)
    packets = packets * present[..., None]

    expected = (accumulated + remaining) * present
    stretch = expected.view(by_task).sum(1) / uncongested.clamp(min=1e-6)  # [E, n]
    summary = {
        "step": sim.steps / STEPS,
        "delivered_share": (sim.delivered & present).sum(1) / n_present,
        "dropped_share": sim.dropped.sum(1) / n_present,
        "alive_share": sim.alive.sum(1) / n_present,
        "expected_stretch": stretch.mean(1),
        "expected_speed": torch.exp(-sim.config.reward.kappa * stretch).mean(1),
        "total_delay": sim.total_delay_s / uncongested.sum(1).clamp(min=1e-6),
        "busiest_link": sim.busiest_link / PACKETS,
    }
    return packets, torch.stack([summary[name] for name in SUMMARY_FEATURES], 1)
