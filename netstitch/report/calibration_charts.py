"""Whether networks are right as often as they say, as interactive charts."""

from collections.abc import Sequence

import plotly.graph_objects as go

from netstitch.analysis import FrontPoint
from netstitch.analysis.figure import Part
from netstitch.report.style import OUTPUTS, REFERENCE, layout, plain

LISTED = 40
"""Networks of the front whose diagrams can be shown; the legend has no room for more."""


def reliability_chart(
    references: Sequence[FrontPoint], points: Sequence[FrontPoint], part: Part
) -> go.Figure:
    """Accuracy by confidence, a line for each network; those of the front wait in the legend."""
    figure = go.Figure(layout=layout("confidence in the predicted class", "share that is right"))
    figure.add_trace(
        go.Scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            name="as often as it says",
            line={"dash": "dot", "color": "#8a8a8a", "width": 1.5},
            hoverinfo="skip",
        )
    )
    step = max(1, -(-len(points) // LISTED))
    stitched = [point for point in points if point.stitches][::step]
    shown = [*references, *stitched]
    for index, point in enumerate(shown):
        calibration = point.calibration.get(part)
        if calibration is None:
            continue
        confidences, shares, counts = zip(*calibration.diagram, strict=True)
        colour, symbol = OUTPUTS[index % len(OUTPUTS)]
        # References, and one of the front, are shown from the start.
        first = index <= len(references)
        figure.add_trace(
            go.Scatter(
                x=confidences,
                y=shares,
                mode="lines+markers",
                name=plain(f"{point.label}, error {calibration.error:.3f}"),
                visible=True if first else "legendonly",
                line={"color": colour, "width": 1.8},
                marker={"color": colour, "symbol": symbol, "size": 6},
                customdata=counts,
                hovertemplate=(
                    "confidence %{x:.3f}<br>right %{y:.3f}<br>%{customdata:,} predictions"
                ),
            )
        )
    figure.update_yaxes(range=[0, 1.02])
    figure.update_xaxes(range=[0, 1.02])
    return figure


def calibration_chart(
    references: Sequence[FrontPoint], points: Sequence[FrontPoint], part: Part
) -> go.Figure:
    """The expected calibration error against multiply-adds."""
    figure = go.Figure(layout=layout("multiply-adds of one sample", "expected calibration error"))
    colour, _ = OUTPUTS[0]
    groups = (("front", points, colour, "circle"), ("reference", references, REFERENCE, "x"))
    for name, own, paint, symbol in groups:
        known = [point for point in own if part in point.calibration]
        figure.add_trace(
            go.Scatter(
                x=[point.multiply_adds for point in known],
                y=[point.calibration[part].error for point in known],
                mode="markers",
                name=name,
                marker={"color": paint, "symbol": symbol, "size": 9},
                text=[plain(point.label) for point in known],
                hovertemplate="%{text}<br>%{x:.4s} multiply-adds, error %{y:.4f}<extra></extra>",
            )
        )
    figure.update_yaxes(rangemode="tozero")
    return figure
