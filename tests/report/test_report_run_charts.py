"""Charts of a run stay readable with the references of many networks."""

from netstitch.analysis import Front, FrontPoint
from netstitch.analysis.calibration import Calibration
from netstitch.report.run_charts import reliability_chart


def point(label: str, output: str, index: int) -> FrontPoint:
    measured = Calibration((10, 20), (5.0, 18.0), (4, 16))
    return FrontPoint(
        label, (index,), 10 + index, 0, 0.5, output=output, calibration={"validation": measured}
    )


def test_reliability_shows_basis_networks_and_the_ensemble_apart() -> None:
    """Four networks have six pairs, which wait in the legend."""
    names = ["a", "b", "c", "d", "a+b", "a+c", "a+d", "b+c", "b+d", "c+d", "ensemble"]
    references = [point(name, name, index) for index, name in enumerate(names)]
    chart = reliability_chart(Front((), tuple(references)), "validation")
    shown = [series for series in chart.series if series.shown and series.emphasis != "guide"]
    assert [series.name.split(",")[0] for series in shown] == ["a", "b", "c", "d", "ensemble"]
    assert len({series.colour("", "") for series in shown}) == 5
    assert len(chart.series) == 1 + len(names)
