"""Charts on a page, by plotly."""

from collections.abc import Sequence
from itertools import pairwise

import plotly.graph_objects as go

from netstitch.drawing.chart import Bars, Chart, Series
from netstitch.drawing.theme import OUTPUTS, REFERENCE, layout, plain

FAINT = "#8a8a8a"


def interactive(chart: Chart | Bars) -> go.Figure:
    """The chart as a figure; its texts are shown as they are, whatever they hold."""
    if isinstance(chart, Bars):
        return _bars(chart)
    figure = go.Figure(layout=layout(chart.x, chart.y))
    for series in chart.series:
        if series.low:
            figure.add_trace(_band(series))
        figure.add_trace(_trace(series))
    if chart.from_zero:
        figure.update_yaxes(rangemode="tozero")
    if chart.percent:
        figure.update_yaxes(tickformat=".0%")
    for axis, limits in (("xaxis", chart.x_range), ("yaxis", chart.y_range)):
        if limits is not None:
            figure.update_layout({axis: {"range": list(limits)}})
    return figure


def _trace(series: Series) -> go.Scatter:
    colour, symbol = OUTPUTS[series.style % len(OUTPUTS)]
    if series.faint:
        colour = FAINT
    if series.reference:
        colour, symbol = REFERENCE, "x"
    lines = series.kind == "steps" or series.faint
    modes = {"steps": "lines", "line": "lines+markers", "marks": "markers"}
    trace = go.Scatter(
        x=list(series.x),
        y=list(series.y),
        mode="lines" if lines else modes[series.kind],
        name=plain(series.name),
        visible=True if series.shown else "legendonly",
        line={
            "color": colour,
            "width": 1.0 if series.dotted else 1.8,
            "shape": "hv" if series.kind == "steps" else "linear",
            "dash": "dot" if series.faint or series.dotted else "solid",
        },
        marker={"color": colour, "symbol": symbol, "size": 7 if series.kind == "marks" else 5},
    )
    if series.faint:
        trace.hoverinfo = "skip"
    if series.told:
        trace.text = [plain(text) for text in series.told]
        trace.hovertemplate = "%{text}<br>%{x:.4~s}, %{y:.4f}"
    return trace


def _band(series: Series) -> go.Scatter:
    """From the low ends there, and along the high ends back; corners where the line has steps."""
    low, high = _corners(series.x, series.low), _corners(series.x, series.high)
    around = [*low, *reversed(high)]
    colour, _ = OUTPUTS[series.style % len(OUTPUTS)]
    return go.Scatter(
        x=[x for x, _ in around],
        y=[y for _, y in around],
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=f"rgba({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))}, 0.2)",
        hoverinfo="skip",
        showlegend=False,
    )


def _corners(x: Sequence[float], y: Sequence[float]) -> list[tuple[float, float]]:
    """A line that stays until the next x, as places one after another."""
    found = list(zip(x[:1], y[:1], strict=True))
    for (_, before), (place, after) in pairwise(zip(x, y, strict=True)):
        found += [(place, before), (place, after)]
    return found


def _bars(bars: Bars) -> go.Figure:
    colour, _ = OUTPUTS[0]
    names = list(bars.amounts)[::-1]
    figure = go.Figure(
        go.Bar(
            x=[bars.amounts[name] for name in names],
            y=[plain(name) for name in names],
            orientation="h",
            marker={"color": colour},
            hovertemplate="%{y}: %{x:.1f}<extra></extra>",
        ),
        layout=layout(bars.x, ""),
    )
    return figure.update_layout(height=70 + 45 * max(1, len(names)), showlegend=False)
