"""The comparison of routers: what the policy gains, how sure that is, and what it costs."""

from __future__ import annotations

import numpy as np

from agents.evaluation import Interval, RouterResult
from agents.evaluation.compare import REFERENCE
from envs.config import DeadEnds
from report.fleet import fleet_title
from report.plots import dots, lines, pairs
from report.results import Results
from report.section import Plot, Section, Table, Tile

KNOWS = {
    "random": "which links are up",
    "greedy": "where everybody is",
    "min_hop": "all links, no loads",
    "ecmp": "all links, no loads",
    "dijkstra_propagation": "all links, no loads",
    "dijkstra": "all links, no loads",
    "look_ahead_1": "all links, own loads",
    "look_ahead_2": "all links, neighbours' loads",
    "look_ahead_3": "all links, loads two hops away",
    "replanning": "all links, all loads of the moment",
    "sequential": "all paths chosen before its own",
    "best_response_single": "all paths, revised in turns",
    "best_response": "all paths, several orders",
}
"""What each router is allowed to know; the policy's view is in its configuration."""
LOCAL = (
    "random",
    "greedy",
    "min_hop",
    "ecmp",
    "dijkstra_propagation",
    "dijkstra",
    "look_ahead_1",
    "look_ahead_2",
    "look_ahead_3",
)
"""Routers that a satellite could run on what it knows itself: fair rivals of the policy."""
LOSS = 0.01
"""Share of lost packets from which on delays are no longer comparable."""
FEW_WORLDS = 20
"""Of fewer a bootstrap makes intervals that are noticeably too narrow."""


def routers_section(results: Results) -> Section:
    """Always there: the table of routers, and what it says about the subject of the report."""
    return Section(
        "routers",
        "Routing",
        words=_words(results),
        tables=(_table(results), _against(results)),
        plots=_plots(results),
        tiles=_tiles(results),
        leading=3,
    )


def _rivals(results: Results) -> dict[str, str]:
    """Routers that the subject is measured by, and what a reader should know of each."""
    best = _best_local(results)
    rivals = {results.globe.right: "", REFERENCE: "which knows all paths"}
    if best is not None:
        rivals = {results.globe.right: "", best.router: "the best of the hand-written local rules"} | rivals
    return {rival: known for rival, known in rivals.items() if rival != results.subject}


def _best_local(results: Results) -> RouterResult | None:
    return min(
        (one for one in results.comparison.results if one.router in LOCAL and one.router != results.subject),
        key=lambda one: one.mean_delay_s,
        default=None,
    )


def _lost(results: Results, router: str) -> float:
    """Share of the packets that `router` did not deliver."""
    return results.comparison[router].undelivered / results.comparison.n_packets


def _tiles(results: Results) -> tuple[Tile, ...]:
    name, own = results.subject, results.comparison[results.subject]
    tiles = [Tile(f"mean delay of a packet, {name}", f"{own.mean_delay_s:.2f} s")]
    for rival, known in _rivals(results).items():
        ratio, interval = results.episodes.ratio(name, to=rival)
        sure = not interval.low <= 1 <= interval.high
        # Nobody can fly the reference, and a router that loses packets is not better for it.
        fair = rival != REFERENCE and _lost(results, name) < _lost(results, rival) + LOSS
        mood = "" if not (sure and fair) else "better" if ratio < 1 else "worse"
        label = f"delay against {rival}" + (f", {known}" if known else "")
        tiles.append(Tile(label, f"{100 * (ratio - 1):+.1f}%".replace("-", "−"), mood))
    lost = 100 * _lost(results, name)
    tiles.append(Tile("packets that did not arrive", f"{lost:.2g}%", "worse" if lost else ""))
    return tuple(tiles)


def _words(results: Results) -> tuple[str, ...]:
    comparison, episodes, name = results.comparison, results.episodes, results.subject
    own = comparison[name]
    fleet = episodes.ephemeris.topology.constellation
    charged = " (losses charged)" if own.undelivered else ""
    first = (
        f"{_title(name, results)} takes {own.mean_delay_s:.3f} s for a packet on average{charged}, and "
        f"{own.p95_delay_s:.2f} s or less in 95 of 100 cases, over {comparison.n_worlds} test worlds with "
        f"{comparison.n_packets} packets on {fleet_title(fleet)} ({episodes.ephemeris.n_satellites} satellites)."
    )
    parts = [
        against(*episodes.ratio(name, to=rival), rival) + (f", {known}" if known else "")
        for rival, known in _rivals(results).items()
    ]
    second = f"Its mean delay is {'; '.join(parts)}." if parts else ""
    if comparison.n_worlds < FEW_WORLDS:
        second += f" Intervals from {comparison.n_worlds} worlds are too narrow to be relied on."
    best = _best_local(results)
    if best is not None and _lost(results, best.router) < LOSS:
        won = 100 * (1 - episodes.ratio(REFERENCE, to=best.router)[0])
        second += (
            f" {REFERENCE} takes {won:.1f}% less than {best.router}: so much is known to be there to win."
        )
    return tuple(
        word for word in (first, second, _delivery(results, own), _ranking(results), _speed(own)) if word
    )


def against(ratio: float, interval: Interval, other: str) -> str:
    """A ratio of delays to those of `other`, in words, as sure as its interval."""
    if interval.low <= 1 <= interval.high:
        return (
            f"not significantly different from that of {other} ({100 * (ratio - 1):+.1f}%, 95% interval "
            f"{100 * (interval.low - 1):+.1f} to {100 * (interval.high - 1):+.1f}%)"
        )
    low, high = sorted(100 * abs(1 - bound) for bound in interval)
    side = "less" if ratio < 1 else "more"
    return f"{100 * abs(1 - ratio):.1f}% {side} than that of {other} (95% interval {low:.1f} to {high:.1f}%)"


