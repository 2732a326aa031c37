"""What each part of the learner is worth: rewards x mixers x credit x information x networks, over seeds.

    python -m benchmarks.ablation [--full] [--only REGEX] [--seeds 0 1 2] [--iterations 100] [--workers 1]

Without --full every part is varied alone around the default; with it, all combinations are trained. Finished trials are
kept in --folder, so that the command can be stopped and started again, and extended by more seeds. Rows are ratios of
mean delay to single-order best response on 500 test worlds: the mean over seeds with its 95% interval (Student's t),
and the difference to the default, seed by seed. `results.csv` has a row for every trial.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from agents.config import AlgorithmConfig, Credit, MixerConfig, MixerKind, UtilityConfig, UtilityKind
from agents.study import Outcome, Trial, TrialOptions, over_seeds, paired_over_seeds, run_trials
from envs.config import EnvironmentConfig, LoadView, Reward, RewardConfig, TaskConfig
from envs.constellation import CONSTELLATIONS
from envs.day import DayConfig
from envs.links import EbN0Link
from envs.scenario import Scenario

UTILITIES = {
    "shared": UtilityConfig(),
    "flat": UtilityConfig(kind=UtilityKind.flat, width=192),
    "shared, no prior": UtilityConfig(residual_on_prior=False),
    "flat, no prior": UtilityConfig(kind=UtilityKind.flat, width=192, residual_on_prior=False),
}
INFORMATION = {
    "own": (LoadView.own, 0),
    "neighbours": (LoadView.neighbours, 0),
    "two_hop": (LoadView.two_hop, 0),
    "announced": (LoadView.announced, 0),
    "announced, 1 step old": (LoadView.announced, 1),
    "announced, 2 steps old": (LoadView.announced, 2),
}
CREDITS = {
    "mixed": {},
    "joint": {"credit_weight": 0.0},
    # returns of a team vary by about 30 s; the loss of each agent on them weighs as much as the joint one does
    "team": {"credit": Credit.team, "credit_huber": 30.0, "credit_weight": 10 / 30**2},
}
"""What is learned from beside the mixer's joint loss: each agent's own credit, nothing, or the team's reward by every
agent for itself (independent Q-learning)."""


@dataclass(frozen=True)
class Variant:
    """One way to learn; the default of `python train.py` if nothing is said."""

    reward: str = "telescoping"
    mixer: str = "set"
    credit: str = "mixed"
    information: str = "announced"
    network: str = "shared"

    @property
    def name(self) -> str:
        """A folder's name."""
        return "-".join(asdict(self).values()).replace(", ", "_").replace(" ", "_")

    @property
    def label(self) -> str:
        """What differs from the default."""
        changes = [
            f"{part}: {value}" for part, value in asdict(self).items() if value != getattr(Variant(), part)
        ]
        return "; ".join(changes) or f"default ({', '.join(asdict(self).values())})"

    @property
    def is_possible(self) -> bool:
        """The link-function mixer computes the paper's reward alone; without a mixer there is no joint loss, with
        one nobody learns the team's reward for itself."""
        if self.mixer == "link" and self.reward != "paper":
            return False
        if self.mixer == "none":
            return self.credit != "joint" and self.reward == "telescoping"
        return self.credit != "team"

    def trial(self, seed: int, iterations: int) -> Trial:
        """What is trained."""
        loads, delay = INFORMATION[self.information]
        environment = EnvironmentConfig(
            loads=loads, broadcast_delay_steps=delay, reward=RewardConfig(kind=Reward(self.reward))
        )
        scenario = Scenario(
            CONSTELLATIONS["walker_12x24"], EbN0Link(), DayConfig(), TaskConfig(), environment
        )
        algorithm = AlgorithmConfig(
            utility=UTILITIES[self.network],
            mixer=MixerConfig(kind=MixerKind(self.mixer)),
            **CREDITS[self.credit],
            iterations=iterations,
        )
        return Trial(self.name, scenario, algorithm, seed)


