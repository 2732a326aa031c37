"""Devices by name, refused in one line where this machine does not have them."""

from __future__ import annotations

import torch

from envs.config import ConfigError


def require_device(name: str, setting: str) -> torch.device:
    """The device `name` (`cpu`, `cuda`, `cuda:1`); ConfigError names `setting` where torch cannot use it here."""
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        there = ["cpu"] + [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(
            f"{setting}={name} cannot be used ({reason}); here there is {', '.join(there)}"
        ) from error
    return device


def available_devices() -> list[str]:
    """The CPU, and the first GPU where there is one."""
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
