"""`evaluate.py experiment=joint`: what joining both papers gains, measured on real frames."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from agents.routers import ROUTERS, Router
from envs.config import ConfigError
from envs.scenario import Scenario
from models.datasets import DatasetError
from models.interface import ModelUnavailable
from models.profile import current_profile
from models.profile_file import Profile
from offload.config import OffloadConfig
from offload.experiments.result import Result, Row
from offload.joint import places, schemes
from offload.joint.config import JointConfig
from offload.joint.figures import draw_places, draw_schemes
from offload.joint.places import COMPUTING, OWN_CONTACT, compare_places
from offload.joint.schemes import UNIFORM, compare_schemes, onboard_rows, scheme_rows
from offload.joint.setting import Setting

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
    seeds = make_settings(scenario, offload, config, n_worlds=n_worlds, seed=seed, console=console)
    with console.status("") as status:
        results = measure(
            seeds, router, lambda what: status.update(f"{len(config.seeds)} x {n_worlds} worlds, {what}")
        )
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        result.save(folder)
        console.print(result.table())
    summary = headline(results[1].rows, results[2].rows)
    console.print(summary, highlight=False)
    content = {
        "headline": summary,
        "router": router.name,
        "n_worlds": n_worlds * len(config.seeds),
        "profiles": [one.asked.provenance for one in seeds[::2]],
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
    """Two settings for each of config.seeds, which halve its worlds and swap the halves of its profile.

    So chance that makes one half easier than the other cancels. Frames that are not profiled yet are profiled first.

    Raises ConfigError when a model or the data cannot be had.
    """
    ephemeris, found = scenario.ephemeris("test"), []
    for one in config.seeds:
        try:
            profile = current_profile(config.profile(one), lambda line: console.print(line, highlight=False))
        except (ModelUnavailable, DatasetError, FileNotFoundError) as error:
            raise ConfigError(f"joint: {error}") from error
        first, second = halves(profile)
        for fold, (known, asked) in enumerate(((first, second), (second, first))):
            found.append(
                Setting.of(
                    scenario,
                    ephemeris,
                    offload,
                    config,
                    known,
                    asked,
                    n_worlds=(n_worlds + 1 - fold) // 2,
                    seed=seed + 2 * one + fold,
                )
            )
    return found


def measure(seeds: Sequence[Setting], router: Router, on_start: Any = lambda what: None) -> list[Result]:
    """What the models can do alone, the schemes side by side, and the places of the large model."""
    alone = onboard_rows(seeds)
    by_scheme = scheme_rows(compare_schemes(seeds, router, on_start))
    by_place = compare_places(seeds, router, on_start)
    n_sizes = len(seeds[0].config.pixels)
    return [
        Result("models_alone", "Accuracy of either model alone on the frames of the tasks", alone),
        Result(
            "schemes",
            f"BS-MARL with real frames ({router.name}); saved: against uniform frames, coded plainly",
            by_scheme,
            lambda figure: draw_schemes(figure, by_scheme),
            shown=("pixels", *schemes.SHOWN),
            size=(4.4 * n_sizes, 6.8),
        ),
        Result(
            "places",
            "SpaceVerse by the place of its large model (seconds of the models are estimates, see docs/vision.md)",
            by_place,
            lambda figure: draw_places(figure, by_place),
            shown=("pixels", *places.SHOWN),
            size=(1.6 + 3.4 * n_sizes, 2.8),
        ),
    ]


def headline(by_scheme: Sequence[Row], by_place: Sequence[Row]) -> str:
    """What joining gains, in words; whatever it is."""
    parts = []
    for name in ("gate", "compressor", "both"):
        saved = [
            r["saved_equal_%"] for r in by_scheme if r["scheme"] == name and not np.isnan(r["saved_equal_%"])
        ]
        if saved:
            parts.append(
                f"{name}: {np.mean(saved):+.1f}% on average ({min(saved):+.1f}% to {max(saved):+.1f}%)"
            )
    reach = {
        name: max(
            (r["required"] for r in by_scheme if r["scheme"] == name and not np.isnan(r["delay_s"])),
            default=0,
        )
        for name in (UNIFORM, "both")
    }
    text = "Service delay saved against uniform frames, coded plainly, at equal measured accuracy: "
    text += f"{'; '.join(parts)}. "
    text += (
        f"Highest requirement that can be met: {reach[UNIFORM]:g} uniformly, {reach['both']:g} with both. "
    )
    means = {
        place: np.mean([r["delay_s"] for r in by_place if r["place"] == place])
        for place in (COMPUTING, OWN_CONTACT)
    }
    return text + (
        f"A SpaceVerse task takes {means[COMPUTING]:.0f} s with the large model on a computing satellite and "
        f"{means[OWN_CONTACT]:.0f} s with it on the ground behind its satellite's own contacts."
    )
