"""What is taken apart comes back as it was, and what cannot come back is refused when it is taken apart."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor

from agents.run.nested_state import put_together, take_apart

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool)
TRICKY = st.sampled_from(
    ["$tensor", "$tuple", "$float", "$items", "$", "", "__metadata__", "a/b", "a", "b", "ä", "\ud800"]
)
KEYS = st.one_of(TRICKY, st.text(max_size=5), st.integers())


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    values = draw(st.lists(st.floats(width=32), min_size=math.prod(shape), max_size=math.prod(shape)))
    tensor = torch.tensor(values, dtype=torch.float32).reshape(shape)
    dtype = draw(st.sampled_from(DTYPES))
    if not dtype.is_floating_point:
        tensor = tensor.nan_to_num(0, 0, 0).clamp(0, 100)
    return tensor.to(dtype).transpose(0, -1) if shape else tensor.to(dtype)  # not always contiguous


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), TRICKY, tensors()
)
STATES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
    ),
    max_leaves=20,
)


def through_files(state: Any) -> Any:
    """As a checkpoint stores it: JSON and the bytes of a safetensors file."""
    values, tensors = take_apart(state)
    return put_together(json.loads(json.dumps(values, allow_nan=False)), load(save(tensors)))


def same(a: Any, b: Any) -> bool:
    """Equal in value and in kind, not-a-number equal to itself and minus zero different from zero."""
    if isinstance(a, Tensor):
        kinds = isinstance(b, Tensor) and (a.dtype, a.shape) == (b.dtype, b.shape)
        return kinds and (torch.equal(a, b) or bool((a.isnan() & b.isnan() | (a == b)).all()))
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(value, b[key]) for key, value in a.items())
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return repr(a) == repr(b)
    return a == b


@settings(deadline=None)
@given(STATES)
def test_any_state_comes_back_as_it_was(state: Any) -> None:
    assert same(through_files(state), state)


def test_an_optimiser_comes_back(tmp_path: Path) -> None:
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, betas=(0.5, 0.75))
    network(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    again = through_files(optimizer.state_dict())
    assert again["param_groups"] == optimizer.state_dict()["param_groups"]
    assert list(again["state"]) == [0, 1]
    assert same(again["state"][0]["step"], torch.tensor(1.0))


def test_tensors_that_share_memory_are_each_whole() -> None:
    base = torch.arange(6.0)
    state = {"all": base, "view": base[2:4], "again": base, "empty": base[:0], "none": base[:0]}
    assert same(through_files(state), state)


def test_names_are_the_ways_to_the_tensors() -> None:
    _, tensors = take_apart({"model": {"head.bias": torch.ones(1)}, "groups": [1, torch.ones(2)]})
    assert sorted(tensors) == ["groups/1", "model/head.bias"]


def test_an_ordered_dictionary_comes_back_plain_and_in_order() -> None:
    assert list(through_files(OrderedDict(b=1, a=2)).items()) == [("b", 1), ("a", 2)]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (np.float64(1.0), "place/0 is a float64"),
        ({1, 2}, "place/0 is a set"),
        (b"x", "place/0 is a bytes"),
        ({True: 1}, "place/0/True: the key True"),
        ({(1, 2): 1}, "the key"),
        (torch.eye(2).to_sparse(), "place/0 is a torch.float32 tensor of layout torch.sparse_coo"),
        (torch.zeros(2, dtype=torch.complex128), "place/0 is a torch.complex128 tensor"),
    ],
)
def test_what_cannot_come_back_is_refused_by_its_place(value: Any, what: str) -> None:
    with pytest.raises(TypeError, match=what):
        take_apart({"place": [value]})


@pytest.mark.parametrize("values", [{"$other": 1}, {"$tensor": "unknown"}, {"$tuple": [], "$float": "nan"}])
def test_what_was_never_taken_apart_is_not_put_together(values: Any) -> None:
    with pytest.raises((ValueError, KeyError)):
        put_together(values, {})
