"""Fronts as figures for papers: one run's, and those of several algorithms."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from netstitch.analysis.front import Front
from netstitch.analysis.front_chart import (
    Floor,
    accuracy_floor,
    front_chart,
    fronts_chart,
    splits_of,
    with_limits,
)
from netstitch.drawing.chart import Chart
from netstitch.drawing.theme import Columns
from netstitch.errors import DataError


def front_figure(
    front: Front,
    path: Path | str,
    *,
    title: str | None = None,
    floor: Floor = "tenth",
    columns: Columns | None = None,
) -> None:
    """Write accuracy against cost: validation, and test where it is known; see `front_chart`.

    Args:
        front: What to draw.
        path: Its ending says the format, PNG, PDF or SVG.
        title: Above the panels.
        floor: The least accuracy shown.
        columns: Of a paper's two that the figure is as wide as; in one the panels are stacked.
            None for a size that is good to read on a screen.

    Raises:
        DataError: The front has neither points nor references, or none over the floor.
        StorageError: The file cannot be written.
    """
    # Imported here, since a front is data, and is read where nothing is drawn too.
    from netstitch.drawing.matplotlib_chart import print_panels

    print_panels(_charts(front, floor), Path(path), title=title, columns=columns)


def front_svg(front: Front, *, floor: Floor = "tight") -> str:
    """Return the same as an SVG element, to stand in a page or a notebook."""
    from netstitch.drawing.matplotlib_chart import panels_svg

    return panels_svg(_charts(front, floor))


def fronts_figure(
    fronts: Mapping[str, Sequence[Front]],
    path: Path | str,
    *,
    title: str | None = None,
    floor: Floor = "tight",
) -> None:
    """Write the fronts of some algorithms' runs: validation left, test right; see `fronts_chart`.

    Args:
        fronts: Of each algorithm those of its runs, all of the same reference networks.
        path: Its ending says the format, PNG, PDF or SVG.
        title: Above the panels.
        floor: The least accuracy shown.

    Raises:
        DataError: There is nothing to draw.
        StorageError: The file cannot be written.
    """
    from netstitch.drawing.matplotlib_chart import print_panels

    points = [point for each in fronts.values() for front in each for point in front]
    if not points:
        raise DataError("the fronts hold no networks to draw; search first")
    splits = splits_of(points)
    charts = [fronts_chart(fronts, split) for split in splits]
    references = next(iter(fronts.values()))[0].references
    lowest = accuracy_floor(references or points, splits, floor)
    print_panels(with_limits(charts, lowest), Path(path), title=title)


def _charts(front: Front, floor: Floor) -> list[Chart]:
    if not front.points and not front.references:
        raise DataError("the front holds no networks to draw; search first")
    charts = [front_chart(front, split) for split in front.parts]
    return with_limits(charts, accuracy_floor(front.references or front.points, front.parts, floor))
