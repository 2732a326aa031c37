"""Gathering rows of 16 bytes, the inner loop of every observation."""

from __future__ import annotations

import torch
from torch import Tensor


def take_rows(table: Tensor, index: Tensor) -> Tensor:
    """Rows of a contiguous `table` [R, 4] float32 at `index` [N] long: [N, 4]. The same as `table[index]`.

    A row is moved as one complex number of 16 bytes: torch gathers numbers several times as fast as rows.
    """
    packed = table.view(torch.complex128).squeeze(1)  # [R]
    return packed.index_select(0, index).unsqueeze(1).view(table.dtype)


def take_quads(table: Tensor, row: Tensor, *quads: int) -> tuple[Tensor, ...]:
    """For each q of `quads` the columns 4 q to 4 q + 3 of rows `row` [...] long of a contiguous `table` [R, 4 k]
    float32, as [..., 4]. The same as `table[row, 4 * q : 4 * q + 4]`.

    Arithmetic on what comes out is several times as fast as on slices of whole rows, which leave gaps.
    """
    first = row.reshape(-1) * (table.shape[1] // 4)
    index = torch.cat([first + q if q else first for q in quads])
    packed = table.view(torch.complex128).view(-1).index_select(0, index)
    return packed.unsqueeze(1).view(table.dtype).view(len(quads), *row.shape, 4).unbind(0)
