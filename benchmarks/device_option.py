"""The option `--device` of benchmarks: devices by name, refused in one line where this machine does not have them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from envs.config import ConfigError
from envs.devices import available_devices, require_device


class _Devices(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, *_: Any) -> None:
        names: Sequence[str] = values
        try:
            for name in names:
                require_device(name, "--device")
        except ConfigError as error:
            parser.error(str(error))
        setattr(namespace, self.dest, list(names))


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """`--device NAME ...`, by default the CPU and the first GPU where there is one; checked before anything starts."""
    parser.add_argument("--device", nargs="+", default=available_devices(), action=_Devices)
