"""What the learning core asks of an environment: worlds side by side, whose agents decide step by step.

Any environment with this shape can be trained; nothing here knows of satellites. Shapes: E worlds, P agents
per world (slots; a slot may be idle), A actions, N agents that decide now (over all worlds), F observation
size, Fp state features per agent, Fs summary features per world, R recorded decisions of a batch of episodes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor


class Decisions(Protocol):
    """One row per agent that must act now; an agent has at most one row per step.

    Where to know who acts is to wait for a device, there may be rows of others, too: nothing is legal in them, and
    whatever is played there does nothing.
    """

    @property
    def world(self) -> Tensor: ...  # [N] int64
    @property
    def agent(self) -> Tensor: ...  # [N] int64, slot 0..P-1
    @property
    def observation(self) -> Tensor: ...  # [N, F] float32
    @property
    def legal(self) -> Tensor: ...  # [N, A] bool
    @property
    def decides(self) -> Tensor | None: ...  # [N] bool, False in rows to leave out; always None: no such row


class StepResult(Protocol):
    """Rewards of one joint step."""

    @property
    def team_reward(self) -> Tensor: ...  # [E] paid to the world
    @property
    def credit(self) -> Tensor: ...  # [N] of each acting agent


class HindsightCredit(Protocol):
    """What only the finished episode can tell."""

    @property
    def credit(
        self,
    ) -> Tensor: ...  # [R] replaces that of every decision, in the order they were given to `step`
    @property
    def terminal_reward(self) -> Tensor: ...  # [E] added to the team reward of each world's last step


@dataclass(frozen=True)
class ObservationLayout:
    """How a flat observation splits into `[global | direction 0 | direction 1 | ...]`, one block per action.

    prior: index within a block of the known cost of that direction, `prior_scale_s` its unit in seconds;
    legal: index within a block of the flag that the direction is legal (1) or not (0).
    """

    n_global: int
    n_directions: int
    n_per_direction: int
    prior: int
    prior_scale_s: float
    legal: int

    @property
    def size(self) -> int:
        return self.n_global + self.n_directions * self.n_per_direction

    def split(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """observation [N, F] -> global part [N, G], per direction [N, n_directions, D] (views)."""
        common, blocks = observation.split((self.n_global, self.size - self.n_global), dim=-1)
        return common, blocks.unflatten(-1, (self.n_directions, self.n_per_direction))


@dataclass(frozen=True)
class StateLayout:
    """Indices of the fields of the per-agent state [.., P, Fp] that mixers read by name; one agent is one
    packet.

    alive, delivered, dropped: flags (all zero for a slot that is not used in this world).
    accumulated_s: delay of the packet so far; remaining_s: uncongested cost-to-go from where it is (0 once it
    has arrived); task_uncongested_s: uncongested delay of its whole task; task: index of its task, 0..P-1.
    Seconds.
    """

    alive: int
    delivered: int
    dropped: int
    accumulated_s: int
    remaining_s: int
    task_uncongested_s: int
    task: int


@dataclass(frozen=True)
class LinkFunction:
    """Constants of the terminal reward that is a function of the tasks' delays (BS-MARL section IV-C).

    success_weight * (share of packets delivered) + delay_weight * mean over tasks of exp(-kappa * T / T0).
    """

    success_weight: float
    delay_weight: float
    kappa: float


D = TypeVar("D", bound=Decisions)


class BatchedEnvironment(Protocol[D]):
    """E worlds that start together and share a clock; a world ends when none of its agents will decide again.

    After `max_steps` steps `decisions()` still answers for the worlds that are not finished and `truncated()`
    is True for them: learners bootstrap from these decisions and never play them.
    """

    n_worlds: int
    n_agents: int
    n_actions: int
    observation_size: int
    agent_state_size: int
    summary_size: int
    max_steps: int
    device: torch.device

    @property
    def observation_layout(self) -> Any: ...  # attributes of ObservationLayout, or None
    @property
    def state_layout(self) -> Any: ...  # attributes of StateLayout, or None
    @property
    def link_function(self) -> Any: ...  # attributes of LinkFunction, or None

    def reset(self, seed: int, *, first: int = 0, of: int | None = None) -> None:
        """Start E new worlds: numbers first .. first + E - 1 of the `of` (default E) that `seed` draws.

        Equal seeds give equal worlds, so that several processes can share the worlds of one rollout.
        """
        ...

    def decisions(self) -> D:
        """The agents that act now; no row when every world is finished (on a device perhaps some steps later, with rows
        that are to be left out until then). Calling it twice changes nothing."""
        ...

    def state(self) -> tuple[Tensor, Tensor]:
        """(agent_state [E, P, Fp], summary [E, Fs]) of this moment, before the decisions are played."""
        ...

    def step(self, decisions: D, actions: Tensor) -> StepResult:
        """Play `actions` [N] for the rows of `decisions`; -1 (no legal action) does nothing."""
        ...

    def truncated(self) -> Tensor:
        """[E] bool: the world was stopped by the time limit."""
        ...

    def hindsight(self) -> HindsightCredit | None:
        """After the last step: what is paid only now, or None when `step` told all."""
        ...


@dataclass(frozen=True)
class EnvironmentSpec:
    """The sizes and layouts from which networks are built: plain numbers that travel with a checkpoint."""

    n_agents: int
    n_actions: int
    observation_size: int
    agent_state_size: int
    summary_size: int
    observation_layout: ObservationLayout | None = None
    state_layout: StateLayout | None = None
    link_function: LinkFunction | None = None

    def __post_init__(self) -> None:
        layout = self.observation_layout
        if layout is not None and (layout.size, layout.n_directions) != (
            self.observation_size,
            self.n_actions,
        ):
            raise ValueError(
                f"observation_layout describes {layout.size} features and {layout.n_directions} directions, "
                f"the environment has observations of {self.observation_size} and {self.n_actions} actions"
            )

    @classmethod
    def of(cls, environment: BatchedEnvironment[Any]) -> EnvironmentSpec:
        """Read the specification off an environment (layouts by their attributes, whatever their class)."""
        return cls(
            n_agents=environment.n_agents,
            n_actions=environment.n_actions,
            observation_size=environment.observation_size,
            agent_state_size=environment.agent_state_size,
            summary_size=environment.summary_size,
            observation_layout=_copy_fields(ObservationLayout, environment.observation_layout),
            state_layout=_copy_fields(StateLayout, environment.state_layout),
            link_function=_copy_fields(LinkFunction, environment.link_function),
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EnvironmentSpec:
        """Inverse of `to_dict`, for specifications that were stored as JSON."""
        parts = {
            "observation_layout": ObservationLayout,
            "state_layout": StateLayout,
            "link_function": LinkFunction,
        }
        nested = {name: part(**values[name]) if values[name] else None for name, part in parts.items()}
        return cls(**{**values, **nested})


def _copy_fields(target: type, source: Any) -> Any:
    """A `target` (a dataclass) with the attributes of the same names of `source`; None stays None."""
    if source is None:
        return None
    return target(**{name: getattr(source, name) for name in target.__dataclass_fields__})
