"""How much any gate could know: `python -m benchmarks.headroom` (about three minutes of one core).

Prints areas under the deferral curve on the built-in pair: of no knowledge, of the small model's own probability
(Tabi's score), of gradient-boosted trees on everything the progressive gate sees, with fifteen times its training
samples, and of knowing both models' answers. Between the trees and the oracle lies what the small model's
inner state does not tell; between a gate and the trees what more training samples could still win.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from models.gate import GateConfig
from models.gate_training import gate_inputs
from models.methods import Tabi, no_gain
from models.metrics import audc, deferral_curve, oracle_area, random_area
from models.pair.model import PairModel
from models.procedural import procedural_samples
from models.record import record
from models.sample import Task

FIRST_SCENE = 700_000_000  # far from every other scene that is drawn
CHUNK = 500  # scenes at a time


@dataclass(frozen=True)
class Known:
    """What is known of n samples of one task.

    before, after  [n, F] what the gate sees before decoding and after the whole answer
    chance         [n] the token probability that Tabi reads, by rule
    small, large, agreement, no_gain  [n], see models.record and models.methods
    """

    before: np.ndarray
    after: np.ndarray
    chance: dict[str, np.ndarray]
    small: np.ndarray
    large: np.ndarray
    agreement: np.ndarray
    no_gain: np.ndarray


def area(first: np.ndarray, small: np.ndarray, large: np.ndarray) -> float:
    """AUDC when samples [n] are sent in the order of a rising score `first`."""
    curve = deferral_curve(np.argsort(first, kind="stable"), small, large)
    return audc(np.linspace(0, 1, len(curve)), curve)


def boosted(features: np.ndarray, target: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Gradient-boosted trees fitted on [n, F] and [n], asked about [m, F] -> [m]."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = HistGradientBoostingRegressor(
        max_iter=150,
        learning_rate=0.05,
        max_leaf_nodes=15,
        min_samples_leaf=40,
        l2_regularization=1.0,
        max_features=0.3,
        random_state=0,
    )
    return trees.fit(features, target).predict(asked)


def headroom(train: Known, test: Known) -> Iterator[tuple[str, float]]:
    """Name and AUDC of every score, from knowing nothing to knowing all."""
    small, large = test.small, test.large
    yield "random", random_area(small, large)
    yield "Tabi's probability, the best rule", max(area(c, small, large) for c in test.chance.values())
    for name, view in (("before decoding", "before"), ("after the answer", "after")):
        for target in ("agreement", "no_gain"):
            guess = boosted(getattr(train, view), getattr(train, target), getattr(test, view))
            yield f"trees, {name}, {target.replace('_', ' ')}", area(guess, small, large)
    yield "true agreement of the two", area(test.agreement, small, large)
    yield "oracle", oracle_area(small, large)


def known(first: int, scenes: int, small: PairModel, large: PairModel) -> dict[Task, Known]:
    """Run both models on new scenes."""
    parts: dict[Task, list[list[np.ndarray]]] = {task: [] for task in Task}
    rules = ("last", "mean", "least")
    for start in range(first, first + scenes, CHUNK):
        everything, _ = record(
            small, large, procedural_samples(range(start, min(start + CHUNK, first + scenes)))
        )
        for task, found in parts.items():
            told = everything.of_task(task)
            inputs = [rows.numpy() for rows in gate_inputs(told.traces, GateConfig())]
            chances = [Tabi(rule=rule).chance(told) for rule in rules]
            outcomes = [told.small_score, told.large_score, told.agreement, no_gain(told)]
            found.append([*inputs, *chances, *outcomes])
    whole = {
        task: [np.concatenate(columns) for columns in zip(*found, strict=True)]
        for task, found in parts.items()
    }
    return {
        task: Known(before, after, dict(zip(rules, rest[:3], strict=True)), *rest[3:])
        for task, (before, after, *rest) in whole.items()
    }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=15_000, help="scenes that fit the trees")
    parser.add_argument("--test", type=int, default=9_000, help="scenes that judge them")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    small, large = PairModel.load("small"), PairModel.load("large")
    train = known(FIRST_SCENE, options.train, small, large)
    test = known(FIRST_SCENE + options.train, options.test, small, large)
    for task in Task:
        gain = test[task].large - test[task].small
        print(f"{task.value}: small {test[task].small.mean():.4f}, large {test[task].large.mean():.4f}")
        print(
            f"  sending is better for {(gain > 0).mean():.1%} of the samples, worse for {(gain < 0).mean():.1%}"
        )
        for name, value in headroom(train[task], test[task]):
            print(f"  {name:44s} {value:.4f}", flush=True)


if __name__ == "__main__":
    main()
