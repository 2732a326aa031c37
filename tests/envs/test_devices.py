"""Devices that this machine does not have are refused in one line."""

from __future__ import annotations

import pytest
import torch

from envs.config import ConfigError
from envs.devices import available_devices, require_device


@pytest.mark.parametrize("name", ["cuda:77", "nonsense"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"^--device={name} cannot be used \(.*\); here there is cpu"
    ) as error:
        require_device(name, "--device")
    assert "\n" not in str(error.value)


def test_devices_that_are_there_can_be_used() -> None:
    assert available_devices()[0] == "cpu"
    for name in available_devices():
        assert require_device(name, "--device").type == torch.device(name).type
