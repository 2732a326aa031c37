"""Export a run's policy: `python -m agents.export RUN [--out DIR]`; docs/flight.md says what is in the folder."""

from __future__ import annotations

import argparse
import sys
from dataclasses import MISSING, fields
from pathlib import Path

import yaml

from agents.run.durable import DiskRefuses, naming_what_the_disk_refuses
from configs.convert import to_dataclass
from configs.schema import TrainConfig
from envs.config import ConfigError
from envs.scenario import Scenario


def export_run(run: Path, folder: Path | None) -> str:
    """Export the policy in the folder `run` to `folder` (default: `export` in it); returns what to tell the user."""
    config_file = run / "config.yaml"
    if not config_file.is_file():
        raise ConfigError(
            f"{run} is not the folder of a run: it has no config.yaml; name one of those in runs/"
        )
    try:
        config = yaml.safe_load(config_file.read_text())
        groups = {
            group.name: group.default is MISSING and group.default_factory is MISSING
            for group in fields(Scenario)
        }
        chosen = {group: config[group] for group, required in groups.items() if required or group in config}
    except (yaml.YAMLError, OSError, TypeError, KeyError) as error:
        problem = str(error).split("\n")[0]
        raise ConfigError(f"{config_file} is damaged ({problem}): restore it or name another run") from error
    scenario = to_dataclass(TrainConfig, chosen).scenario
    # These take seconds to import, so not before the run is known to be one.
    from agents.export.folder import export_policy
    from agents.export.provenance import Provenance
    from agents.export.summary import summary
    from agents.policy import Policy

    exported = export_policy(Policy.load(run), scenario, Provenance.of(run, config), folder or run / "export")
    return summary(exported)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m agents.export", description=(__doc__ or "").split(":")[0]
    )
    parser.add_argument("run", type=Path, help="folder of a run, such as runs/latest")
    parser.add_argument("--out", type=Path, default=None, help="folder to write; default: RUN/export")
    options = parser.parse_args()
    try:
        with naming_what_the_disk_refuses():
            print(export_run(options.run, options.out))
    except (ConfigError, DiskRefuses) as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(2 if isinstance(problem, ConfigError) else 1)


if __name__ == "__main__":
    main()
