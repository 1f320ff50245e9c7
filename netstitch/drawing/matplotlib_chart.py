"""Charts for papers, by matplotlib: alone, or as panels that share their axes."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from netstitch.drawing.chart import Bars, Chart, Series
from netstitch.drawing.mark_labels import place_labels
from netstitch.drawing.print_style import DOTS_PER_INCH, print_style, save_figure, svg_of
from netstitch.drawing.theme import LINE, REFERENCE, SHADE, SHADE_EDGE, WIDTHS, Columns, style_of
from netstitch.text import unit_and_scale

RATIO = 0.72
"""The ratio of height to width in one column; a chart of two columns is as high as one of one."""
FEW_NAMES = 3
"""Names that a legend has room for beside what is drawn; more stand below."""
MANY = 40
"""Marks beyond which a line has none, since they would touch."""


def print_chart(chart: Chart | Bars, path: Path, *, columns: Columns = 1) -> None:
    """Write a chart as PNG, PDF or SVG, as wide as so many of a paper's two columns.

    Raises:
        DataError: The file's name ends in no known format.
        StorageError: The file cannot be written.
    """
    with print_style():
        size = WIDTHS[columns], WIDTHS[1] * RATIO
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        if isinstance(chart, Bars):
            _draw_bars(axes, chart)
        else:
            _draw(axes, chart, _scale_of([chart]))
            handles = _handles([chart])
            if len(handles) > FEW_NAMES:
                _legend_below(figure, handles, 7.0)
            elif len(chart.series) > 1:
                axes.legend(handles=handles, frameon=False)
        save_figure(figure, path)


def print_panels(
    charts: Sequence[Chart], path: Path, *, title: str | None = None, columns: Columns | None = None
) -> None:
    """Write charts side by side with common axes and one legend; in one column they are stacked.

    Charts have the same ranges, and titles that tell them apart; without columns the size is one
    that is good to read on a screen. Raises what `print_chart` does.
    """
    with print_style(columns is not None):
        save_figure(_panels(charts, title, columns), path)


def panels_svg(charts: Sequence[Chart]) -> str:
    """Return the same panels as an SVG element, to stand in a page or a notebook."""
    with print_style(paper=False):
        return svg_of(_panels(charts, None, None))


def _panels(charts: Sequence[Chart], title: str | None, columns: Columns | None) -> Figure:
    stacked, count = columns == 1, len(charts)
    size = (1.2 + 4.3 * count, 4.3)
    if columns is not None:
        size = (WIDTHS[columns], 0.5 + 2.3 * count if stacked else 3.0)
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    rows, across = (count, 1) if stacked else (1, count)
    grid = figure.subplots(rows, across, sharex=True, sharey=True, squeeze=False)
    panels: list[tuple[Axes, Chart]] = list(zip(grid.flat, charts, strict=True))
    scale = _scale_of(charts)
    for axes, chart in panels:
        _draw(axes, chart, scale)
        axes.set_title(chart.title, fontsize=11 if columns is None else None)
        axes.xaxis.set_major_locator(MaxNLocator(7 if count < 3 or stacked else 4))
        axes.spines[["top", "right"]].set_visible(False)
        if stacked and chart is not charts[-1]:
            axes.set_xlabel("")
        if not stacked and chart is not charts[0]:
            axes.set_ylabel("")
    if title is not None:
        figure.suptitle(title, fontsize=12 if columns is None else 9)
    handles = _handles(charts)
    _legend_below(figure, handles, 8.5 if columns is None else 7.0)
    # Positions are final only after a first drawing, and labels need them.
    canvas.draw()  # type: ignore[no-untyped-call]
    figure.set_layout_engine("none")
    for axes, chart in panels:
        _label(axes, canvas, chart, scale)
    return figure


def _draw(axes: Axes, chart: Chart, scale: tuple[str, float]) -> None:
    unit, divisor = scale
    if chart.x_range is not None:
        axes.set_xlim(*(limit / divisor for limit in chart.x_range))
    if chart.y_range is not None:
        axes.set_ylim(*chart.y_range)
    _shade(axes, chart, divisor)
    for series in chart.series:
        if series.shown:
            _draw_series(axes, series, divisor)
    if chart.y_range is None and chart.from_zero:
        axes.set_ylim(bottom=0)
    axes.set_xlabel(f"{chart.x} ({unit})" if unit else chart.x)
    axes.set_ylabel(chart.y)
    if chart.percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _shade(axes: Axes, chart: Chart, divisor: float) -> None:
    """Shade regions opaquely, so that overlaps are not darker; their edges tell them apart."""
    left, top = axes.get_xlim()[0], axes.get_ylim()[1]
    for x, y in ((x / divisor, y) for x, y in chart.regions):
        region = (left, y), x - left, top - y
        axes.add_patch(Rectangle(*region, facecolor=SHADE, edgecolor="none", zorder=0))
        axes.plot(
            [left, x, x], [y, y, top], color=SHADE_EDGE, linewidth=0.7, linestyle=":", zorder=0.5
        )


def _draw_series(axes: Axes, series: Series, divisor: float) -> None:
    x = np.asarray(series.x, float) / divisor
    if series.low:
        colour = series.colour(REFERENCE, LINE)
        axes.fill_between(
            x, series.low, series.high, step="post", color=colour, alpha=0.2, linewidth=0
        )
    steps = "steps-post" if series.kind == "steps" else "default"
    (line,) = axes.plot(x, series.y, drawstyle=steps)
    _style(line, series)


def _style(line: Line2D, series: Series) -> None:
    """Give a line of a chart, or of its legend, the emphasis of a series."""
    colour = series.colour(REFERENCE, LINE)
    line.set(color=colour, label=series.name, linewidth=1.2, linestyle="-")
    if series.emphasis == "dashed":
        line.set(linestyle="--", linewidth=1.1)
    if series.emphasis in ("dotted", "guide"):
        line.set(linestyle=":", linewidth=0.8 if series.emphasis == "dotted" else 1.0)
    if series.emphasis == "thin":
        line.set(linewidth=0.8, alpha=0.8)
    if series.emphasis in ("guide", "boundary"):
        return
    if series.kind == "marks" or (series.kind == "line" and len(series.x) <= MANY):
        line.set(marker=style_of(series.style)[1], markersize=3.5)
    if series.kind == "marks":
        line.set(linestyle="none", markersize=5.2, zorder=3)
        line.set(markeredgecolor="white", markeredgewidth=0.5)
    if series.emphasis == "reference":
        line.set(marker="x", markersize=8, markeredgewidth=2, markeredgecolor=colour, zorder=4)
    if series.emphasis in ("faded", "cloud"):
        size = 3.6 if series.emphasis == "faded" else 1.5
        line.set(markersize=size, alpha=0.5, markeredgewidth=0, zorder=1.5)


def _handles(charts: Sequence[Chart]) -> list[Line2D | Patch]:
    """Return the entries of the legend: each name once, with a shaded region's at the end."""
    named: dict[str, list[Series]] = {}
    for series in (s for chart in charts for s in chart.series if s.shown and len(s.x)):
        named.setdefault(series.name, []).append(series)
    handles: list[Line2D | Patch] = []
    for own in named.values():
        line = Line2D([], [])
        # A line keeps the marks that stand on it, which are told of first.
        for series in sorted(own, key=lambda one: one.kind != "marks"):
            _style(line, series)
        handles.append(line)
    regions = dict.fromkeys(chart.region for chart in charts if chart.regions)
    handles += [
        Patch(facecolor=SHADE, edgecolor=SHADE_EDGE, linestyle=":", label=name) for name in regions
    ]
    return handles


