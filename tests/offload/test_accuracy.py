"""Accuracy models: monotone, invertible, and fitted back from what they say."""

from pathlib import Path

import numpy as np
import pytest
import torch

from offload import fit as fit_command
from offload.accuracy import (
    AccuracyModel,
    MeasurementError,
    Measurements,
    Quantity,
    RequirementError,
    fit,
)
from offload.config import MEASUREMENTS

SHIPPED = {"large_model": Quantity.residual_bits_per_pixel, "small_model": Quantity.update_share}


@pytest.fixture(params=SHIPPED)
def model(request: pytest.FixtureRequest) -> AccuracyModel:
    return AccuracyModel.load(MEASUREMENTS / f"{request.param}.json", SHIPPED[request.param])


def test_more_bits_are_never_worse_and_the_inverse_is_exact(model: AccuracyModel) -> None:
    x = torch.linspace(0, 3, 301, dtype=torch.float64)
    accuracy = model(x)
    assert (accuracy.diff() > 0).all() and accuracy.max() < model.ceiling
    torch.testing.assert_close(model.inverse(accuracy), x)
    assert model.inverse(accuracy[:1] - 0.1) == 0, "less than nothing at all is never needed"
    assert model.inverse(torch.tensor([1.0])).isinf()


def test_an_unreachable_requirement_names_the_highest(model: AccuracyModel) -> None:
    with pytest.raises(RequirementError, match=rf"here=0.99.*{model(torch.tensor(0.5)):.4f}.*buy more"):
        model.require_reachable(torch.tensor([0.5, 0.99]), 0.5, "here", "buy more")


def test_a_curve_is_recovered_from_points_on_it(model: AccuracyModel) -> None:
    x = np.linspace(0, 2.5, 12)
    points = Measurements(model.quantity, x, model(torch.from_numpy(x)).numpy(), "accuracy", "made")
    again = fit(points)
    assert (again.ceiling, again.span, again.rate) == pytest.approx(
        (model.ceiling, model.span, model.rate), rel=1e-4
    )
    assert again.rmse < 1e-6 and again.points == 12


def test_the_shipped_large_model_is_the_fit_of_the_shipped_measurements() -> None:
    again = fit(Measurements.read(MEASUREMENTS / "large_model.csv"))
    shipped = AccuracyModel.load(MEASUREMENTS / "large_model.json", Quantity.residual_bits_per_pixel)
    assert (again.ceiling, again.span, again.rate, again.rmse) == pytest.approx(
        (shipped.ceiling, shipped.span, shipped.rate, shipped.rmse), rel=1e-3
    )
    assert (again.source, again.points) == (shipped.source, shipped.points)


def test_a_model_survives_its_file(model: AccuracyModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model.json")
    assert AccuracyModel.load(tmp_path / "model.json", model.quantity) == model
    other = next(quantity for quantity in Quantity if quantity is not model.quantity)
    with pytest.raises(MeasurementError, match=other.value):
        AccuracyModel.load(tmp_path / "model.json", other)


GOOD = "# metric: mAP\n# 2000 images\nresidual_bits_per_pixel,accuracy\n0,0.5\n1,0.8\n2,0.9\n4,0.95\n"


def test_the_command_fits_and_draws(tmp_path: Path) -> None:
    source = tmp_path / "mine.csv"
    source.write_text(GOOD)
    fit_command.main([str(source)])
    model = AccuracyModel.load(tmp_path / "mine.json", Quantity.residual_bits_per_pixel)
    assert (model.metric, model.source, model.points) == ("mAP", "2000 images", 4)
    assert (tmp_path / "mine.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (GOOD.replace("# metric: mAP\n", ""), "where its figures come from"),
        (GOOD.replace("residual_bits_per_pixel", "bits"), "columns.*update_share"),
        (GOOD.replace("1,0.8", "1,high"), "line 5.*1,high"),
        (GOOD.replace("1,0.8", "1,1.8"), "line 5.*accuracy from 0 to 1"),
        (GOOD.replace("1,0.8", "1,nan"), "line 5.*1,nan"),
        (GOOD.replace("1,0.8", "inf,0.8"), "line 5.*inf,0.8.*finite"),
        (GOOD.replace("1,0.8", "-1,0.8"), "line 5.*-1,0.8.*zero or more"),
        (GOOD.replace("1,0.8", "1"), "line 5.*'1'"),
        (GOOD.replace("accuracy\n", "mAP\n"), "columns.*'mAP'.*needs accuracy"),
        ("", "where its figures come from"),
        (GOOD.replace("0.5", "0.9").replace("0.8", "0.9").replace("0.95", "0.9"), "does not rise"),
        (GOOD.replace("1,0.8\n2,0.9\n", ""), "2 measurements"),
        (GOOD.replace("0.5", "0.97").replace("0.95", "0.4"), "does not rise"),
    ],
)
def test_bad_measurements_are_refused(content: str, words: str, tmp_path: Path) -> None:
    source = tmp_path / "mine.csv"
    source.write_text(content)
    with pytest.raises(MeasurementError, match=words):
        fit(Measurements.read(source))


def test_a_spreadsheets_csv_is_read_and_no_text_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "mine.csv"
    source.write_text(GOOD.replace("\n", "\r\n"), encoding="utf-8-sig")
    assert Measurements.read(source).x.tolist() == [0, 1, 2, 4]
    source.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MeasurementError, match=f"{source} is no CSV file"):
        Measurements.read(source)


def test_a_model_is_not_written_over_its_measurements_nor_nowhere(tmp_path: Path) -> None:
    source = tmp_path / "mine.json"
    source.write_text(GOOD)
    with pytest.raises(MeasurementError, match="holds the measurements"):
        fit_command.main([str(source)])
    for target in ("model.csv", "none/model.json"):
        with pytest.raises(MeasurementError, match=f"{target} cannot be written"):
            fit_command.main([str(source), str(tmp_path / target)])
    assert source.read_text() == GOOD and list(tmp_path.iterdir()) == [source]
