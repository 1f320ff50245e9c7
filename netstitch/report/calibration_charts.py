"""Charts of calibration: how often networks are right against how often they say."""

from collections.abc import Callable

from netstitch.analysis import Front, FrontPoint
from netstitch.analysis.front_point import Split
from netstitch.drawing.chart import Chart, Series

LISTED = 40
"""Networks of the front whose diagrams can be shown; the legend has no room for more."""


def reliability_chart(front: Front, part: Split) -> Chart:
    """Return accuracy by confidence, a line for each network.

    All but one of the front's wait in the legend of a page until they are chosen.
    """
    stitched = [point for point in front.points if point.stitches]
    some = stitched[:: max(1, -(-len(stitched) // LISTED))]
    series = [Series("as often as it says", (0, 1), (0, 1), look="guide")]
    for index, point in enumerate((*front.references, *some)):
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
                hover=[f"{count:,} predictions" for count in counts],
                shown=index <= len(front.references),  # these, and one of the front
            )
        )
    limits = (0.0, 1.02)
    return Chart(
        "confidence in the predicted class", "share that is right", tuple(series), limits, limits
    )


def calibration_chart(front: Front, part: Split) -> Chart:
    """Return the expected calibration error against cost."""

    def error(point: FrontPoint) -> float | None:
        found = point.calibration.get(part)
        return None if found is None else found.error

    return _against_cost("expected calibration error", front, error)


def cross_entropy_chart(front: Front, part: Split) -> Chart:
    """Return the cross-entropy against cost."""
    return _against_cost("cross-entropy (nats)", front, lambda point: point.cross_entropy.get(part))


def _against_cost(
    title: str,
    front: Front,
    value_of: Callable[[FrontPoint], float | None],
) -> Chart:
    series = []
    for name, own in (("front", front.points), ("reference", front.references)):
        known = [(point, value) for point in own if (value := value_of(point)) is not None]
        series.append(
            Series(
                name,
                [point.cost for point, _ in known],
                [value for _, value in known],
                "marks",
                look="reference" if name == "reference" else "plain",
                hover=[point.label for point, _ in known],
            )
        )
    return Chart(front.cost_label, title, tuple(series))
