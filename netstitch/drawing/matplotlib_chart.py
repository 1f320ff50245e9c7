"""Charts for papers, by matplotlib."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, PercentFormatter

from netstitch.drawing.chart import Bars, Chart, Series
from netstitch.drawing.print_style import (
    LINE,
    REFERENCE,
    STYLES,
    WIDTHS,
    Columns,
    print_style,
    save_figure,
)

RATIO = 0.72
"""Of height to width in one column; a figure of two is as high as one of one."""
MANY = 40
"""Marks beyond which a line has none, since they would touch."""


def print_chart(chart: Chart | Bars, path: Path, *, columns: Columns = 1) -> None:
    """Write a chart as PNG, PDF or SVG, by the name of its file.

    columns: of a paper's two that it is as wide as.

    Raises DataError for another format, StorageError when the file cannot be written.
    """
    with print_style():
        size = WIDTHS[columns], WIDTHS[1] * RATIO
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        if isinstance(chart, Bars):
            _draw_bars(axes, chart)
        else:
            _draw(axes, chart)
        save_figure(figure, path)


def _draw(axes: Axes, chart: Chart) -> None:
    for series in chart.series:
        if series.shown:
            _draw_series(axes, series)
    axes.set_xlabel(chart.x)
    axes.set_ylabel(chart.y)
    if chart.x_range is not None:
        axes.set_xlim(*chart.x_range)
    if chart.y_range is not None:
        axes.set_ylim(*chart.y_range)
    elif chart.from_zero:
        axes.set_ylim(bottom=0)
    if chart.percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    if max((max(series.x, default=0) for series in chart.series), default=0) >= 1e4:
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    if len(chart.series) > 1:
        axes.legend(frameon=False)


def _draw_series(axes: Axes, series: Series) -> None:
    colour, marker = STYLES[series.style % len(STYLES)]
    if series.reference:
        colour, marker = REFERENCE, "x"
    if series.faint:
        axes.plot(series.x, series.y, color=LINE, linestyle=":", linewidth=1, label=series.name)
        return
    if series.low:
        axes.fill_between(
            series.x, series.low, series.high, step="post", color=colour, alpha=0.2, linewidth=0
        )
    marked = series.kind == "marks" or (series.kind == "line" and len(series.x) <= MANY)
    axes.plot(
        series.x,
        series.y,
        color=colour,
        drawstyle="steps-post" if series.kind == "steps" else "default",
        linestyle="none" if series.kind == "marks" else ":" if series.dotted else "-",
        linewidth=0.8 if series.dotted else 1.2,
        marker=marker if marked else None,
        markersize=3.5,
        label=series.name,
    )


def _draw_bars(axes: Axes, bars: Bars) -> None:
    colour, _ = STYLES[0]
    names = list(bars.amounts)[::-1]
    axes.barh(names, [bars.amounts[name] for name in names], color=colour, height=0.6)
    axes.set_xlabel(bars.x)
