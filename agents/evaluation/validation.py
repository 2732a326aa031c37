"""How good a policy is by now: its mean delay on fixed worlds it is not trained on. Chooses the policy to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import fmean

import torch

from agents.routers import Router
from agents.routers.best_response import SingleOrderBestResponseRouter
from envs.config import EnvironmentConfig
from envs.delay import charged_delays
from envs.ephemeris import Ephemeris
from envs.scenario import Scenario
from envs.worlds import Worlds

VALIDATION_SEED = 2_000_003
"""The validation worlds of every run are the same, whatever its own seed."""


@dataclass(frozen=True)
class ValidationResult:
    """Mean delay over all packets, undelivered ones charged; share delivered; the delay over best response's."""

    delay_s: float
    delivery: float
    ratio: float


class Validation:
    """Measures routers on the same worlds every time.

    The reference is best response in packet order, which is a little worse than the best of several orders that final
    comparisons use, and computed faster.
    """

    def __init__(self, ephemeris: Ephemeris, worlds: Worlds, config: EnvironmentConfig) -> None:
        self.ephemeris, self.worlds, self.config = ephemeris, worlds, config
        self._reference_s, _ = self._run(SingleOrderBestResponseRouter())

    def __call__(self, router: Router) -> ValidationResult:
        """Route the validation worlds with `router`."""
        delay_s, delivery = self._run(router)
        return ValidationResult(delay_s, delivery, delay_s / self._reference_s)

    def _run(self, router: Router) -> tuple[float, float]:
        routes = router.route(self.ephemeris, self.worlds, self.config)
        delay_s = charged_delays(
            self.ephemeris, self.worlds, routes.links, routes.delivered, self.config.undelivered_factor
        )
        present = self.worlds.present
        return float(delay_s[present].double().mean()), float(
            routes.delivered[present].to(torch.float64).mean()
        )


class SeveralValidations:
    """The mean over several validations, each counting the same: a policy for several fleets must serve all of them."""

    def __init__(self, validations: Sequence[Validation]) -> None:
        if not validations:
            raise ValueError("at least one validation is needed")
        self.validations = tuple(validations)

    def __call__(self, router: Router) -> ValidationResult:
        """Route all validation worlds with `router`."""
        results = [validate(router) for validate in self.validations]
        means = (
            fmean(getattr(result, field.name) for result in results) for field in fields(ValidationResult)
        )
        return ValidationResult(*means)


def validation_of(
    scenarios: Sequence[Scenario], n_worlds: int, device: torch.device | str = "cpu"
) -> SeveralValidations:
    """Validation on `n_worlds` worlds in the validation slots of `scenarios` together, always the same ones."""
    each = max(2, n_worlds // len(scenarios))
    validations = []
    for scenario in scenarios:
        ephemeris = scenario.ephemeris("validation").to(device)
        worlds = scenario.worlds(ephemeris, each, seed=VALIDATION_SEED)
        validations.append(Validation(ephemeris, worlds, scenario.environment))
    return SeveralValidations(validations)
