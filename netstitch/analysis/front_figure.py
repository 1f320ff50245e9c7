"""The front as a figure for papers, after the paper's Figure 4 (section 8)."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from netstitch.analysis.dominance import Split, nondominated
from netstitch.analysis.front import Front, FrontPoint
from netstitch.drawing.mark_labels import place_labels
from netstitch.drawing.print_style import (
    DOTS_PER_INCH,
    LINE,
    REFERENCE,
    STYLES,
    WIDTHS,
    Columns,
    print_style,
    save_figure,
    svg_of,
    unit_of,
)
from netstitch.errors import DataError

SHADE, SHADE_EDGE = "#FCE9D0", "#E69F00"


def front_figure(
    front: Front,
    path: Path | str,
    *,
    title: str | None = None,
    floor: float | Literal["tenth", "tight"] = "tenth",
    columns: Columns | None = None,
) -> None:
    """Write accuracy against multiply-adds: validation, and test where it is known.

    path: its ending says the format, PNG, PDF or SVG.

    The line is the boundary of what the front dominates; on test, the front among the same networks
    is determined anew, and the networks that fell off it are faint. Reference networks are crosses;
    the shaded regions are where a network dominates one of them.

    floor: the least accuracy shown; "tenth" is that of the worst reference network rounded down to
    a multiple of 0.1 (the paper's section 7), "tight" lies just under the references and the front
    near them.
    columns: of a paper's two that the figure is as wide as; in one the panels are stacked. None for
        a size that is good to read on a screen.

    Raises DataError for a front with neither points nor references, StorageError when the file
    cannot be written.
    """
    parts = _parts(front)
    with print_style(columns is not None):
        save_figure(_drawn(front, parts, title, floor, columns), Path(path))


def front_svg(front: Front, *, floor: float | Literal["tenth", "tight"] = "tight") -> str:
    """The same as an SVG element, to stand in a page or a notebook."""
    with print_style(paper=False):
        return svg_of(_drawn(front, _parts(front), None, floor, None))


def _parts(front: Front) -> list[Split]:
    """What there is to draw; DataError for nothing."""
    shown = (*front.points, *front.references)
    if not shown:
        raise DataError("the front holds no networks to draw; search first")
    return list(front.parts)


def _drawn(
    front: Front,
    parts: Sequence[Split],
    title: str | None,
    floor: float | str,
    columns: Columns | None,
) -> Figure:
    shown = (*front.points, *front.references)
    stacked = columns == 1
    size = (1.2 + 4.3 * len(parts), 4.3)
    if columns is not None:
        size = (WIDTHS[columns], 0.5 + 2.3 * len(parts) if stacked else 3.0)
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    rows, across = (len(parts), 1) if stacked else (1, len(parts))
    grid = figure.subplots(rows, across, sharex=True, sharey=True, squeeze=False)
    panels: list[tuple[Axes, Split]] = list(zip(grid.flat, parts, strict=True))
    lowest = accuracy_floor(front, parts, floor)
    unit, scale = unit_of(max(p.multiply_adds for p in shown))
    _limit(panels[0][0], front, parts, lowest, scale)
    for axes, part in panels:
        _shade(axes, front.references, part, scale)
        _draw_front(axes, front, part, scale, lowest)
        _draw_references(axes, front.references, part, scale)
        axes.set_title(part.capitalize(), fontsize=11 if columns is None else None)
        if not stacked or part == parts[-1]:
            axes.set_xlabel(f"multiply-adds per sample{unit}")
        if stacked:
            axes.set_ylabel(front.measure)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(7 if len(parts) < 3 or stacked else 4))
    panels[0][0].set_ylabel(front.measure)
    if title is not None:
        figure.suptitle(title, fontsize=12 if columns is None else 9)
    handles = _legend(front, len(parts) > 1)
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=_columns(handles, size[0]),
        frameon=False,
        fontsize=8.5 if columns is None else 7,
        columnspacing=1.2,
        handletextpad=0.4,
    )
    # Positions are final only after a first drawing, and labels need them.
    canvas.draw()  # type: ignore[no-untyped-call]
    figure.set_layout_engine("none")
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    for axes, part in panels:
        visible = [p for p in shown if _visible(p, part, lowest)]
        place_labels(
            axes,
            renderer,
            [(p.label, *_at(p, part, scale)) for p in front.references if p in visible],
            avoid=[
                *(_at(point, part, scale) for point in visible),
                *_along(_boundary(axes, front, part, scale)),
            ],
            colour=REFERENCE,
        )
    return figure


def _columns(handles: Sequence[Line2D | Patch], inches: float) -> int:
    """As few rows of the legend as its texts, of known size, leave in the figure's width."""
    width = sum(len(str(handle.get_label())) + 6 for handle in handles)
    rows = math.ceil(width / (15.5 * inches))
    return math.ceil(len(handles) / rows)


def _at(point: FrontPoint, part: Split, scale: float) -> tuple[float, float]:
    accuracy = point.accuracy(part)
    return point.multiply_adds / scale, math.nan if accuracy is None else accuracy


def _visible(point: FrontPoint, part: Split, lowest: float) -> bool:
    accuracy = point.accuracy(part)
    return accuracy is not None and accuracy >= lowest


def accuracy_floor(front: Front, parts: Sequence[Split], floor: float | str) -> float:
    """The least accuracy that is shown; floor: as of `front_figure`."""
    if isinstance(floor, int | float):
        return float(floor)
    base = front.references or front.points
    known = [a for point in base for part in parts if (a := point.accuracy(part)) is not None]
    if floor == "tenth":
        return math.floor(min(known) * 10 + 1e-9) / 10
    if floor != "tight":
        raise DataError(f"floor {floor!r} is not known; give 'tenth', 'tight' or an accuracy")
    spread = max(0.005, max(known) - min(known))
    return max(0.0, min(known) - 0.5 * spread)


def _limit(axes: Axes, front: Front, parts: Sequence[Split], lowest: float, scale: float) -> None:
    """Limits around all that is visible on any panel; the panels share them."""
    points = (*front.points, *front.references)
    seen = [(point, part) for point in points for part in parts if _visible(point, part, lowest)]
    if not seen:
        raise DataError(
            f"no network has an accuracy of {lowest:g} or more; lower the figure's floor"
        )
    costs = [point.multiply_adds / scale for point, _ in seen]
    highest = max(_at(point, part, scale)[1] for point, part in seen)
    margin = 0.06 * (max(costs) - min(costs)) or 0.1 * max(costs) or 1.0
    axes.set_xlim(max(0.0, min(costs) - margin), max(costs) + margin)
    # Marks on the floor itself would be cut in half.
    height = max(highest - lowest, 0.002)
    axes.set_ylim(lowest - 0.02 * height, min(highest + 0.1 * height, 1 + 0.02 * height))


def _shade(axes: Axes, references: Sequence[FrontPoint], part: Split, scale: float) -> None:
    """Opaque, so that regions on top of one another are not darker; edges tell them apart."""
    left, top = axes.get_xlim()[0], axes.get_ylim()[1]
    for point in references:
        x, y = _at(point, part, scale)
        if math.isnan(y):
            continue
        region = (left, y), x - left, top - y
        axes.add_patch(Rectangle(*region, facecolor=SHADE, edgecolor="none", zorder=0))
        axes.plot(
            [left, x, x], [y, y, top], color=SHADE_EDGE, linewidth=0.7, linestyle=":", zorder=0.5
        )


def _draw_front(axes: Axes, front: Front, part: Split, scale: float, lowest: float) -> None:
    kept = front.leading(part)
    boundary = _boundary(axes, front, part, scale)
    axes.plot(
        [x for x, _ in boundary], [y for _, y in boundary], color=LINE, linewidth=1.1, zorder=2
    )
    for output, (colour, marker) in _styles(front).items():
        for points, faint in ((kept, False), ([p for p in front if p not in kept], True)):
            seen = [p for p in points if p.output == output and _visible(p, part, lowest)]
            at = [_at(point, part, scale) for point in seen]
            axes.plot(
                [x for x, _ in at],
                [y for _, y in at],
                linestyle="none",
                marker=marker,
                markersize=3.6 if faint else 5.2,
                color=colour,
                alpha=0.5 if faint else 1.0,
                markeredgecolor="none" if faint else "white",
                markeredgewidth=0.5,
                zorder=1.5 if faint else 3,
            )


def _boundary(axes: Axes, front: Front, part: Split, scale: float) -> list[tuple[float, float]]:
    """Corners of the steps between the front and what it dominates, from left to right."""
    places = [_at(point, part, scale) for point in nondominated(front.points, part)]
    corners = places[:1]
    for (_, lower), (x, y) in itertools.pairwise(places):
        corners += [(x, lower), (x, y)]
    return [*corners, *((axes.get_xlim()[1], y) for _, y in places[-1:])]


def _along(corners: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Places on a line through the corners, close enough that no label fits between them."""
    return [
        (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]))
        for start, end in itertools.pairwise(corners)
        for share in np.linspace(0, 1, 30)
    ]


def _draw_references(
    axes: Axes, references: Sequence[FrontPoint], part: Split, scale: float
) -> None:
    at = [_at(point, part, scale) for point in references]
    axes.plot(
        [x for x, _ in at],
        [y for _, y in at],
        linestyle="none",
        marker="x",
        markersize=8,
        markeredgewidth=2,
        color=REFERENCE,
        zorder=4,
    )


def _styles(front: Front) -> dict[str, tuple[str, str]]:
    """A colour and a marker for each output choice, in the order of the reference networks."""
    outputs = dict.fromkeys(point.output for point in (*front.references, *front.points))
    present = {point.output for point in front.points}
    return {
        output: STYLES[index % len(STYLES)]
        for index, output in enumerate(outputs)
        if output in present
    }


def _legend(front: Front, tested: bool) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=marker,
            color=colour,
            markeredgecolor="white",
            markersize=6,
            label=f"output: {output}" if output else "network",
        )
        for output, (colour, marker) in _styles(front).items()
    ]
    handles.append(Line2D([], [], color=LINE, linewidth=1.1, label="front"))
    if tested and front.points:
        handles.append(
            Line2D(
                [],
                [],
                linestyle="none",
                marker="o",
                markersize=4,
                color=LINE,
                alpha=0.5,
                markeredgecolor="none",
                label="fell off the front there",
            )
        )
    if front.references:
        handles += [
            Line2D(
                [],
                [],
                linestyle="none",
                marker="x",
                markersize=7,
                markeredgewidth=2,
                color=REFERENCE,
                label="reference",
            ),
            Patch(
                facecolor=SHADE, edgecolor=SHADE_EDGE, linestyle=":", label="dominates a reference"
            ),
        ]
    return handles
