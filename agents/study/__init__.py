"""Many trainings compared: trials that are kept on disk, intervals over seeds, and when a curve has settled."""

from agents.study.convergence import ConvergenceConfig, convergence_trials
from agents.study.seeds import SeedInterval, over_seeds, paired_over_seeds
from agents.study.settling import settled_after
from agents.study.trial import Outcome, Trial, TrialOptions, run_trial, run_trials

__all__ = [
    "ConvergenceConfig",
    "Outcome",
    "SeedInterval",
    "Trial",
    "TrialOptions",
    "convergence_trials",
    "over_seeds",
    "paired_over_seeds",
    "run_trial",
    "run_trials",
    "settled_after",
]
