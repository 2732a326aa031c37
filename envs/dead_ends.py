"""How far a destination is if no satellite may be entered twice: breadth-first searches of many packets at once."""

from __future__ import annotations

import torch
from torch import Tensor

from envs.ephemeris import UNREACHABLE_HOPS, Ephemeris

_COLUMNS = 512  # packets searched together: what they read stays in cache


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
    for some in torch.arange(len(start), device=start.device).split(_COLUMNS):
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
            if bool((hops < UNREACHABLE_HOPS).all()) or torch.equal(wider, reached):
                break
            reached = wider
        found[some] = hops.T
    return found
