"""Fit an accuracy model to measurements: `python -m offload.fit measurements.csv [model.json]`.

Writes the model beside the measurements (or to the second argument) with a plot of the fit, for
`offload.large_model=` and `offload.small_model=`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from envs.config import ConfigError
from offload.accuracy import AccuracyModel, MeasurementError, Measurements, fit


def draw_fit(path: Path, measurements: Measurements, model: AccuracyModel) -> None:
    """Write a picture of the measurements and of the curve through them."""
    from matplotlib.figure import Figure  # slow to import, and needed only here

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    x = np.linspace(0, measurements.x.max(), 200)
    axes.plot(x, model(torch.from_numpy(x)).numpy(), color="#4477aa", label=f"fit, RMSE {model.rmse:.4f}")
    axes.plot(measurements.x, measurements.accuracy, "o", color="#cc3311", label="measured")
    axes.axhline(model.ceiling, color="0.6", linestyle=":", label=f"ceiling {model.ceiling:.3f}")
    axes.set_xlabel(measurements.quantity.value.replace("_", " "))
    axes.set_ylabel(measurements.metric)
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def main(arguments: list[str]) -> None:
    """The command; raises MeasurementError on bad input."""
    source = Path(arguments[0])
    target = Path(arguments[1]) if len(arguments) > 1 else source.with_suffix(".json")
    if target.suffix != ".json" or not target.parent.is_dir():
        raise MeasurementError(f"{target} cannot be written: name a file *.json in a folder that there is")
    if target.resolve() == source.resolve():
        raise MeasurementError(f"{source} holds the measurements: name another file for the model")
    measurements = Measurements.read(source)
    model = fit(measurements)
    model.save(target)
    picture = target.with_suffix(".png")
    draw_fit(picture, measurements, model)
    Console().print(
        f"accuracy = {model.ceiling:.4f} - {model.span:.4f} exp(-{model.rate:.4f} x), x = {model.quantity.value}\n"
        f"RMSE {model.rmse:.4f} over {model.points} measurements; written to {target} and {picture}"
    )


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("usage: python -m offload.fit measurements.csv [model.json]")
    try:
        main(sys.argv[1:])
    except ConfigError as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)