VALUES = {
    "reward": [
        Reward.telescoping.value,
        Reward.paper.value,
    ],  # `difference` pays the team what `telescoping` does
    "mixer": [mixer.value for mixer in MixerKind],
    "credit": list(CREDITS),
    "information": list(INFORMATION),
    "network": list(UTILITIES),
}
COMBINATIONS = (
    Variant(reward="paper", mixer="link"),
    Variant(reward="paper", mixer="link", credit="joint"),
    Variant(reward="paper", mixer="qmix", credit="joint"),
    Variant(reward="paper", mixer="qmix", credit="joint", network="flat, no prior"),
    Variant(mixer="vdn", credit="joint"),
    Variant(mixer="qmix", credit="joint"),
    Variant(mixer="none", credit="team"),
)
"""What a change of one part does not reach: the paper's reward, and the team's reward with each mixer and without."""


def one_at_a_time() -> Iterator[Variant]:
    """The default, every change of one part, and COMBINATIONS."""
    yield Variant()
    for part, values in VALUES.items():
        for value in values:
            if value != getattr(Variant(), part):
                yield replace(Variant(), **{part: value})
    yield from COMBINATIONS


def all_combinations() -> Iterator[Variant]:
    """The product of all parts."""
    return (Variant(*values) for values in product(*VALUES.values()))


def table(outcomes: dict[Variant, dict[int, Outcome]], iterations: int) -> Table:
    """A row for each variant, best first."""
    out = Table(box=box.SIMPLE_HEAD, title=f"{iterations} iterations; ratio to single-order best response")
    out.add_column("changed")
    for column in ("ratio", "to the default", "arrive, %", "seeds"):
        out.add_column(column, justify="right")
    ratios = {variant: {k: one.ratio for k, one in by_seed.items()} for variant, by_seed in outcomes.items()}
    means = {variant: over_seeds(list(values.values())) for variant, values in ratios.items()}
    for variant in sorted(means, key=lambda variant: means[variant].mean):
        common = ratios[variant].keys() & ratios.get(Variant(), {}).keys()
        difference = paired_over_seeds(ratios[variant], ratios[Variant()]) if common else None
        out.add_row(
            variant.label,
            str(means[variant]),
            ""
            if difference is None or variant == Variant()
            else f"{'+' * (difference.mean >= 0)}{difference}",
            f"{100 * over_seeds([one.delivery for one in outcomes[variant].values()]).mean:.2f}",
            str(means[variant].n_seeds),
        )
    return out


def write_csv(path: Path, outcomes: dict[Variant, dict[int, Outcome]]) -> None:
    """A row for every trial."""
    with open(path, "w", newline="") as file:
        columns = [*(field.name for field in fields(Variant)), "seed", *(f.name for f in fields(Outcome))]
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for variant, by_seed in outcomes.items():
            for seed, outcome in sorted(by_seed.items()):
                writer.writerow(asdict(variant) | {"seed": seed} | asdict(outcome))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument(
        "--full", action="store_true", help="all combinations instead of one change at a time"
    )
    parser.add_argument("--only", default="", help="only variants whose name this regular expression finds")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1, help="trials at a time, one thread each")
    parser.add_argument("--folder", type=Path, default=None, help="default: runs/ablation-<iterations>")
    options = parser.parse_args()
    folder = options.folder or Path("runs") / f"ablation-{options.iterations}"
    console = Console()

    chosen = all_combinations() if options.full else one_at_a_time()
    variants = [
        variant for variant in chosen if variant.is_possible and re.search(options.only, variant.name)
    ]
    trials = {  # seed by seed, so that a study stopped early has the same seeds of all
        variant.trial(seed, options.iterations): variant for seed in options.seeds for variant in variants
    }
    outcomes: dict[Variant, dict[int, Outcome]] = {}
    with console.status(f"0 of {len(trials)} trials") as status:
        finished = run_trials(list(trials), folder, TrialOptions(), workers=options.workers)
        for done, (trial, outcome) in enumerate(finished, start=1):
            outcomes.setdefault(trials[trial], {})[trial.seed] = outcome
            status.update(f"{done} of {len(trials)} trials")
            console.print(f"{trial.name}, seed {trial.seed}: {outcome.ratio:.4f}", highlight=False)
            write_csv(folder / "results.csv", outcomes)
    console.print(table(outcomes, options.iterations))
    console.print(f"written to {folder / 'results.csv'}")


if __name__ == "__main__":
    main()
