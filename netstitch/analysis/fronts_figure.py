"""What several algorithms found, in one figure."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from netstitch.analysis.dominance import SPLITS, Split, nondominated
from netstitch.analysis.front import Front, FrontPoint
from netstitch.drawing.print_style import DOTS_PER_INCH, REFERENCE, STYLES, save_figure, unit_of
from netstitch.errors import DataError


def fronts_figure(
    fronts: Mapping[str, Sequence[Front]],
    path: Path | str,
    *,
    title: str | None = None,
    floor: float | Literal["tight"] = "tight",
) -> None:
    """Write a PNG of the fronts of some algorithms' runs: validation left, test right.

    fronts: of each algorithm those of its runs, all of the same reference networks, which are
        crosses. Dots are the networks of all runs, lines the front of each algorithm's together.
    floor: the least accuracy shown; "tight" is just under the worst reference network.

    Raises DataError where there is nothing to draw, StorageError when the file cannot be written.
    """
    everything = [point for each in fronts.values() for front in each for point in front]
    if not everything:
        raise DataError("the fronts hold no networks to draw; search first")
    references = next(iter(fronts.values()))[0].references
    parts = [p for p in SPLITS if any(point.accuracy(p) is not None for point in everything)]
    figure = Figure(figsize=(1.2 + 4.3 * len(parts), 4.3), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(1, len(parts), sharex=True, sharey=True, squeeze=False)
    known = [a for one in references for part in parts if (a := one.accuracy(part)) is not None]
    lowest = floor if isinstance(floor, int | float) else min(known, default=0.0) - 0.02
    shown = [*everything, *references]
    unit, scale = unit_of(max(p.multiply_adds for p in shown))
    for axes, part in zip(grid[0], parts, strict=True):
        for (colour, marker), each in zip(_styles(len(fronts)), fronts.values(), strict=True):
            _draw(axes, [p for front in each for p in front], part, scale, lowest, colour, marker)
        axes.plot(
            *_places(references, part, scale, lowest),
            linestyle="none",
            marker="x",
            markersize=8,
            markeredgewidth=2,
            color=REFERENCE,
            zorder=4,
        )
        axes.set_title(part.capitalize(), fontsize=11)
        axes.set_xlabel(f"multiply-adds per sample{unit}")
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_ylim(bottom=lowest)
    grid[0][0].set_ylabel(next(iter(fronts.values()))[0].measure)
    if title is not None:
        figure.suptitle(title, fontsize=12)
    handles = [
        Line2D([], [], color=colour, marker=marker, markersize=4, label=f"{name}, {len(each)} runs")
        for (colour, marker), (name, each) in zip(_styles(len(fronts)), fronts.items(), strict=True)
    ]
    handles.append(Line2D([], [], linestyle="none", marker="x", color=REFERENCE, label="reference"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=8.5)
    save_figure(figure, Path(path))


def _styles(count: int) -> list[tuple[str, str]]:
    return [STYLES[index % len(STYLES)] for index in range(count)]


def _places(
    points: Sequence[FrontPoint], part: Split, scale: float, lowest: float
) -> tuple[list[float], list[float]]:
    at = [(p.multiply_adds / scale, p.accuracy(part)) for p in points]
    seen = [(x, y) for x, y in at if y is not None and not math.isnan(y) and y >= lowest]
    return [x for x, _ in seen], [y for _, y in seen]


def _draw(
    axes: Axes,
    points: Sequence[FrontPoint],
    part: Split,
    scale: float,
    lowest: float,
    colour: str,
    marker: str,
) -> None:
    x, y = _places(points, part, scale, lowest)
    axes.plot(
        x, y, linestyle="none", marker=marker, markersize=3.2, color=colour, alpha=0.35, zorder=2
    )
    known = tuple(point for point in points if point.accuracy(part) is not None)
    x, y = _places(nondominated(known, part), part, scale, lowest)
    axes.plot(x, y, color=colour, linewidth=1.2, drawstyle="steps-post", zorder=3)
