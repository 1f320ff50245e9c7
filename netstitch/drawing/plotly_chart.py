"""Charts on a page, by plotly."""

from collections.abc import Sequence
from itertools import pairwise
from textwrap import wrap

import plotly.graph_objects as go

from netstitch.drawing.chart import Bars, Chart, Series
from netstitch.drawing.theme import LINE_ON_PAGE, REFERENCE_ON_PAGE, SHADE_EDGE, style_of

HOVER = 56
"""Letters of a line beside the mouse."""


def interactive(chart: Chart | Bars) -> go.Figure:
    """Return the chart as a figure; its texts are shown as they are, whatever they hold."""
    if isinstance(chart, Bars):
        return _bars(chart)
    figure = go.Figure(layout=_layout(chart.x, chart.y))
    for x, y in chart.regions:
        edge = {"width": 0.7, "dash": "dot", "color": SHADE_EDGE}
        corners = {"x0": 0, "x1": x, "y0": y, "y1": 1}
        shade = _translucent(SHADE_EDGE, 0.13)
        figure.add_shape(type="rect", **corners, fillcolor=shade, line=edge, layer="below")
    marked = {series.name for series in chart.series if series.kind == "marks"}
    named = set()
    for series in chart.series:
        if series.low:
            figure.add_trace(_band(series))
        trace = _trace(series)
        if series.kind == "steps" and series.name in marked:
            trace.hoverinfo = "skip"  # it would hide what its marks say
        trace.legendgroup, trace.showlegend = series.name, series.name not in named
        named.add(series.name)
        figure.add_trace(trace)
    if chart.from_zero:
        figure.update_yaxes(rangemode="tozero")
    if chart.percent:
        figure.update_yaxes(tickformat=".0%")
    if chart.x_range is not None:
        figure.update_xaxes(range=chart.x_range)
    if chart.y_range is not None:
        figure.update_yaxes(range=chart.y_range)
    return figure


def _trace(series: Series) -> go.Scatter:
    modes = {"steps": "lines", "line": "lines+markers", "marks": "markers"}
    lines = series.emphasis in ("guide", "boundary")
    mode = "lines" if lines else modes[series.kind]
    colour = series.colour(REFERENCE_ON_PAGE, LINE_ON_PAGE)
    trace = go.Scatter(
        x=list(series.x),
        y=list(series.y),
        mode=f"{mode}+text" if series.labels else mode,
        name=_plain(series.name),
        visible=True if series.shown else "legendonly",
        line={
            "color": colour,
            "width": {"dotted": 1.0, "thin": 1.0, "boundary": 1.2, "dashed": 1.4}.get(
                series.emphasis, 1.8
            ),
            "shape": "hv" if series.kind == "steps" else "linear",
            "dash": {"guide": "dot", "dotted": "dot", "dashed": "dash"}.get(
                series.emphasis, "solid"
            ),
        },
        marker=_marker(series, colour),
    )
    if lines or series.emphasis == "cloud":
        trace.hoverinfo = "skip"
    if series.labels:
        trace.text = [_plain(text) for text in series.labels]
        trace.textposition, trace.textfont = "bottom center", {"color": colour, "size": 12}
    if series.hover:
        trace.hovertext = [
            "<br>".join(_plain(line) for part in text.split("\n") for line in wrap(part, HOVER))
            for text in series.hover
        ]
        trace.hovertemplate = "%{hovertext}<br>%{x:.4~s}, %{y:.4f}<extra></extra>"
    if series.keys:
        trace.customdata = [[key] for key in series.keys]
    return trace


def _marker(series: Series, colour: str) -> dict[str, object]:
    _, _, symbol = style_of(series.style)
    if series.emphasis == "reference":
        line = {"width": 2.5, "color": colour}
        return {"symbol": "x-thin", "size": 11, "line": line}
    sizes = {"faded": 6, "cloud": 3}
    return {
        "color": colour,
        "symbol": "circle" if series.emphasis == "cloud" else symbol,
        "size": sizes.get(series.emphasis, 8 if series.kind == "marks" else 5),
        "opacity": 0.45 if series.emphasis in sizes else 1.0,
        "line": {"width": 1 if series.kind == "marks" and series.emphasis == "plain" else 0},
    }


def _band(series: Series) -> go.Scatter:
    """Return the area from the low ends there along the high ends back, with corners of steps."""
    around = [*_corners(series.x, series.low), *reversed(_corners(series.x, series.high))]
    return go.Scatter(
        x=[x for x, _ in around],
        y=[y for _, y in around],
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=_translucent(series.colour(REFERENCE_ON_PAGE, LINE_ON_PAGE), 0.2),
        hoverinfo="skip",
        showlegend=False,
    )


def _corners(x: Sequence[float], y: Sequence[float]) -> list[tuple[float, float]]:
    """Return the corners of a line that stays until the next x."""
    found = list(zip(x[:1], y[:1], strict=True))
    for (_, before), (place, after) in pairwise(zip(x, y, strict=True)):
        found += [(place, before), (place, after)]
    return found


def _bars(bars: Bars) -> go.Figure:
    names = list(bars.amounts)[::-1]
    figure = go.Figure(
        go.Bar(
            x=[bars.amounts[name] for name in names],
            y=[_plain(name) for name in names],
            orientation="h",
            marker={"color": style_of(0)[0]},
            hovertemplate="%{y}: %{x:.1f}<extra></extra>",
        ),
        layout=_layout(bars.x, ""),
    )
    return figure.update_layout(height=70 + 45 * max(1, len(names)), showlegend=False)


def _layout(x: str, y: str) -> dict[str, object]:
    """Return the layout that all charts share; the page sets colours of text and lines."""
    axis = {"zeroline": False, "ticks": "outside", "automargin": True}
    return {
        "xaxis": {"title": {"text": x}, "rangemode": "tozero", **axis},
        "yaxis": {"title": {"text": y}, **axis},
        # Above the plot there is room for its buttons, which would else lie over marks.
        "margin": {"l": 10, "r": 10, "t": 34, "b": 10},
        "height": 400,
        "hovermode": "closest",
        # Below the axis, however many rows its names take.
        "legend": {
            "orientation": "h",
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
            "font": {"size": 11},
        },
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }


def _translucent(colour: str, opacity: float) -> str:
    return f"rgba({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))}, {opacity})"


def _plain(text: str) -> str:
    """Return text that plotly, which shows a few tags of HTML, does not take for one."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
