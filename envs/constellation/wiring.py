"""Who is linked to whom in a fleet whose planes are unequal and have gaps.

Fore and aft: the next and the last satellite of the same plane. Right: of the satellites of the next plane east the
one that flies nearest, such that all pairs of the two planes together are as near as can be; the right neighbour's
left neighbour is then the satellite itself. So the network is a proper graph of four directions, in which some
satellites lack a neighbour to the left or right.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from envs.constellation.fleet import AFT, FORE, LEFT, RIGHT


def wire_planes(
    planes: list[np.ndarray],
    raan_rad: np.ndarray,
    latitude_argument_rad: np.ndarray,
    cos_inclination: float,
    radius_km: float,
    max_link_km: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours [V, 4] int64 and which of them are linked, wired [V, 4] bool.

    planes: the satellites of each plane in the direction of flight, planes eastward; together 0..V-1.
    raan_rad, latitude_argument_rad: [V] at one moment. max_link_km: no pair of planes is linked at a greater
    distance, by the root mean square over an orbit. A satellite without a neighbour in a direction has itself there.
    """
    n = len(raan_rad)
    neighbours = np.repeat(np.arange(n)[:, None], 4, axis=1)
    for members in planes:
        if len(members) > 1:
            neighbours[members, FORE] = np.roll(members, -1)
            neighbours[members, AFT] = np.roll(members, 1)
    last = len(planes) if len(planes) > 2 else len(planes) - 1  # of two planes each is beside the other once
    for west in range(last):
        here, there = planes[west], planes[(west + 1) % len(planes)]
        distance_km = rms_distance_km(
            raan_rad[there][None] - raan_rad[here][:, None],
            latitude_argument_rad[there][None] - latitude_argument_rad[here][:, None],
            cos_inclination,
            radius_km,
        )
        # Planes more than half a turn east are to the west: a partial ring is open there.
        east = np.remainder(raan_rad[there][None] - raan_rad[here][:, None], 2 * np.pi) < np.pi
        possible = east & (distance_km <= max_link_km)
        # Too far is as bad as none: nobody moves over so that somebody else gets a link that cannot be.
        row, column = linear_sum_assignment(np.where(possible, distance_km, max_link_km))
        linked = possible[row, column]
        neighbours[here[row[linked]], RIGHT] = there[column[linked]]
        neighbours[there[column[linked]], LEFT] = here[row[linked]]
    wired = neighbours != np.arange(n)[:, None]
    for members in planes:
        if len(members) == 2:  # both directions lead to the same satellite: one link, not two
            wired[members[0], AFT] = wired[members[1], FORE] = False
    return neighbours, wired


def rms_distance_km(
    node_rad: np.ndarray, phase_rad: np.ndarray, cos_inclination: float, radius_km: float
) -> np.ndarray:
    """Root mean square over an orbit of the distance of two satellites with nodes and phases so far apart.

    On circular orbits of equal radius and inclination i, with nodes D and phases d apart, mean phase w,
        cos(angle) = cos d ((1 + cos^2 i) cos D + sin^2 i) / 2 - cos i sin D sin d
                     - cos 2w sin^2 i (1 - cos D) / 2,
    whose last term averages out.
    """
    cos2_i = cos_inclination**2
    cosine = np.cos(phase_rad) * ((1 + cos2_i) * np.cos(node_rad) + 1 - cos2_i) / 2
    cosine -= cos_inclination * np.sin(node_rad) * np.sin(phase_rad)
    return radius_km * np.sqrt(np.clip(2 - 2 * cosine, 0, None))


def least_versine(node_rad: np.ndarray, phase_rad: np.ndarray, cos_inclination: float) -> np.ndarray:
    """1 - cos(angle) of two satellites (see `rms_distance_km`) where they are nearest.

    That is at cos 2w = -1, which every pair passes twice an orbit. In half angles, so that a near miss keeps its
    digits. Satellites are sqrt(2 versine) radii apart.
    """
    half_node, half_phase = np.sin(node_rad / 2) ** 2, np.sin(phase_rad / 2) ** 2
    cos_mean = 1 - (1 + cos_inclination**2) * half_node
    return (
        2 * half_phase * cos_mean
        + 2 * cos_inclination**2 * half_node
        + cos_inclination * np.sin(node_rad) * np.sin(phase_rad)
    )
