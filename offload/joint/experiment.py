"""`evaluate.py experiment=joint`: what joining both papers gains, measured on real frames."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from agents.routers import ROUTERS, Router
from envs.config import ConfigError
from envs.scenario import Scenario
from models.calibration_file import CalibrationMismatch
from models.datasets import DatasetError
from models.interface import ModelUnavailable
from models.profile import current_profile
from models.profile_file import EITHER, Profile
from offload.config import OffloadConfig
from offload.experiments.result import Result, Row
from offload.joint import places, schemes
from offload.joint.config import JointConfig
from offload.joint.contact import Contacts
from offload.joint.figures import draw_places, draw_schemes
from offload.joint.places import COMPUTING, GATEWAY, OWN_CONTACT, compare_places
from offload.joint.schemes import UNIFORM, compare_schemes, onboard_rows, scheme_rows
from offload.joint.setting import Half, Setting

FOLDER = "joint"
"""Where the results go, in the folder of the run."""


def run_joint(
    scenario: Scenario,
    offload: OffloadConfig,
    config: JointConfig,
    folder: Path,
    *,
    n_worlds: int,
    seed: int,
    learned: Router | None = None,
    settings: dict[str, Any],
    console: Console,
) -> list[Result]:
    """Measure, show on `console` and write tables, CSV files, pictures and joint.json into `folder`.

    n_worlds: of each seed. learned: the policy; None: `config.router` routes. settings: kept beside the results.
    """
    router = learned or ROUTERS[config.router]()
    settings_by_task = make_settings(scenario, offload, config, n_worlds=n_worlds, seed=seed, console=console)
    total = f"{len(config.seeds)} x {n_worlds} worlds"
    with console.status("") as status:
        results = measure(settings_by_task, router, lambda what: status.update(f"{total}, {what}"))
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        result.save(folder)
        console.print(result.table())
    tables = {result.name: result.rows for result in results}
    summary = headline(tables["schemes"], tables.get("places", ()))
    console.print(summary, highlight=False)
    content = {
        "headline": summary,
        "router": router.name,
        "n_worlds": n_worlds * len(config.seeds),
        "profiles": [provenance for one in settings_by_task for provenance in _profiles(one)],
        "results": {result.name: [_plain(row) for row in result.rows] for result in results},
        "config": settings,
    }
    (folder / "joint.json").write_text(json.dumps(content, indent=2) + "\n")
    console.print(f"written to {folder}")
    return results


def halves(profile: Profile) -> tuple[Profile, Profile]:
    """The first and the second half of the frames."""
    cut = len(profile) // 2
    return profile.select(slice(0, cut)), profile.select(slice(cut, 2 * cut))


def _profiles(setting: Setting) -> list[dict[str, Any]]:
    """What the profiles were measured on, each once."""
    by_seed = {half.asked.provenance["settings"]["seed"]: half.asked.provenance for half in setting.halves}
    return list(by_seed.values())


def _plain(row: Row) -> Row:
    """The row as JSON has it, with null for what does not exist."""
    return {
        key: None if isinstance(value, float) and np.isnan(value) else value for key, value in row.items()
    }


def make_settings(
    scenario: Scenario,
    offload: OffloadConfig,
    config: JointConfig,
    *,
    n_worlds: int,
    seed: int,
    console: Console,
) -> list[Setting]:
    """A setting for each of config.tasks. In each, two halves for each of config.seeds share its worlds and swap the
    halves of its profile, so that chance that makes one half easier than the other cancels.

    Frames that are not profiled yet are profiled first, if `config.measure` allows it. Raises ConfigError when a model,
    the data or a profile cannot be had.
    """
    ephemeris, contacts = scenario.ephemeris("test"), Contacts(scenario.constellation, config.station)
    found = []
    for task in config.tasks:
        parts = []
        for one in config.seeds:
            profile = _profile(config, task, one, console)
            first, second = halves(profile)
            parts += [
                Half.of(
                    scenario,
                    ephemeris,
                    config,
                    known,
                    asked,
                    n_worlds=(n_worlds + 1 - fold) // 2,
                    seed=seed + 2 * one + fold,
                )
                for fold, (known, asked) in enumerate(((first, second), (second, first)))
                if n_worlds > fold
            ]
        found.append(Setting(task, scenario, ephemeris, offload, config, tuple(parts), contacts))
    return found


def _profile(config: JointConfig, task: str, seed: int, console: Console) -> Profile:
    try:
        return current_profile(
            config.profile(task, seed),
            lambda line: console.print(f"{task}, seed {seed}: {line}", highlight=False),
            measure=config.measure,
        )
    except (ModelUnavailable, DatasetError, CalibrationMismatch, ValueError, FileNotFoundError) as error:
        raise ConfigError(f"joint, {task}, seed {seed}: {error}") from error


def measure(
    settings: Sequence[Setting], router: Router, on_start: Callable[[str], None] = lambda what: None
) -> list[Result]:
    """What the models can do alone, the schemes side by side, and the places of the large model, by kind of frames."""
    alone, by_scheme, by_place = [], [], []
    for setting in settings:
        task: Row = {"task": setting.task}

        def say(what: str, task: str = setting.task) -> None:
            on_start(f"{task}: {what}")

        alone += [task | row for row in onboard_rows(setting)]
        by_scheme += [task | row for row in scheme_rows(compare_schemes(setting, router, say))]
        by_place += [task | row for row in compare_places(setting, router, say)]
    n_sizes, n_tasks = len(settings[0].config.pixels), len(settings)
    results = [
        Result("models_alone", "Accuracy of either model alone on the frames of the tasks", alone),
        Result(
            "schemes",
            f"BS-MARL with real frames ({router.name}); saved: against uniform frames, coded plainly",
            by_scheme,
            lambda figure: draw_schemes(figure, by_scheme),
            shown=("task", "pixels", *schemes.SHOWN),
            size=(1.4 + 4.0 * n_sizes, 0.4 + 2.9 * n_tasks),
        ),
    ]
    if by_place:  # empty where no requirement can be met with gate and compressor
        results.append(
            Result(
                "places",
                "SpaceVerse by the place of its large model (seconds of the models are estimates, see docs/vision.md)",
                by_place,
                lambda figure: draw_places(figure, by_place),
                shown=("task", "pixels", *places.SHOWN),
                size=(2.0 + 3.4 * n_sizes, 0.7 + 1.9 * n_tasks),
            )
        )
    return results


def headline(by_scheme: Sequence[Row], by_place: Sequence[Row]) -> str:
    """What joining gains, in words; whatever it is. A first line for all kinds of frames, then lines for each."""
    together = []
    for task in _tasks(by_scheme):
        saved = _saved(EITHER, [row for row in by_scheme if row["task"] == task])
        together.append(f"{task} {np.mean(saved):+.1f}%" if saved else f"{task}: nothing can be compared")
    lines = [
        "Gate and coding together save, of the service delay with uniform frames at equal measured accuracy, on "
        f"average: {', '.join(together)}."
    ]
    lines += [_gains(task, [r for r in by_scheme if r["task"] == task]) for task in _tasks(by_scheme)]
    for task in _tasks(by_place):
        own = [row for row in by_place if row["task"] == task]
        orbit, by_isls, waiting = (
            np.mean([r["delay_s"] for r in own if r["place"] == place])
            for place in (COMPUTING, GATEWAY, OWN_CONTACT)
        )
        lines.append(
            f"A SpaceVerse task ({task}) takes {orbit:.0f} s with the large model on a computing satellite, "
            f"{by_isls:.0f} s with it on the ground over ISLs to a satellite in contact, and "
            f"{waiting:.0f} s on the ground behind its satellite's own contacts."
        )
    return "\n".join(lines)


def _tasks(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["task"] for row in rows))


def _saved(scheme: str, rows: Sequence[Row]) -> list[float]:
    """Percent of the service delay at each requirement that can be compared."""
    equal = [row["saved_equal_%"] for row in rows if row["scheme"] == scheme]
    return [x for x in equal if not np.isnan(x)]


def _gains(task: str, rows: Sequence[Row]) -> str:
    """Of one kind of frames: mean and range of what each part saves, and how accurate tasks can be."""
    parts = []
    for name in ("gate", "compressor", "both", EITHER):
        saved = _saved(name, rows)
        if saved:
            parts.append(
                f"{name} {np.mean(saved):+.1f}% on average ({min(saved):+.1f}% to {max(saved):+.1f}%)"
            )
    uniform, either = (
        max(
            (r["required"] for r in rows if r["scheme"] == name and not np.isnan(r["delay_s"])),
            default=None,
        )
        for name in (UNIFORM, EITHER)
    )
    met = f"Highest requirement met: {_or_none(uniform)} uniformly, {_or_none(either)} with gate and either coding."
    gains = "; ".join(parts) if parts else "nothing can be compared"
    return f"{task[0].upper()}{task[1:]}: {gains}. {met}"


def _or_none(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
