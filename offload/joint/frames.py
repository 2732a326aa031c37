"""Tasks of real frames: which profiled frames a satellite has taken, and in which order it would offload them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from envs.config import require
from models.profile_file import Profile
from offload.tasks import Tasks


@dataclass(frozen=True)
class FrameTasks:
    """The frames of E x n tasks, by their rows in a profile, in the order of offloading.

    rows: [E, n, L] long; beyond a task's own frames: 0. counts: [E, n] long, how many frames it has.
    accuracy: [E, n] float64, required of all its frames together, whoever answers them.
    """

    rows: Tensor
    counts: Tensor
    accuracy: Tensor

    @property
    def present(self) -> Tensor:
        """[E, n, L] bool, which places hold a frame."""
        return torch.arange(self.rows.shape[2], device=self.rows.device) < self.counts[..., None]

    @property
    def tasks(self) -> Tasks:
        """What the service delay needs to know; both accuracies are that of the whole."""
        return Tasks(self.counts, self.accuracy, self.accuracy)

    def select(self, index: Tensor) -> FrameTasks:
        """The tasks of the worlds at `index`."""
        return FrameTasks(self.rows[index], self.counts[index], self.accuracy[index])

    def ranked(self, profile: Profile) -> FrameTasks:
        """The same frames, those first that the gate's first stage trusts least."""
        confidence = torch.from_numpy(profile.confidence[:, 0])[self.rows]
        order = torch.where(self.present, confidence, torch.inf).argsort(dim=2, stable=True)
        return FrameTasks(self.rows.gather(2, order), self.counts, self.accuracy)

    def requiring(self, accuracy: float) -> FrameTasks:
        """The same frames with another requirement."""
        return FrameTasks(self.rows, self.counts, torch.full_like(self.accuracy, accuracy))


def draw_frames(profile: Profile, counts: Tensor, accuracy: float, *, seed: int) -> FrameTasks:
    """Frames for tasks of `counts` [E, n], each task's drawn without repetition, in random order.

    Raises ConfigError when a task has more frames than there are profiled ones.
    """
    most = int(counts.max())
    require(
        most <= len(profile),
        "joint.frames",
        most,
        f"at most {len(profile)}, the frames that are profiled and not used for estimates (joint.profiled)",
    )
    random = np.random.default_rng(seed)
    n_worlds, n_tasks = counts.shape
    rows = np.empty((n_worlds * n_tasks, most), np.int64)
    for row in rows:
        row[:] = random.permutation(len(profile))[:most]
    drawn = torch.from_numpy(rows).view(n_worlds, n_tasks, most)
    required = torch.full(counts.shape, accuracy, dtype=torch.float64)
    tasks = FrameTasks(drawn, counts, required)
    return FrameTasks(torch.where(tasks.present, drawn, 0), counts, required)
