"""Compare a policy with every other router on the same held-out worlds: `python evaluate.py [policy=RUN]`.

`python evaluate.py experiment=bs_marl` measures what offloading gains, as the paper does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

import agents
from agents.evaluation import Comparison, compare, save_report, table
from agents.policy import Policy
from agents.routers import ROUTERS, Router
from agents.routers.learned import LearnedRouter
from configs.command import command
from configs.convert import to_plain
from configs.schema import SHIPPED_POLICY, EvaluateConfig, EvaluationConfig, Show
from envs.scenario import Scenario
from offload.experiments.bs_marl import FOLDER, run_bs_marl

BASELINES_FOLDER = Path("runs/baselines")
"""Where the comparison goes when there is no policy, and hence no run to add it to."""

SHIPPED = Path(agents.__file__).parent / "policies"
"""Policies that come with LEOMix; what is measured of them goes into `runs/` like everything else."""


def policy_folder(policy: str | None) -> Path | None:
    """The folder that `policy=` names on the command line; None without a policy."""
    if policy == SHIPPED_POLICY:
        return SHIPPED / "mixed_loads"
    return Path(policy) if policy else None


def results_folder(policy: Path | None) -> Path:
    """Where to write what was measured of the policy in the folder `policy`."""
    if policy is None:
        return BASELINES_FOLDER
    return Path("runs") / policy.name if policy.resolve().is_relative_to(SHIPPED.resolve()) else policy


def evaluate(
    scenario: Scenario,
    evaluation: EvaluationConfig,
    folder: Path,
    *,
    policy: Policy | None = None,
    settings: dict[str, Any] | None = None,
    console: Console | None = None,
) -> Comparison:
    """Compare `policy` and all baseline routers on worlds in the test slots of `scenario`.

    Shows the table on `console` and writes evaluation.json, evaluation.csv and evaluation.png into `folder`.

    settings: further settings worth keeping beside the results (how the policy was trained, say).
    Raises PolicyError when the policy reads observations that this version does not make, ConfigError when the tasks
    do not fit the constellation.
    """
    console = console or Console()
    routers: list[Router] = [LearnedRouter(policy)] if policy else []
    routers += [make() for make in ROUTERS.values()]
    with console.status("building the test worlds") as status:
        ephemeris = scenario.ephemeris("test")
        worlds = scenario.worlds(ephemeris, evaluation.worlds, seed=evaluation.seed)
        comparison = compare(
            routers,
            ephemeris,
            worlds,
            scenario.environment,
            workers=evaluation.workers,
            on_progress=lambda what: status.update(f"routing {worlds.n_worlds} worlds: {what}"),
        )
    console.print(table(comparison, highlight=LearnedRouter.name))
    where = {
        "constellation": scenario.constellation.name,
        "n_satellites": ephemeris.n_satellites,
        "part": "test",
        "slots": scenario.day.split().test.tolist(),
        "n_worlds": worlds.n_worlds,
        "n_tasks": worlds.n_tasks,
        "n_packets": comparison.n_packets,
        "seed": evaluation.seed,
    }
    config = to_plain(scenario) | {"evaluation": to_plain(evaluation)} | (settings or {})
    folder.mkdir(parents=True, exist_ok=True)
    save_report(folder, comparison, worlds=where, config=config, highlight=LearnedRouter.name)
    console.print(f"written to {folder}")
    return comparison


def show_routers(config: EvaluateConfig) -> None:
    """The table of routers, with the policy among them."""
    folder = policy_folder(config.policy)
    evaluate(
        config.scenario,
        config.evaluation,
        results_folder(folder),
        policy=Policy.load(folder) if folder else None,
        settings={"policy": config.policy},
    )


def show_bs_marl(config: EvaluateConfig) -> None:
    """The experiments of BS-MARL, packets routed by the policy."""
    folder = policy_folder(config.policy)
    own_run = (folder,) if folder and config.policy != SHIPPED_POLICY else ()
    run_bs_marl(
        config.scenario,
        config.offload,
        config.bs_marl,
        results_folder(folder) / FOLDER,
        n_worlds=config.evaluation.worlds,
        seed=config.evaluation.seed,
        learned=(LearnedRouter(Policy.load(folder)),) if folder else (),
        runs=tuple(map(Path, config.bs_marl.training_runs)) or own_run,
        settings=to_plain(config),
        console=Console(),
    )


SHOWS: dict[Show, Callable[[EvaluateConfig], None]] = {
    Show.routers: show_routers,
    Show.bs_marl: show_bs_marl,
}
"""What each value of `show` measures; `experiment=` sets it."""


@command(EvaluateConfig, "evaluate", based_on="policy", unless=SHIPPED_POLICY)
def main(config: EvaluateConfig) -> None:
    SHOWS[config.show](config)


if __name__ == "__main__":
    main()
