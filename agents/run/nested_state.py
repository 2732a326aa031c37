"""Nested states as JSON and named tensors, and back: what a checkpoint stores, with nothing to unpickle.

A state is made of dictionaries (keys str or int), lists, tuples, dense tensors, str, int, float, bool and None. It
comes back as it was: tuples as tuples, integer keys as integers, not-a-number and infinities too; only an ordered
dictionary comes back as a plain one, which is ordered as well. Whatever else is in a state is an error when it is
taken apart, not a surprise when it is put together again.

JSON knows neither tensors nor tuples, so these become objects with one key that begins with `$`:
    {"$tensor": name}   a tensor, in the safetensors file under that name
    {"$tuple": [...]}   a tuple
    {"$float": "nan"}   a float that JSON has no number for
    {"$items": [[key, value], ...]}   a dictionary with keys that are integers or begin with `$`
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

_TENSOR, _TUPLE, _FLOAT, _ITEMS = "$tensor", "$tuple", "$float", "$items"
_RESERVED = "__metadata__"  # a name that safetensors keeps for itself
_DTYPES = {
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
}


def take_apart(state: Any) -> tuple[Any, dict[str, Tensor]]:
    """`state` as (values for JSON, tensors by name). A name is the way to the tensor: `model/utility.head.bias`.

    Tensors come detached, contiguous and on the CPU. Raises TypeError, naming the place, for what is none of the
    above.
    """
    tensors: dict[str, Tensor] = {}
    return _apart(state, (), tensors), tensors


def put_together(values: Any, tensors: dict[str, Tensor]) -> Any:
    """Inverse of `take_apart`. Raises ValueError or KeyError for what it cannot have written."""
    if isinstance(values, list):
        return [put_together(value, tensors) for value in values]
    if not isinstance(values, dict):
        return values
    tag = next(iter(values), "")
    if not tag.startswith("$"):
        return {key: put_together(value, tensors) for key, value in values.items()}
    if len(values) != 1 or tag not in _TAGS:
        raise ValueError(f"{tag} is not known here")
    return _TAGS[tag](values[tag], tensors)


_TAGS = {
    _TENSOR: lambda name, tensors: tensors[name],
    _TUPLE: lambda values, tensors: tuple(put_together(value, tensors) for value in values),
    _FLOAT: lambda name, tensors: float(name),
    _ITEMS: lambda items, tensors: {key: put_together(value, tensors) for key, value in items},
}
"""What the objects with one key that begins with `$` stand for."""


def _apart(state: Any, way: tuple[Any, ...], tensors: dict[str, Tensor]) -> Any:
    kind = type(state)
    if isinstance(state, Tensor):
        name = _new_name(way, tensors)
        tensors[name] = _stored(state, way, tensors)
        return {_TENSOR: name}
    if isinstance(state, dict):
        return _dictionary_apart(state, way, tensors)
    if kind in (list, tuple):
        values = [_apart(value, (*way, number), tensors) for number, value in enumerate(state)]
        return values if kind is list else {_TUPLE: values}
    if kind is float and not math.isfinite(state):
        return {_FLOAT: str(state)}
    if state is None or kind in (str, int, float, bool):
        return state
    place = "/".join(map(str, way)) or "the state"
    raise TypeError(
        f"{place} is a {kind.__name__}, which a checkpoint cannot hold: make it a tensor or a plain value"
    )


def _dictionary_apart(state: dict[Any, Any], way: tuple[Any, ...], tensors: dict[str, Tensor]) -> Any:
    for key in state:
        if type(key) not in (str, int):
            raise TypeError(f"{'/'.join(map(str, (*way, key)))}: the key {key!r} is neither str nor int")
    values = {key: _apart(value, (*way, key), tensors) for key, value in state.items()}
    if all(type(key) is str and not key.startswith("$") for key in values):
        return values
    return {_ITEMS: [[key, value] for key, value in values.items()]}


def _new_name(way: tuple[Any, ...], taken: dict[str, Tensor]) -> str:
    """A name that no other tensor has: the way, with a number where two ways read the same."""
    plain = (
        "/".join(map(str, way)).encode("utf-8", "backslashreplace").decode()
    )  # safetensors refuses half characters
    name, number = plain, 1
    while name in taken or name == _RESERVED:
        number += 1
        name = f"{plain}#{number}"
    return name


def _stored(tensor: Tensor, way: tuple[Any, ...], others: dict[str, Tensor]) -> Tensor:
    """The tensor as safetensors takes it: dense, and in memory that it shares with nothing else in the file."""
    if tensor.layout is not torch.strided or tensor.dtype not in _DTYPES:
        kind = f"{tensor.dtype} tensor of layout {tensor.layout}"
        raise TypeError(f"{'/'.join(map(str, way))} is a {kind}, which a checkpoint cannot hold")
    stored = tensor.detach().cpu().contiguous()
    memory = stored.untyped_storage()
    alone = memory.nbytes() == stored.nbytes and all(
        memory.data_ptr() != other.untyped_storage().data_ptr() for other in others.values()
    )
    return stored if alone else stored.clone()