def _legend_below(figure: Figure, handles: Sequence[Line2D | Patch], points: float) -> None:
    """Write the legend below what is drawn, which has less height then."""
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=_legend_columns(handles, 130 * figure.get_figwidth() / points),
        frameon=False,
        fontsize=points,
        columnspacing=1.2,
        handletextpad=0.4,
    )


def _legend_columns(handles: Sequence[Line2D | Patch], letters: float) -> int:
    """Return the number of columns with the fewest rows in a width of so many letters."""
    widths = [len(str(handle.get_label())) + 6 for handle in handles]
    for rows in range(1, len(widths)):
        columns = [widths[start : start + rows] for start in range(0, len(widths), rows)]
        if sum(map(max, columns)) <= letters:
            return len(columns)
    return 1


def _label(axes: Axes, canvas: FigureCanvasAgg, chart: Chart, scale: tuple[str, float]) -> None:
    """Write labels beside their marks, clear of all marks and of boundaries."""
    _, divisor = scale
    bottom, top = axes.get_ylim()
    marks, labels = [], []
    for series in chart.series:
        at = [(x / divisor, y) for x, y in zip(series.x, series.y, strict=True)]
        if series.kind == "steps":
            marks += _along(at)
        marks += [each for each in at if series.kind == "marks" and bottom <= each[1] <= top]
        names = zip(series.labels, at, strict=False)
        labels += [(name, *each) for name, each in names if bottom <= each[1] <= top]
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    place_labels(axes, renderer, labels, avoid=marks, colour=REFERENCE)


def _along(steps: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return places on a line of steps, close enough that no label fits between them."""
    found = []
    for (x0, y0), (x1, y1) in itertools.pairwise(steps):
        shares = np.linspace(0, 1, 30).tolist()
        found += [(x0 + share * (x1 - x0), y0) for share in shares]
        found += [(x1, y0 + share * (y1 - y0)) for share in shares]
    return found


def _draw_bars(axes: Axes, bars: Bars) -> None:
    names = list(bars.amounts)[::-1]
    axes.barh(names, [bars.amounts[name] for name in names], color=style_of(0)[0], height=0.6)
    axes.set_xlabel(bars.x)


def _scale_of(charts: Sequence[Chart]) -> tuple[str, float]:
    """Return the unit that all charts' x values are short in, and its divisor."""
    most = max((x for chart in charts for series in chart.series for x in series.x), default=0.0)
    return unit_and_scale(int(most)) if most >= 1e4 else ("", 1.0)
