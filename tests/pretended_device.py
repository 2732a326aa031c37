"""A device that is none: tensors that say they are elsewhere, are computed here, and tell what they were asked.

What makes Python wait for a GPU is asking it for a number (how many rows a mask has, whether anything is left), sending
it something unless told not to wait, and reading a late copy before it has arrived. And a GPU refuses to mix its
tensors with those of the CPU. None of this is seen on a CPU, so here the tensors of a device are wrapped ones on
torch's device `meta`: their operations are counted where a GPU would have to answer before Python can go on, and
refused where it would refuse. Late copies hold nonsense until an event is waited for that was recorded after them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

DEVICE = torch.device("meta")

aten = torch.ops.aten
ASKS = {
    aten._local_scalar_dense.default: "item",
    aten.nonzero.default: "nonzero",
    aten.masked_select.default: "masked_select",
    aten.equal.default: "equal",
    aten.bincount.default: "bincount",  # looks for the largest value
    aten.repeat_interleave.Tensor: "repeat_interleave",
    aten._unique2.default: "unique",
    aten.unique_dim.default: "unique",
}
"""Operations whose result, or its shape, Python cannot go on without."""
INDEXING = (aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default)
"""These ask where an index is a mask, whose True it has to count, unless one value is written wherever it is True."""


class OnDevice(torch.Tensor):
    """A tensor of the pretended device; `held` is the one that computes."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> OnDevice:
        wrapped = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=DEVICE,
        )
        wrapped.held = inner
        return wrapped

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"OnDevice({self.held!r})"

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        raise RuntimeError(f"{func}: used outside of `pretended_device`")


_Generator = torch.Generator


class DeviceGenerator(_Generator):
    """A generator of the pretended device; for other devices the usual one."""

    def __new__(cls, device: Any = "cpu") -> torch.Generator:
        return _Generator.__new__(cls) if torch.device(device) == DEVICE else _Generator(device)


class DeviceEvent:
    """A place in the device's queue: what was to be copied before it has then arrived."""

    def __init__(self, device: HostReads) -> None:
        self.device = device
        self.arriving, device.on_their_way = device.on_their_way, []
        self.recorded_at = device.operations

    def synchronize(self) -> None:
        for copy, value in self.arriving:
            copy.copy_(value)
        self.device.given_since.append(self.device.operations - self.recorded_at)


@dataclass(frozen=True)
class DeviceStream:
    """The device's queue."""

    device: HostReads

    def record_event(self) -> DeviceEvent:
        return DeviceEvent(self.device)


class HostReads(TorchDispatchMode):
    """Computes for the pretended device.

    reads: how often Python had to wait for it, by operation. uploads: tensors that were sent to it without waiting.
    operations: what it was given to do. given_since: for every event that was waited for, the operations given to the
    device since it was recorded, which it has left to do while Python learns of the event.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()
        self.uploads = self.operations = 0
        self.given_since: list[int] = []
        self.on_their_way: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        target = kwargs.get("device")
        tensors = [one for one in tree_iter((args, kwargs)) if isinstance(one, torch.Tensor)]
        there = any(isinstance(one, OnDevice) for one in tensors)
        if target is not None and torch.device(target) == DEVICE:
            kwargs["device"] = torch.device("cpu")
        elif target is not None and there and func is aten._to_copy.default:
            value = func(*tree_map(_inner, args), **kwargs)
            if not kwargs.get("non_blocking"):
                self.reads["to the CPU"] += 1
                return value
            copy = torch.full_like(value, -1)
            self.on_their_way.append((copy, value))
            return copy
        makes = target is not None and torch.device(target) == DEVICE
        if there:
            if any(one.device == DEVICE and not isinstance(one, OnDevice) for one in tensors):
                raise RuntimeError(f"{func}: a list as an index is sent unseen; send a tensor, and only once")
            for one in tensors:
                if not isinstance(one, OnDevice) and one.dim():
                    if func not in (aten.copy_.default, *INDEXING) or one is args[0]:
                        raise RuntimeError(f"{func} mixes tensors of the device and of the CPU")
                    self._upload(waits=True)
            self._count(func, args)
        elif makes and tensors:
            self._upload(waits=not kwargs.get("non_blocking"))
        self.operations += there or makes
        result = func(*tree_map(_inner, args), **tree_map(_inner, kwargs))
        return tree_map(_wrap, result) if there or makes else result

    def _upload(self, *, waits: bool) -> None:
        if waits:
            self.reads["upload"] += 1
        else:
            self.uploads += 1

    def _count(self, func: Any, args: tuple[Any, ...]) -> None:
        name = ASKS.get(func)
        if func in INDEXING and any(one is not None and one.dtype == torch.bool for one in args[1]):
            writes_one_value = func is not aten.index.Tensor and args[2].numel() == 1
            name = None if writes_one_value else "mask"
        if name is not None:
            self.reads[name] += 1


def _inner(value: Any) -> Any:
    return value.held if isinstance(value, OnDevice) else value


def _wrap(value: Any) -> Any:
    return OnDevice(value) if isinstance(value, torch.Tensor) and not isinstance(value, OnDevice) else value


@contextmanager
def pretended_device() -> Iterator[HostReads]:
    """Within the block `DEVICE` can be computed on; tells what was asked of it."""
    tensor, rand = torch.tensor, torch.rand

    def draw(*size: int, generator: Any = None, device: Any = None) -> torch.Tensor:
        if isinstance(generator, DeviceGenerator):
            return OnDevice(rand(*size, generator=generator))
        return rand(*size, generator=generator, device=device)

    def upload(data: Any, *, device: Any = None, **kwargs: Any) -> torch.Tensor:
        on_cpu = tensor(data, **kwargs)
        return on_cpu if device is None or torch.device(device) != DEVICE else on_cpu.to(DEVICE)

    reads = HostReads()

    def current_stream(device: torch.device) -> DeviceStream:
        assert device == DEVICE
        return DeviceStream(reads)

    with (
        mock.patch("torch.tensor", upload),  # makes its own empty tensor on `meta`
        mock.patch("torch.Generator", DeviceGenerator),
        mock.patch("torch.accelerator.current_stream", current_stream),
        mock.patch("torch.inference_mode", torch.no_grad),  # its tensors cannot be wrapped
        mock.patch("torch.rand", draw),  # where operations arrive, a generator is only one of the CPU
        mock.patch(
            "torch.autocast", lambda *args, **kwargs: nullcontext()
        ),  # refuses `meta`, also where it is off
        reads,
    ):
        yield reads
