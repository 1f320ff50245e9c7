"""Whether networks are right as often as they say."""

from collections.abc import Sequence

from netstitch.analysis import FrontPoint
from netstitch.analysis.figure import Part
from netstitch.report.chart import Chart, Series

LISTED = 40
"""Networks of the front whose diagrams can be shown; the legend has no room for more."""


def reliability_chart(
    references: Sequence[FrontPoint], points: Sequence[FrontPoint], part: Part
) -> Chart:
    """Accuracy by confidence, a line for each network; those of the front wait in the legend."""
    stitched = [point for point in points if point.stitches]
    some = stitched[:: max(1, -(-len(stitched) // LISTED))]
    series = [Series("as often as it says", (0, 1), (0, 1), faint=True)]
    for index, point in enumerate((*references, *some)):
        calibration = point.calibration.get(part)
        if calibration is None or not calibration.diagram:
            continue
        confidences, shares, counts = zip(*calibration.diagram, strict=True)
        series.append(
            Series(
                f"{point.label}, error {calibration.error:.3f}",
                confidences,
                shares,
                style=index,
                told=[f"{count:,} predictions" for count in counts],
                shown=index <= len(references),  # these, and one of the front
            )
        )
    limits = (0.0, 1.02)
    return Chart(
        "confidence in the predicted class", "share that is right", tuple(series), limits, limits
    )


def calibration_chart(
    references: Sequence[FrontPoint], points: Sequence[FrontPoint], part: Part
) -> Chart:
    """The expected calibration error against multiply-adds."""
    series = []
    for name, own in (("front", points), ("reference", references)):
        known = [point for point in own if part in point.calibration]
        series.append(
            Series(
                name,
                [point.multiply_adds for point in known],
                [point.calibration[part].error for point in known],
                "marks",
                reference=name == "reference",
                told=[point.label for point in known],
            )
        )
    return Chart("multiply-adds of one sample", "expected calibration error", tuple(series))
