import torch

from envs.rows import take_quads, take_rows


def test_rows_are_those_of_plain_indexing():
    table = torch.randn(50, 4)
    table[3] = float("inf")
    index = torch.randint(50, (200,))
    assert torch.equal(take_rows(table, index), table[index])
    assert take_rows(table, index[:0]).shape == (0, 4)


def test_quads_are_those_of_plain_indexing():
    table = torch.randn(50, 12)
    table[3] = float("nan")
    row = torch.randint(50, (20, 7))
    for quads in ((0,), (2, 0), (1, 2, 0)):
        found = take_quads(table, row, *quads)
        assert len(found) == len(quads)
        for q, values in zip(quads, found, strict=True):
            assert values.is_contiguous()
            assert torch.equal(values.nan_to_num(), table[row, 4 * q : 4 * q + 4].nan_to_num())
    assert take_quads(table, row[:0], 1)[0].shape == (0, 7, 4)
