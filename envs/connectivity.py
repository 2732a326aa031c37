"""Which satellites have a way to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from envs.topology import Topology


@dataclass(frozen=True)
class Connectivity:
    """How much of a network hangs together; means over slots.

    cut_off: satellites that reach no other. parts: of the network, those satellites among them. largest: share of the
    satellites that are in the largest part. disconnected_pairs: share of the pairs of satellites without a way.
    """

    cut_off: float
    parts: float
    largest: float
    disconnected_pairs: float

    def __str__(self) -> str:
        if self.disconnected_pairs == 0:
            return "every satellite reaches every other"
        return (
            f"{100 * self.disconnected_pairs:.3g}% of the pairs of satellites have no way to each other: "
            f"{self.cut_off:.3g} satellites are cut off, the largest of {self.parts:.3g} parts has "
            f"{100 * self.largest:.3g}% of all"
        )


def components(topology: Topology) -> Tensor:
    """[T, V] int64, number of the part of the network that each satellite is in: equal iff they have a way."""
    neighbours, up = topology.neighbours.cpu().numpy(), topology.up.cpu().numpy()
    n = len(neighbours)
    parts = []
    for links in up:
        here, direction = np.nonzero(links)
        ends = (here, neighbours[here, direction])
        graph = csr_array((np.ones(len(here), np.uint8), ends), shape=(n, n))
        parts.append(connected_components(graph, directed=False)[1])
    return torch.from_numpy(np.stack(parts)).long().to(topology.device)


def component_sizes(component: Tensor) -> Tensor:
    """[T, V] int64, how many satellites are in the part that each is in, from `components` [T, V]."""
    sizes = torch.zeros_like(component).scatter_add_(1, component, torch.ones_like(component))
    return sizes.gather(1, component)


def connectivity(component: Tensor) -> Connectivity:
    """Of `components` [T, V]."""
    size = component_sizes(component).double()
    n_slots, n = size.shape
    return Connectivity(
        cut_off=float((size == 1).sum()) / n_slots,
        parts=float((1 / size).sum()) / n_slots,
        largest=float(size.amax(1).mean()) / n,
        disconnected_pairs=float((n - size).sum()) / (n_slots * n * (n - 1)),
    )
