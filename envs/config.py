"""Typed configuration of the physics and of the routing game, with its limits checked where it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated

from pydantic import StringConstraints


class ConfigError(ValueError):
    """A configuration value is impossible; the message names the field, the value and what is allowed."""


def require(condition: bool, field_name: str, value: object, allowed: str) -> None:
    """Raise `ConfigError` naming `field_name`, its `value` and what is `allowed` unless `condition` holds."""
    if not condition:
        raise ConfigError(f"{field_name}={value!r} is not possible: {allowed}")


Extension = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
"""Type of a setting that names a part from outside these packages as `module:name` (see `envs.extension`)."""


class Reward(str, Enum):
    """Team reward of the Dec-POMDP (design section 4)."""

    telescoping = "telescoping"
    paper = "paper"
    difference = "difference"


class LoadView(str, Enum):
    """What a satellite knows of the loads of other satellites' links; each view includes those before it.

    own: nothing but adjacent relays' counters. neighbours: adjacent satellites' links. two_hop: also those of
    satellites two hops away. announced: also where the packets that others hold are about to go.
    """

    own = "own"
    neighbours = "neighbours"
    two_hop = "two_hop"
    announced = "announced"


class DeadEnds(str, Enum):
    """Which hops the feasibility mask knows to lead nowhere.

    next_hop: the destination is too many hops away, or no satellite onward is new to the packet. whole_way: also those
    after which no way is left at all that enters no satellite twice; then no packet that can arrive is ever lost.
    """

    next_hop = "next_hop"
    whole_way = "whole_way"


@dataclass(frozen=True)
class TaskConfig:
    """The workload of a world: `n_tasks` sensing satellites, each served by one of `n_computing` satellites.

    fewest_tasks: if given, every world draws its own number of tasks from here to `n_tasks`, each as likely.
    """

    n_tasks: int = 8
    fewest_tasks: int | None = None
    n_computing: int = 2
    data_mbit: tuple[float, float] = (20.0, 200.0)
    model_mbit: tuple[float, float] = (5.0, 94.0)

    def __post_init__(self) -> None:
        require(self.n_tasks >= 1, "task.n_tasks", self.n_tasks, "at least 1")
        if self.fewest_tasks is not None:
            allowed = f"from 1 to task.n_tasks={self.n_tasks}"
            require(1 <= self.fewest_tasks <= self.n_tasks, "task.fewest_tasks", self.fewest_tasks, allowed)
        require(self.n_computing >= 1, "task.n_computing", self.n_computing, "at least 1")
        for name in ("data_mbit", "model_mbit"):
            low, high = getattr(self, name)
            require(0 < low <= high, f"task.{name}", (low, high), "two sizes with 0 < smallest <= largest")


@dataclass(frozen=True)
class RewardConfig:
    """Which reward is paid, and the paper reward's weights (section IV-C).

    kind: one of the three below, or `module:Class` of your own (docs/extending.md).
    `paper`: at the end, success_weight * share delivered + delay_weight * mean_n exp(-kappa * T~_n).
    `telescoping`: each step, minus the increase of total delay; a dropped packet pays `drop_penalty_s` plus
    `undelivered_factor` times its uncongested delay. `difference`: each agent its packet's marginal cost.
    """

    kind: Reward | Extension = Reward.telescoping
    success_weight: float = 1.0
    delay_weight: float = 1.0
    kappa: float = 0.5
    drop_penalty_s: float = 3.0

    def __post_init__(self) -> None:
        require(self.kappa > 0, "environment.reward.kappa", self.kappa, "positive")
        require(
            self.drop_penalty_s >= 0, "environment.reward.drop_penalty_s", self.drop_penalty_s, "zero or more"
        )


@dataclass(frozen=True)
class EnvironmentConfig:
    """The rules of the routing game.

    max_hops: a packet that has made this many hops without arriving is dropped.
    max_steps: the episode is truncated (not terminated) after this many steps.
    feasibility_mask: also forbid hops after which the destination is out of reach (hops left, dead ends).
    dead_ends: how far the feasibility mask looks for dead ends; `whole_way` costs time, and is worth it where links are
        missing.
    broadcast_delay_steps: other satellites' loads are known as they were this many steps ago.
    relay_s_per_mbit: rho, processing time of a relay.
    undelivered_factor: a dropped packet is charged its delay so far plus this many times its uncongested delay.
    """

    max_hops: int = 40
    max_steps: int = 96
    loads: LoadView = LoadView.announced
    broadcast_delay_steps: int = 0
    feasibility_mask: bool = True
    dead_ends: DeadEnds = DeadEnds.next_hop
    relay_s_per_mbit: float = 0.0005
    undelivered_factor: float = 2.0
    reward: RewardConfig = field(default_factory=RewardConfig)
    strict: bool = False

    def __post_init__(self) -> None:
        require(self.max_hops >= 1, "environment.max_hops", self.max_hops, "at least 1")
        require(
            self.feasibility_mask or self.dead_ends is DeadEnds.next_hop,
            "environment.dead_ends",
            self.dead_ends.value,
            "without environment.feasibility_mask there is no mask to look for them",
        )
        require(self.max_steps >= self.max_hops, "environment.max_steps", self.max_steps, "at least max_hops")
        require(
            self.broadcast_delay_steps >= 0,
            "environment.broadcast_delay_steps",
            self.broadcast_delay_steps,
            "zero or more",
        )
        require(
            self.relay_s_per_mbit >= 0, "environment.relay_s_per_mbit", self.relay_s_per_mbit, "zero or more"
        )
