"""The front as an interactive chart, one for each part of the data (Figures 4 and 5)."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import plotly.graph_objects as go

from netstitch.analysis import Front, FrontPoint, nondominated
from netstitch.analysis.dominance import Split
from netstitch.drawing.theme import OUTPUTS, REFERENCE, SHADE, layout, plain
from netstitch.evaluation.stored_evaluations import StoredEvaluations

CLOUD, FINEST = 1_000, 400
"""Of the evaluated networks so many marks are drawn at most, one of each cell of a grid that is as
fine as that allows; browsers take a second for ten thousand."""


def front_chart(
    front: Front, part: Split, words: Mapping[str, str], cloud: np.ndarray | None = None
) -> go.Figure:
    """Accuracy against multiply-adds; the networks that fell off the front on test are faint.

    words: what each network is made of, by label. cloud: (n, 2) multiply-adds and accuracies of
    other networks that were evaluated.
    """
    figure = go.Figure(layout=layout("multiply-adds of one sample", front.measure))
    if cloud is not None and len(cloud):
        figure.add_trace(
            go.Scatter(
                x=cloud[:, 0],
                y=cloud[:, 1],
                mode="markers",
                name="evaluated",
                marker={"size": 3, "color": "#8a8a8a", "opacity": 0.45},
                hoverinfo="skip",
            )
        )
    _shade(figure, front.references, part)
    kept, line = front.leading(part), nondominated(front.points, part)
    figure.add_trace(
        go.Scatter(
            x=[point.multiply_adds for point in line],
            y=[point.accuracy(part) for point in line],
            mode="lines",
            line={"shape": "hv", "width": 1.2, "color": "#7a7a7a"},
            name="front",
            hoverinfo="skip",
        )
    )
    outputs = dict.fromkeys(point.output for point in (*front.references, *front.points))
    for index, output in enumerate(outputs):
        colour, symbol = OUTPUTS[index % len(OUTPUTS)]
        for points, faint in ((kept, False), ([p for p in front if p not in kept], True)):
            own = [p for p in points if p.output == output and p.accuracy(part) is not None]
            if own:
                name = f"{plain(output) or 'network'}{', not on this front' if faint else ''}"
                trace = _marks(own, part, words, name)
                trace.marker = {
                    "size": 6 if faint else 9,
                    "color": colour,
                    "symbol": symbol,
                    "opacity": 0.45 if faint else 1.0,
                    "line": {"width": 0 if faint else 1, "color": "#ffffff"},
                }
                figure.add_trace(trace)
    known = [point for point in front.references if point.accuracy(part) is not None]
    if known:
        trace = _marks(known, part, words, "reference")
        trace.mode, trace.text = "markers+text", [plain(point.label) for point in known]
        trace.textposition = "bottom center"
        trace.textfont = {"color": REFERENCE, "size": 12}
        trace.marker = {"symbol": "x-thin", "size": 11, "line": {"width": 2.5, "color": REFERENCE}}
        figure.add_trace(trace)
    return figure


def cloud_of(stored: StoredEvaluations | None, ceiling: int) -> np.ndarray:
    """(n, 2) multiply-adds and accuracies of what was evaluated whole, one of each cell.

    ceiling: multiply-adds up to which there are any.
    """
    if stored is None or not len(stored):
        return np.zeros((0, 2))
    whole = ~stored.bounded & ~np.isnan(stored.accuracy)
    pairs = np.column_stack([stored.multiply_adds[whole], stored.accuracy[whole]]).astype(float)
    cells = FINEST
    while True:
        grid = np.floor(pairs / [max(1, ceiling), 1.0] * cells)
        _, first = np.unique(grid, axis=0, return_index=True)
        if len(first) <= CLOUD:
            return np.asarray(pairs[np.sort(first)])
        cells = cells * 4 // 5


def _shade(figure: go.Figure, references: Sequence[FrontPoint], part: Split) -> None:
    """Where a network dominates a reference: it costs no more, and is as accurate."""
    for point in references:
        accuracy = point.accuracy(part)
        if accuracy is not None:
            figure.add_shape(
                type="rect",
                x0=0,
                x1=point.multiply_adds,
                y0=accuracy,
                y1=1,
                fillcolor=SHADE,
                line={"width": 0.7, "dash": "dot", "color": "#e69f00"},
                layer="below",
            )


def _marks(
    points: Sequence[FrontPoint], part: Split, words: Mapping[str, str], name: str
) -> go.Scatter:
    return go.Scatter(
        x=[point.multiply_adds for point in points],
        y=[point.accuracy(part) for point in points],
        mode="markers",
        name=name,
        customdata=[_told(point, words) for point in points],
        hovertemplate=(
            "<b>%{customdata[0]}</b><br>%{customdata[1]}<br>%{x:.4s} multiply-adds, "
            "%{y:.4f}<extra></extra>"
        ),
    )


def _told(point: FrontPoint, words: Mapping[str, str]) -> list[Any]:
    """The label, and what the network is made of in lines that fit beside the mouse."""
    text = words.get(point.label, point.output)
    return [point.label, "<br>".join(plain(line) for line in wrap(text, 56))]
