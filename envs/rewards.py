"""What the team is paid for a step (design: section IV-C of BS-MARL and what makes it dense)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from envs.asking import worth_computing
from envs.config import Reward, RewardConfig
from envs.extension import load_extension

if TYPE_CHECKING:
    from envs.simulator import RoutingSimulator


class TeamReward:
    """Minus the increase of everybody's delay, with the penalties of what was dropped: `telescoping`, `difference`.

    Derive from it to pay for something else (docs/extending.md).
    """

    def __init__(self, config: RewardConfig) -> None:
        self.config = config

    def of_step(self, simulator: RoutingSimulator, telescoping: Tensor, ended: Tensor) -> Tensor:
        """What each world's team gets for the step just made, [E].

        telescoping: [E], minus the step's increase of total delay in s, minus penalties. ended: [E] bool, the worlds
        whose last packet arrived or was dropped in this step.
        """
        return telescoping


class PaperReward(TeamReward):
    """Nothing until the end, then shares of packets and speed of tasks (see `RoutingSimulator.paper_reward`)."""

    def of_step(self, simulator: RoutingSimulator, telescoping: Tensor, ended: Tensor) -> Tensor:
        worlds = worth_computing(ended)
        if not len(worlds):
            return torch.zeros_like(telescoping)
        paid = torch.where(ended.index_select(0, worlds), simulator.paper_reward(worlds), 0.0)
        return torch.zeros_like(telescoping).index_copy_(0, worlds, paid)


TEAM_REWARDS: dict[str, type[TeamReward]] = {
    Reward.telescoping: TeamReward,
    Reward.difference: TeamReward,
    Reward.paper: PaperReward,
}
"""By `reward.kind`; agents that learn from their own credit get it besides, whatever the team is paid."""


def team_reward(config: RewardConfig) -> TeamReward:
    """The reward that `config` names; raises ConfigError where it names a class that cannot be had."""
    known = TEAM_REWARDS.get(config.kind)
    return (known or load_extension(config.kind, "environment.reward.kind", TeamReward))(config)
