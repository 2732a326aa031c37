"""An exported policy as a router: every satellite measures, observes and decides with the onboard runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from agents.export.decisions import loads_of
from agents.export.measuring import measure
from agents.export.onboard import MODEL, OnboardPolicy, Rules, build_observation
from agents.routers.protocol import Routes
from envs.config import EnvironmentConfig
from envs.ephemeris import Ephemeris
from envs.simulator import RoutingSimulator
from envs.worlds import Worlds


class FlownRouter:
    """Flies the export at `path` (its folder, or one of its .onnx files) under the rules of the worlds given.

    Raises OnboardError when the runtime refuses the export.
    """

    def __init__(self, path: Path) -> None:
        self.onboard = OnboardPolicy(path)
        self.name = "flown" if path.is_dir() or path.name == MODEL else "flown_int8"
        self._loads = loads_of(self.onboard.layout.name)

    def route(self, ephemeris: Ephemeris, worlds: Worlds, config: EnvironmentConfig) -> Routes:
        simulator = RoutingSimulator(ephemeris, replace(config, loads=self._loads))
        simulator.reset(worlds)
        layout, rules = self.onboard.layout, Rules(config.max_hops, config.relay_s_per_mbit)
        while len(turn := simulator.turn()):
            known = measure(simulator, turn, layout)
            action = self.onboard.act(build_observation(layout, rules, known), known.legal)
            simulator.step(turn, torch.from_numpy(action).to(simulator.device))
        return Routes(links=simulator.paths, delivered=simulator.delivered)
