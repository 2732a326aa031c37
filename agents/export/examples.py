"""Decisions to try a port or a target computer on: what satellites measured, and what follows from it in torch."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import torch

from agents.export.decisions import loads_of
from agents.export.measuring import measure
from agents.export.onboard import LAYOUTS
from agents.policy import Policy
from envs.config import EnvironmentConfig
from envs.ephemeris import Ephemeris
from envs.observation import Observer
from envs.simulator import RoutingSimulator
from envs.worlds import Worlds

EXAMPLES = 32
CLEAR_LEAD = 1e-3
"""By how much the best direction leads in an example, so that rounding cannot decide it."""


@torch.no_grad()
def record_examples(
    policy: Policy, ephemeris: Ephemeris, worlds: Worlds, environment: EnvironmentConfig
) -> dict[str, np.ndarray]:
    """At most EXAMPLES decisions, spread over the episodes of the first two of `worlds`; none that is nearly a tie.

    Arrays by name: the fields of `onboard.Measurements`, those of its rings as `rings.0.cost_to_go`; and what torch
    makes of them: observation [R, F], action [R] and q [R, 4].
    """
    simulator = RoutingSimulator(ephemeris, replace(environment, loads=loads_of(policy.observation)))
    simulator.reset(worlds.select(slice(0, 2)))
    observer, layout = Observer(simulator), LAYOUTS[policy.observation]
    rows: list[dict[str, np.ndarray]] = []
    while len(turn := simulator.turn()):
        known = measure(simulator, turn, layout)
        observation = observer(turn)
        q = policy.utility(observation)
        action = q.masked_fill(~turn.legal, -torch.inf).argmax(1)
        row = {one.name: getattr(known, one.name) for one in fields(known) if one.name != "rings"}
        for number, ring in enumerate(known.rings):
            values = {one.name: getattr(ring, one.name) for one in fields(ring)}
            row |= {f"rings.{number}.{name}": value for name, value in values.items() if value.size}
        rows.append(
            row
            | {"observation": observation.cpu().numpy(), "q": q.cpu().numpy(), "action": action.cpu().numpy()}
        )
        simulator.step(turn, action)
    together = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    ordered = np.sort(np.where(together["legal"], together["q"], -np.inf), axis=1)
    clear = np.flatnonzero(ordered[:, 3] - ordered[:, 2] > CLEAR_LEAD)
    chosen = clear[np.unique(np.linspace(0, len(clear) - 1, min(EXAMPLES, len(clear))).astype(int))]
    return {name: values[chosen] for name, values in together.items()}