def _delivery(results: Results, own: RouterResult) -> str:
    n_packets, factor = results.comparison.n_packets, results.episodes.config.undelivered_factor
    if own.undelivered == 0:
        return f"All {n_packets} packets arrived."
    share = own.undelivered / n_packets
    words = (
        f"Undelivered: {own.undelivered} of {n_packets} packets ({100 * share:.2g}%). Each counts with its delay so "
        f"far plus {factor:g} times the delay that it would have had alone."
    )
    if share >= LOSS:
        words += (
            " This flatters: a packet that is lost congests nobody any more. Compare delays only with routers that "
            "lose as many."
        )
        if results.episodes.config.dead_ends is not DeadEnds.whole_way:
            words += " With environment.dead_ends=whole_way no packet is lost in a dead end."
    return words


def _ranking(results: Results) -> str:
    name, groups = results.subject, {"better": [], "worse": [], "alike": []}
    for other in results.comparison.results:
        if other.router != name:
            ratio, interval = results.episodes.ratio(name, to=other.router)
            alike = interval.low <= 1 <= interval.high
            groups["alike" if alike else "better" if ratio < 1 else "worse"].append(other.router)
    said = {
        "better": "It is significantly faster than {}.",
        "worse": "It is significantly slower than {}.",
        "alike": "Its difference to {} is not significant.",
    }
    words = " ".join(said[kind].format(_listed(names)) for kind, names in groups.items() if names)
    return (
        f"{words} Intervals are at 95%, each for one pair of routers, not corrected for the number of pairs."
    )


def _speed(own: RouterResult) -> str:
    return (
        f"A hop took {1e6 * own.seconds_per_decision:.1f} µs, all worlds decided together, on the machine named below; "
        "on board a single decision is made at a time."
    )


def _table(results: Results) -> Table:
    ordered = sorted(results.comparison.results, key=lambda one: one.mean_delay_s)
    rows = [
        {
            "router": one.router,
            "mean delay, s": one.mean_delay_s,
            "P95, s": one.p95_delay_s,
            "arrived, %": 100 * one.delivery,
            "hops": one.hops,
            "ratio to best response": one.ratio_to_best_response,
            "95% interval": f"{one.ci95.low:.3f}–{one.ci95.high:.3f}",
            "µs a hop": 1e6 * one.seconds_per_decision,
            "knows": KNOWS.get(one.router, _view(results) if one.router == results.learned else None),
        }
        for one in ordered
    ]
    return Table.of("All routers, fastest first", rows, highlight=results.subject)


def _view(results: Results) -> str:
    return f"all links, loads as observed: {results.episodes.config.loads.value.replace('_', ' ')}"


def _against(results: Results) -> Table:
    name = results.subject
    rows = []
    for one in results.comparison.results:
        if one.router != name:
            ratio, interval = results.episodes.ratio(name, to=one.router)
            rows.append(
                {
                    "router": one.router,
                    "difference, %": 100 * (ratio - 1),
                    "from": 100 * (interval.low - 1),
                    "to": 100 * (interval.high - 1),
                    "significant": not interval.low <= 1 <= interval.high,
                }
            )
    rows.sort(key=lambda row: row["difference, %"])
    return Table.of(
        f"Mean delay of {name} against each router",
        rows,
        note="Below zero: the packets of the first take less time. 95% intervals over worlds, drawn in pairs.",
        folded=True,
    )


def _plots(results: Results) -> tuple[Plot, ...]:
    comparison, episodes, name, other = (
        results.comparison,
        results.episodes,
        results.subject,
        results.globe.right,
    )
    ordered = sorted(comparison.results, key=lambda one: -one.mean_delay_s)
    ratios = dots(
        [one.router for one in ordered],
        [one.ratio_to_best_response for one in ordered],
        [one.ci95.low for one in ordered],
        [one.ci95.high for one in ordered],
        label=f"mean delay / that of {REFERENCE}",
        highlight=name,
        log=True,
    )
    present = episodes.present.numpy()
    share = np.concatenate([np.linspace(0, 0.98, 99), np.linspace(0.981, 1, 20)])
    spread = {
        one.router: {"x": np.quantile(episodes.charged_s(one.router)[present], share), "y": 100 * share}
        for one in reversed(ordered)
    }
    shown = {name, other, REFERENCE, "look_ahead_3"}
    plots = [
        Plot(
            "Mean delay of every router",
            ratios,
            "The further left, the better; 1 is the centralised reference. Bars are 95% intervals.",
        ),
        Plot(
            "How delays are spread",
            lines(
                spread,
                x="delay, s",
                y="share of packets, %",
                log_x=True,
                hidden=[one for one in spread if one not in shown],
                height=360,
            ),
            "Share of packets that took no longer. Click on a name to hide or show it.",
        ),
    ]
    if other != name:
        own_s, other_s = episodes.by_world_s(name), episodes.by_world_s(other)
        better = int((own_s < other_s).sum())
        plots.append(
            Plot(
                f"World by world: {name} and {other}",
                pairs(own_s, other_s, name=name, other=other, unit="s", number="world"),
                f"Total delay of a world's packets, a dot for each world. {_title(name, results)} is faster in "
                f"{better} of {len(own_s)} worlds, slower in {int((own_s > other_s).sum())}.",
            )
        )
    return tuple(plots)


def _title(name: str, results: Results) -> str:
    return f"The policy ({name})" if name == results.learned else f"The router {name}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
