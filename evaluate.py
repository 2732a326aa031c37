"""Compare a policy with every other router on the same held-out worlds: `python evaluate.py [policy=RUN]`.

`experiment=bs_marl` measures what offloading gains and `experiment=spaceverse` what a small and a large
vision-language model gain together, each as its paper does; `experiment=joint` what deciding over real frames gains,
with SpaceVerse's gate and compressor.
With `report=true` all that was measured of a policy goes into one HTML file, with a globe that replays episodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

import agents
from agents.evaluation import Comparison, compare, save_report, table
from agents.routers import ROUTERS, Router, make_router
from agents.routers.trained import is_export, trained_router, trained_routers
from agents.run.durable import require_writable
from agents.run.tracking import track_results
from configs.command import command
from configs.convert import to_plain
from configs.held_out import seen_slots
from configs.schema import SHIPPED_POLICY, EvaluateConfig, EvaluationConfig, Show
from envs.config import ConfigError
from envs.connectivity import connectivity
from envs.scenario import Scenario
from models.datasets import DatasetError
from models.experiments.plots import write_plots
from models.experiments.report import on_screen, write_all, write_table
from models.experiments.spaceverse import FOLDER as SPACEVERSE_FOLDER
from models.experiments.spaceverse import measure_spaceverse
from models.interface import ModelUnavailable
from offload.experiments.bs_marl import FOLDER, run_bs_marl
from offload.joint.experiment import FOLDER as JOINT_FOLDER
from offload.joint.experiment import run_joint
from report.config import GlobeConfig
from report.episodes import Episodes
from report.results import Results

BASELINES_FOLDER = Path("runs/baselines")
"""Where the comparison goes when there is no policy, and hence no run to add it to."""

SHIPPED = Path(agents.__file__).parent / "policies"
"""Policies that come with LEOMix; what is measured of them goes into `runs/` like everything else."""


def policy_path(policy: str | None) -> Path | None:
    """The folder or file that `policy=` names on the command line; None without a policy."""
    if policy == SHIPPED_POLICY:
        return SHIPPED / "fleets"
    return Path(policy) if policy else None


def results_folder(policy: Path | None) -> Path:
    """Where to write what was measured of the policy at `policy`: in a run's folder, beside an export's."""
    if policy is None:
        return BASELINES_FOLDER
    if is_export(policy) or (policy.is_file() and is_export(policy.parent)):  # also its weights
        folder, variant = (policy, "") if policy.is_dir() else (policy.parent, f"_{policy.stem}")
        return folder.with_name(f"{folder.name}{variant}_evaluation")
    if policy.is_file():
        policy = policy.parent
    return Path("runs") / policy.name if policy.resolve().is_relative_to(SHIPPED.resolve()) else policy


def evaluate(
    scenario: Scenario,
    evaluation: EvaluationConfig,
    folder: Path,
    *,
    learned: Sequence[Router] = (),
    settings: dict[str, Any] | None = None,
    seen: Sequence[int] = (),
    console: Console | None = None,
    globe: GlobeConfig | None = None,
    run: Path | None = None,
) -> Comparison:
    """Compare a policy and all baseline routers on worlds in the test slots of `scenario`.

    Shows the table on `console` and writes evaluation.json, evaluation.csv and evaluation.png into `folder`.

    learned: the routers of the policy's trainings, over which its results are means.
    settings: further settings worth keeping beside the results (how the policy was trained, say).
    seen: test slots in which the policy was trained or chosen; there should be none, and a warning says if there are.
    globe: write report.html as well, with this globe. run: folder that the policy comes from, whose training it shows.
    Raises ConfigError when the tasks do not fit the constellation, or the globe is to show a router that is not
    compared.
    """
    console = console or Console()
    highlight = learned[0].name if learned else None
    routers = [*learned, *(make() for make in ROUTERS.values())]
    routers += [make_router(name, "evaluation.routers") for name in evaluation.routers]
    if globe is not None:
        globe.check_routers(tuple(router.name for router in routers))
    remarks = []
    if seen:
        remarks.append(
            f"warning: in {len(seen)} of the {scenario.day.test_slots} test slots the policy was trained or chosen "
            "(day.* is not as in its run): its figures are too good"
        )
        console.print(remarks[0], soft_wrap=True)
    with console.status("building the test worlds") as status:
        ephemeris = scenario.ephemeris("test")
        worlds = scenario.worlds(ephemeris, evaluation.worlds, seed=evaluation.seed)
        for remark in scenario.remarks(ephemeris):
            console.print(remark, highlight=False, soft_wrap=True)
            remarks.append(remark)
        episodes = Episodes(ephemeris, worlds, scenario.environment)
        comparison = compare(
            routers,
            ephemeris,
            worlds,
            scenario.environment,
            averaged={learned[0].name: [one.name for one in learned]} if learned else {},
            workers=evaluation.workers,
            on_progress=lambda what: status.update(f"routing {worlds.n_worlds} worlds: {what}"),
            on_routes=episodes.add if globe is not None else None,
        )
    console.print(table(comparison, highlight=highlight))
    where = {
        "constellation": scenario.constellation.name,
        "n_satellites": ephemeris.n_satellites,
        "part": "test",
        "slots": scenario.day.split().test.tolist(),
        "slots_seen_in_training": list(seen),
        "connectivity": asdict(connectivity(ephemeris.component)),
        "n_worlds": worlds.n_worlds,
        "n_tasks": worlds.n_tasks,
        "n_packets": comparison.n_packets,
        "seed": evaluation.seed,
    }
    config = to_plain(scenario) | {"evaluation": to_plain(evaluation)} | (settings or {})
    folder.mkdir(parents=True, exist_ok=True)
    save_report(folder, comparison, worlds=where, config=config, highlight=highlight)
    console.print(f"written to {folder}")
    if globe is not None:
        results = Results(
            folder=folder,
            comparison=comparison,
            episodes=episodes,
            globe=globe,
            settings=config | {"globe": to_plain(globe)},
            propagator=scenario.day.propagator,
            learned=highlight,
            run=run,
            remarks=tuple(remarks),
        )
        report_on(results, console)
    track_results(folder, folder, headline(comparison, highlight), say=partial(console.print, soft_wrap=True))
    return comparison


def report_on(results: Results, console: Console) -> None:
    """Write report.html, saying what is being done, where it is and how large."""
    from report.write import write_report  # its libraries are slow to import, and needed only here

    with console.status("report") as status:
        path = write_report(results, on_start=lambda what: status.update(f"report: {what}"))
    console.print(f"report: {path}, {path.stat().st_size / 1e6:.1f} MB; open it in a browser", soft_wrap=True)


def headline(comparison: Comparison, policy: str | None) -> dict[str, float]:
    """What a tracker's summary says of a comparison: how the router of the policy did, or nothing without one."""
    results = [result for result in comparison.results if result.router == policy]
    return {
        f"evaluation/{name}": getattr(result, name)
        for result in results
        for name in ("mean_delay_s", "p95_delay_s", "delivery", "ratio_to_best_response")
    }


