import pytest
from supernet_examples import images, supernet

from netstitch.errors import FittingError, StorageError
from netstitch.fitting import METHODS, FitReport, fit, refine


def run(**options: object) -> FitReport:
    joined = supernet()
    layers = [stitch.layer() for stitch in joined.stitches]
    return fit(joined, layers, [images(32)], **options)  # type: ignore[arg-type]


def test_least_squares_is_the_default() -> None:
    assert run().method == "least-squares"


@pytest.mark.parametrize("method", METHODS)
def test_every_method_fits_reports_and_tells_its_progress(method: str) -> None:
    calls: list[int] = []
    report = run(method=method, holdout=0.25, progress=lambda done, *_: calls.append(done))
    assert report.method == method
    assert report.settings["holdout"] == 0.25
    assert report.held_out == 8
    assert len(report.rows) == len(supernet().stitches)
    assert all(row.relative_error is not None for row in report.rows)
    assert calls
    assert FitReport.from_json(report.to_json()) == report


@pytest.mark.parametrize(
    "options, message",
    [
        ({"method": "least_squares"}, "'least_squares'; did you mean 'least-squares'"),
        ({"method": "Adamw"}, "did you mean 'adam'"),
        ({"method": "qqq"}, "expected one of least-squares, adam"),
        ({"method": "sequential"}, "'sequential'; it was removed: give 'least-squares'"),
        ({"ridge": "held-out"}, "ridge is 'held-out'; it was removed: give a number"),
        ({"rigde": 1}, "no setting 'rigde'; did you mean 'ridge'"),
        ({"method": "adam", "learning-rate": 1}, "did you mean 'learning_rate'"),
        ({"method": "adam", "ridge": 1}, "adam has no setting 'ridge'"),
    ],
)
def test_what_does_not_exist_is_an_error_with_the_nearest(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(FittingError, match=message):
        run(**options)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"stops": 1}, FittingError, "refine has no setting 'stops'; did you mean 'steps'"),
        ({"steps": "many"}, FittingError, "steps is 'many'; expected a valid integer"),
        ({"checkpoint_seconds": "x"}, FittingError, "checkpoint_seconds is 'x'; expected a num"),
        ({"checkpoint": 3}, StorageError, "checkpoint is 3 .int.; give a path"),
    ],
)
def test_refining_takes_settings_by_name(
    options: dict[str, object], error: type[Exception], message: str
) -> None:
    joined = supernet()
    layers = [stitch.layer() for stitch in joined.stitches]
    with pytest.raises(error, match=message):
        refine(joined, layers, [images(64)], **options)  # type: ignore[arg-type]
