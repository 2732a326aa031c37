"""A trained policy as a file: weights and what is needed to run them, in one safetensors file, nothing unpickled."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from agents.config import UtilityConfig, UtilityKind
from agents.networks import Utility, build_utility
from agents.protocol import EnvironmentSpec
from agents.run.durable import write_durably
from envs.config import ConfigError

POLICY_FILE = "policy.safetensors"
"""Name of the policy in a run's folder."""
_FORMAT = "leomix-policy-1"
_MANIFEST = "manifest"


class PolicyError(ConfigError):
    """A policy cannot be read; the message names the file and the remedy."""


@dataclass(frozen=True)
class Policy:
    """A utility network that acts greedily, and what it was made for.

    utility: observation [N, F] -> Q [N, A].
    config: how the network is built.
    spec: sizes and layouts of the environment that it was trained on.
    observation: name and version of the observation's layout (`envs.observation.ObservationLayout.name`).
    """

    utility: Utility
    config: UtilityConfig
    spec: EnvironmentSpec
    observation: str

    def save(self, path: Path) -> None:
        """Write the policy to `path`, all or nothing."""
        manifest: dict[str, Any] = {
            "format": _FORMAT,
            "observation": self.observation,
            "utility": asdict(self.config) | {"kind": self.config.kind.value},
            "spec": self.spec.to_dict(),
        }
        weights = {
            name: value.detach().cpu().contiguous() for name, value in self.utility.state_dict().items()
        }
        write_durably(path, save(weights, {_MANIFEST: json.dumps(manifest)}))

    @classmethod
    def load(cls, path: Path) -> Policy:
        """Read the policy at `path`: such a file, or a run's folder that holds one.

        Raises PolicyError when there is none, when it is damaged, or when it is of another version.
        """
        file = path / POLICY_FILE if path.is_dir() else path
        if not file.is_file():
            raise PolicyError(
                f"policy={path}: there is no {file}; name the folder of a run that finished training, "
                "or train one with `python train.py`"
            )
        try:
            with safe_open(file, framework="pt") as stored:
                manifest = json.loads((stored.metadata() or {}).get(_MANIFEST, "{}"))
                weights: dict[str, torch.Tensor] = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        except (SafetensorError, json.JSONDecodeError, OSError) as error:
            raise PolicyError(f"{file} is damaged ({error}); copy it again or train a new policy") from error
        if manifest.get("format") != _FORMAT:
            raise PolicyError(
                f"{file} has format {manifest.get('format')!r}, this version reads {_FORMAT!r}: "
                "train a new policy, or use the version that wrote it"
            )
        try:
            settings = manifest["utility"]
            config = UtilityConfig(**settings | {"kind": UtilityKind(settings["kind"])})
            spec = EnvironmentSpec.from_dict(manifest["spec"])
            utility = build_utility(spec, config)
            utility.load_state_dict(weights)
            policy = cls(utility.eval().requires_grad_(False), config, spec, manifest["observation"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise PolicyError(f"{file} does not fit its manifest ({reason}); train a new policy") from error
        return policy
