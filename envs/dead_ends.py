"""Whether a packet that may enter no satellite twice can still arrive: searches of many packets at once.

Nearly every packet can simply walk on: at each satellite to whichever open neighbour has the fewest hops to go. Only
those whose walk ends nowhere are searched for breadth first, which takes fifty times as long.

That is on a CPU. Whose walk ends nowhere, other devices would have to be asked at every hop of the walks: there all are
searched for, for as many hops as a way may have.
"""

from __future__ import annotations

import torch
from torch import Tensor

from envs.ephemeris import UNREACHABLE_HOPS, Ephemeris

# Packets searched together: on a CPU what they read stays in its cache, elsewhere it is work enough for one operation.
_COLUMNS_ON_CPU, _COLUMNS_ELSEWHERE = 512, 8192


def hops_avoiding(
    ephemeris: Ephemeris, slot_row: Tensor, start: Tensor, destination: Tensor, closed: Tensor, most: int
) -> Tensor:
    """Fewest hops from each of `start` [M, S] to `destination` [M] past no `closed` [M, V] satellite, [M, S] float32.

    slot_row: [M] row of satellite 0 of each packet's slot in the ephemeris' link tables. `UNREACHABLE_HOPS` from where
    there is no way of at most `most` hops, from a closed satellite among others.
    """
    n = ephemeris.n_satellites
    ahead = ephemeris.topology.neighbours.reshape(-1)  # [V * 4]
    links = ephemeris.link_up.view(-1, n, 4)
    found = torch.full(start.shape, UNREACHABLE_HOPS, device=start.device)
    on_cpu = start.device.type == "cpu"
    for some in torch.arange(len(start), device=start.device).split(
        _COLUMNS_ON_CPU if on_cpu else _COLUMNS_ELSEWHERE
    ):
        column = torch.arange(len(some), device=start.device)
        up = links[slot_row[some].div(n, rounding_mode="floor")].permute(1, 2, 0).contiguous()  # [V, 4, B]
        reached = torch.zeros(n, len(some), dtype=torch.bool, device=start.device)  # [V, B]
        reached[destination[some], column] = True
        free = ~closed[some].T.contiguous() | reached  # nobody has entered his destination
        goals = start[some].T  # [S, B]
        hops = torch.full(goals.shape, UNREACHABLE_HOPS, device=start.device)
        for hop in range(most + 1):
            hops = torch.where(reached[goals, column], hops.clamp(max=hop), hops)
            wider = (reached.index_select(0, ahead).view(n, 4, -1) & up).any(1) & free
            wider |= reached
            # Done when every way has been found, or nothing more can be.
            if on_cpu and (bool((hops < UNREACHABLE_HOPS).all()) or torch.equal(wider, reached)):
                break
            reached = wider
        found[some] = hops.T
    return found


def way_remains(
    ephemeris: Ephemeris,
    slot_row: Tensor,
    destination: Tensor,
    start: Tensor,
    asked: Tensor,
    closed: Tensor,
    hops_left: Tensor,
    most: int,
) -> Tensor:
    """[M, S] bool, where `asked` [M, S]: a way past no `closed` satellite leads from `start` to the destination.

    slot_row, destination: [M] as above. start: [M, S]. closed: [M, V] bool. hops_left: [M], the most hops of the way,
    none of them more than `most`.
    """
    if asked.device.type != "cpu":
        return asked & (
            hops_avoiding(ephemeris, slot_row, start, destination, closed, most) <= hops_left[:, None]
        )
    packet, column = asked.nonzero(as_tuple=True)
    arrived = torch.zeros_like(asked)
    arrived[packet, column] = _walks_arrive(
        ephemeris, slot_row, destination, packet, start[packet, column], closed, hops_left
    )
    search = (asked & ~arrived).any(1).nonzero().squeeze(1)
    if len(search):
        left = hops_left[search]
        hops = hops_avoiding(
            ephemeris, slot_row[search], start[search], destination[search], closed[search], int(left.amax())
        )
        arrived[search] |= asked[search] & (hops <= left[:, None])
    return arrived


def _walks_arrive(
    ephemeris: Ephemeris,
    slot_row: Tensor,
    destination: Tensor,
    packet: Tensor,
    start: Tensor,
    closed: Tensor,
    hops_left: Tensor,
) -> Tensor:
    """[W] bool, whether walks of each `packet` [W] from `start` [W] arrive in time; others may be possible.

    A walk goes to whichever neighbour has the fewest hops to go, of those that are open and not where it came from.
    """
    n = ephemeris.n_satellites
    arrived = torch.zeros(len(packet), dtype=torch.bool, device=packet.device)
    walk = torch.arange(len(packet), device=packet.device)
    here, before = start, torch.full_like(start, -1)
    slots, goal, left = slot_row[packet], destination[packet], hops_left[packet]
    goal_row, closed_row = (slots + goal) * n, packet * n
    for hop in range(int(hops_left.amax()) + 1 if len(packet) else 0):
        there = here == goal
        arrived[walk[there]] = True
        ahead = ephemeris.topology.neighbours.index_select(0, here)  # [W, 4]
        barred = closed.view(-1).index_select(0, (closed_row[:, None] + ahead).view(-1)).view(-1, 4)
        barred = barred | (ahead == before[:, None]) | ~ephemeris.link_up.index_select(0, slots + here)
        to_go = ephemeris.hops_to_go.index_select(0, (goal_row[:, None] + ahead).view(-1)).view(-1, 4)
        fewest, best = to_go.masked_fill(barred, UNREACHABLE_HOPS).min(1)
        on = (~there & (fewest + hop + 1 <= left)).nonzero().squeeze(1)
        if not len(on):
            break
        before = here[on]
        here = ahead[on].gather(1, best[on][:, None]).squeeze(1)
        walk, slots, goal, left = walk[on], slots[on], goal[on], left[on]
        goal_row, closed_row = goal_row[on], closed_row[on]
    return arrived
