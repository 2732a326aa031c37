"""Which worlds are worth looking at: the crowded, the usual, and the one where the router does worst."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from envs.delay import uncongested_delays
from report.episodes import Episodes


@dataclass(frozen=True)
class Chosen:
    """A world to look at. index: its number in the evaluation; why: a few words for a menu; words: a sentence."""

    index: int
    why: str
    words: str


def choose(episodes: Episodes, router: str, other: str, n_worlds: int) -> list[Chosen]:
    """Up to `n_worlds` different worlds, told by what `router` and `other` made of them.

    In this order: most contention (the largest delay of `other` over the delay that its packets would have alone), a
    typical world (whose ratio between the two routers is the median), the worst for `router`, the best for it, and
    then worlds from all over the range of ratios.
    """
    alone_s = np.where(
        episodes.present.numpy(), uncongested_delays(episodes.ephemeris, episodes.worlds).double().numpy(), 0
    ).sum(1)
    contention = episodes.by_world_s(other) / np.maximum(alone_s, 1e-9)
    ratio = episodes.by_world_s(router) / np.maximum(episodes.by_world_s(other), 1e-9)
    middle = np.abs(ratio - np.median(ratio))
    kinds: list[tuple[np.ndarray, str, Callable[[int], str]]] = [
        (
            -contention,
            "most contention",
            lambda i: f"with {other} its packets take {contention[i]:.1f} times as long as each would alone",
        ),
        (middle, "typical", lambda i: "half of all worlds have a larger ratio between the two routers"),
        (-ratio, f"worst for {router}", lambda i: f"the largest ratio of {router} to {other} of all worlds"),
        (ratio, f"best for {router}", lambda i: f"the smallest ratio of {router} to {other} of all worlds"),
    ]
    for share in (0.25, 0.75, 0.05, 0.95):
        bound = float(np.quantile(ratio, share))
        kinds.append(
            (
                np.abs(ratio - bound),
                f"{share:.0%} quantile",
                lambda i, share=share: f"{share:.0%} of all worlds have a smaller ratio",
            )
        )
    chosen: list[Chosen] = []
    for badness, why, words in kinds[:n_worlds]:
        taken = [one.index for one in chosen]
        order = [int(i) for i in np.argsort(badness, kind="stable") if int(i) not in taken]
        if not order:
            break
        index = order[0]
        chosen.append(
            Chosen(
                index,
                why,
                f"World {index}: {words(index)}; {router} takes {ratio[index]:.3f} times the delay of {other} here.",
            )
        )
    return chosen
