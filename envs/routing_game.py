"""The Dec-POMDP as learners play it: worlds sampled from an ephemeris, decisions row by row, rewards, hindsight.

`RoutingGame` has the shape that batched learners ask for (`agents.protocol.BatchedEnvironment`, matched by its
attributes: this package knows nothing of its users).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.config import EnvironmentConfig, Reward, RewardConfig, TaskConfig
from envs.ephemeris import Ephemeris
from envs.observation import Observer
from envs.observation_layout import ObservationLayout
from envs.simulator import RoutingSimulator, StepOutcome, Turn
from envs.state import PACKET_FEATURES, SUMMARY_FEATURES, StateLayout, global_state
from envs.worlds import Worlds, sample_worlds


@dataclass(frozen=True)
class Decisions:
    """Decisions due: world, agent [N] long (the packet's number in its world); observation [N, F]; legal [N, 4].

    decides: [N] bool, or None where all do; the other rows are to be left out (`Turn.decides`).
    """

    world: Tensor
    agent: Tensor
    observation: Tensor
    legal: Tensor
    turn: Turn

    @property
    def decides(self) -> Tensor | None:
        return self.turn.decides

    def __len__(self) -> int:
        return self.world.shape[0]


@dataclass(frozen=True)
class Hindsight:
    """What only the finished episode tells: credit [R] of all decisions in the order played, terminal reward [E]."""

    credit: Tensor
    terminal_reward: Tensor


class RoutingGame:
    """Routing worlds drawn anew at each reset.

    slots: the ephemeris' slots to draw worlds from (default all).
    """

    n_actions = 4

    def __init__(
        self,
        ephemeris: Ephemeris,
        task: TaskConfig,
        config: EnvironmentConfig,
        n_worlds: int,
        *,
        slots: Tensor | None = None,
    ) -> None:
        self.ephemeris = ephemeris
        self.task = task
        self.config = config
        self.slots = slots
        self.simulator = RoutingSimulator(ephemeris, config)
        self.observer = Observer(self.simulator)
        self.n_worlds = n_worlds
        self.n_agents = 2 * task.n_tasks
        self.observation_layout: ObservationLayout = self.observer.layout
        self.observation_size = self.observation_layout.size
        self.state_layout = StateLayout()
        self.agent_state_size = len(PACKET_FEATURES)
        self.summary_size = len(SUMMARY_FEATURES)
        self.max_steps = config.max_steps
        self.device = ephemeris.device
        self._played: list[tuple[Tensor, Tensor]] = []

    @property
    def link_function(self) -> RewardConfig | None:
        """Constants of the paper's terminal reward, for the mixer that is built on it."""
        return self.config.reward if self.config.reward.kind is Reward.paper else None

    def reset(self, seed: int, *, first: int = 0, of: int | None = None) -> None:
        """Start `n_worlds` worlds: from number `first` on, of the `of` (default all of these) that `seed` draws."""
        of = of or self.n_worlds
        if first + self.n_worlds > of:
            raise ValueError(f"worlds {first} to {first + self.n_worlds - 1} are not among {of}")
        worlds = sample_worlds(self.ephemeris, self.task, of, seed=seed, slots=self.slots)
        self.play(worlds if of == self.n_worlds else worlds.select(slice(first, first + self.n_worlds)))

    def play(self, worlds: Worlds) -> None:
        """Start given worlds instead of sampled ones."""
        self.simulator.reset(worlds)
        self._played = []
        self._decisions: Decisions | None = None

    def decisions(self) -> Decisions:
        """The decisions due now; no row when every world is finished, or a step later where nobody waits to know."""
        if self._decisions is None:
            turn = self.simulator.turn_unasked()
            self._decisions = Decisions(
                world=turn.world,
                agent=turn.packet - turn.world * self.n_agents,
                observation=self.observer(turn),
                legal=turn.legal,
                turn=turn,
            )
        return self._decisions

    def state(self) -> tuple[Tensor, Tensor]:
        """Global state: per packet [E, P, Fp] and summary [E, Fs]."""
        return global_state(self.simulator)

    def step(self, decisions: Decisions, actions: Tensor) -> StepOutcome:
        """Play legal `actions` [N] (0..3, anything where nobody decides); pays the team and gives credit so far."""
        packet = decisions.turn.packet
        hop = self.simulator.hops.reshape(-1)[packet]
        self._played.append(
            (packet, hop.clamp(max=self.config.max_hops - 1))
        )  # who has arrived may have made all
        self._decisions = None
        return self.simulator.step(decisions.turn, actions, only_legal=True)

    def truncated(self) -> Tensor:
        """[E] worlds stopped by the time limit."""
        return self.simulator.truncated

    def hindsight(self) -> Hindsight:
        """Each hop's difference reward against the final loads. The terminal reward is in the last step already."""
        by_hop = self.simulator.credit_in_hindsight().flatten(0, 1)  # [EP, H]
        packet = torch.cat([packet for packet, _ in self._played])
        hop = torch.cat([hop for _, hop in self._played])
        return Hindsight(
            credit=by_hop[packet, hop], terminal_reward=torch.zeros(self.n_worlds, device=self.device)
        )
