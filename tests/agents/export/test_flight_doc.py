"""docs/flight.md: the network that is written out there for porting is the network."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import agents
from agents.export.onboard import LAYOUTS
from agents.policy import Policy
from tests.agents.export.conftest import SCENARIO

DOC = (Path(__file__).parents[3] / "docs" / "flight.md").read_text(encoding="utf-8")
SHIPPED = Path(agents.__file__).parent / "policies" / "fleets"


def test_the_network_to_port_is_the_network(monkeypatch: pytest.MonkeyPatch):
    from agents.export.decisions import record_decisions

    [program] = [
        block for block in re.findall(r"```python\n(.*?)```", DOC, re.DOTALL) if "def q_values" in block
    ]
    monkeypatch.chdir(SHIPPED)
    names: dict = {}
    exec(program, names)
    ephemeris = SCENARIO.ephemeris("test")
    worlds = SCENARIO.worlds(ephemeris, 8, seed=1)
    recorded = record_decisions(Policy.load(SHIPPED), ephemeris, worlds, SCENARIO.environment)
    legal = recorded.legal
    np.testing.assert_allclose(
        names["q_values"](recorded.observation)[legal], recorded.q[legal], rtol=1e-5, atol=1e-5
    )


def test_the_columns_it_names_are_those_of_the_layout():
    layout = LAYOUTS["leomix-routing-v1/announced"]
    assert (layout.size, len(layout.common), len(layout.block)) == (124, 20, 26)
    assert list(layout.block).index("legal") == 0 and list(layout.block).index("prior") == 16
    assert layout.block["prior"] == "3 s"
