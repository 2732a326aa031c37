"""The scores of benchmarks/headroom.py lie between knowing nothing and knowing all."""

from __future__ import annotations

import numpy as np

from benchmarks.headroom import Known, area, headroom


def world(number: int, seed: int) -> Known:
    """Samples whose first feature says how likely the small model is wrong; after the answer it says so exactly."""
    random = np.random.default_rng(seed)
    doubt = random.random(number)
    small = (random.random(number) > doubt).astype(float)
    large = np.ones(number)
    noise = random.random((number, 3))
    agreement = small
    return Known(
        before=np.column_stack([doubt, noise]),
        after=np.column_stack([small, noise]),
        chance={"last": 1 - doubt, "least": random.random(number)},
        small=small,
        large=large,
        agreement=agreement,
        no_gain=0.5 * (1 + small - large),
    )


def test_who_knows_more_has_the_larger_area():
    found = dict(headroom(world(800, 0), world(800, 1)))
    ours = [value for name, value in found.items() if name.startswith("trees, before")]
    assert found["random"] < min(ours) and max(ours) <= found["oracle"] + 1e-9
    assert found["random"] < found["Tabi's probability, the best rule"] < found["oracle"]
    assert abs(found["trees, after the answer, no gain"] - found["oracle"]) < 1e-3
    assert found["true agreement of the two"] <= found["oracle"] + 1e-9


def test_the_order_of_sending_decides():
    small, large = np.array([0.0, 1.0, 1.0, 1.0]), np.ones(4)
    assert area(np.array([0.0, 1, 2, 3]), small, large) > area(np.array([3.0, 2, 1, 0]), small, large)