def show_routers(config: EvaluateConfig) -> None:
    """The table of routers, with the policy among them."""
    path = policy_path(config.policy)
    evaluate(
        config.scenario,
        config.evaluation,
        results_folder(path),
        learned=trained_routers([path, *map(Path, config.more_policies)]) if path else (),
        settings={"policy": config.policy, "more_policies": list(config.more_policies)},
        seen=seen_slots(config, path) if path else (),
        globe=config.globe if config.report else None,
        run=path.parent if path and path.is_file() else path,
    )


def show_bs_marl(config: EvaluateConfig) -> None:
    """The experiments of BS-MARL, packets routed by the policy."""
    path = policy_path(config.policy)
    is_run = path is not None and path.is_dir() and config.policy != SHIPPED_POLICY and not is_export(path)
    own_run = (path,) if path and is_run else ()
    run, console = results_folder(path), Console()
    run_bs_marl(
        config.scenario,
        config.offload,
        config.bs_marl,
        run / FOLDER,
        n_worlds=config.evaluation.worlds,
        seed=config.evaluation.seed,
        learned=trained_routers([path, *map(Path, config.more_policies)]) if path else (),
        runs=tuple(map(Path, config.bs_marl.training_runs)) or own_run,
        settings=to_plain(config),
        console=console,
    )
    track_results(run, run / FOLDER, {}, say=partial(console.print, soft_wrap=True))


def show_joint(config: EvaluateConfig) -> None:
    """Both papers joined, packets routed by the policy."""
    path = policy_path(config.policy)
    run, console = results_folder(path), Console()
    run_joint(
        config.scenario,
        config.offload,
        config.joint,
        run / JOINT_FOLDER,
        n_worlds=config.evaluation.worlds,
        seed=config.evaluation.seed,
        learned=trained_router(path) if path else None,
        settings=to_plain(config),
        console=console,
    )
    track_results(run, run / JOINT_FOLDER, {}, say=partial(console.print, soft_wrap=True))


def show_spaceverse(config: EvaluateConfig) -> None:
    """The experiments of SpaceVerse; no router is asked, the policy only says beside what the results are kept."""
    console = Console()
    run = results_folder(policy_path(config.policy))
    folder = run / SPACEVERSE_FOLDER
    measured = []
    try:
        with console.status("loading the models") as status:
            for result in measure_spaceverse(config.spaceverse, status.update):
                write_table(result, folder)
                measured.append(result)
                if result.on_screen:
                    console.print(on_screen(result), markup=False)
    except (ModelUnavailable, DatasetError, ValueError) as error:
        raise ConfigError(str(error)) from error
    write_all(measured, folder, to_plain(config.spaceverse))
    write_plots(measured, folder)
    console.print(f"written to {folder}")
    track_results(run, folder, {}, say=partial(console.print, soft_wrap=True))


SHOWS: dict[Show, Callable[[EvaluateConfig], None]] = {
    Show.routers: show_routers,
    Show.bs_marl: show_bs_marl,
    Show.spaceverse: show_spaceverse,
    Show.joint: show_joint,
}
"""What each value of `show` measures; `experiment=` sets it."""


@command(EvaluateConfig, "evaluate", based_on="policy", unless=SHIPPED_POLICY)
def main(config: EvaluateConfig) -> None:
    require_writable(results_folder(policy_path(config.policy)))
    shows = [config.show, *([Show.routers] if config.report else [])]  # the report, last, has it all
    for show in dict.fromkeys(shows):
        SHOWS[show](config)


if __name__ == "__main__":
    main()
