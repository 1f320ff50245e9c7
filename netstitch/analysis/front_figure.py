"""Fronts as figures for papers: one run's, and those of several algorithms."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from netstitch.analysis.front import Front
from netstitch.analysis.front_chart import Floor, accuracy_floor, fronts_chart, with_limits
from netstitch.analysis.front_point import MeasuredPoint, parts_of
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

    print_panels(front.charts(floor), Path(path), title=title, columns=columns)


def fronts_figure(
    fronts: Mapping[str, Sequence[Front]],
    path: Path,
    *,
    title: str | None = None,
    floor: Floor = "tenth",
    columns: Columns | None = None,
) -> None:
    """Write the fronts of some algorithms' runs: validation left, test right; see `fronts_charts`.

    Other arguments, and errors, are as of `front_figure`.
    """
    from netstitch.drawing.matplotlib_chart import print_panels

    print_panels(fronts_charts(fronts, floor), path, title=title, columns=columns)


def fronts_charts(fronts: Mapping[str, Sequence[Front]], floor: Floor = "tenth") -> list[Chart]:
    """Return a `fronts_chart` for each part of the data that all runs were measured on.

    Cascades of an algorithm are fronts of their own, in another colour. Plain cascades are drawn
    once where those of several runs are the same.

    Raises:
        DataError: There is nothing to draw, or nothing over the floor.
    """
    runs = [front for each in fronts.values() for front in each]
    points = [point for front in runs for point in front]
    if not points:
        raise DataError("the fronts hold no networks to draw; search first")
    told = max(runs, key=lambda front: len(front.references))  # of a stopped run, none may be
    parts = [part for part in parts_of(points) if all(part in front.parts for front in runs)]
    kinds: dict[str, list[Sequence[MeasuredPoint]]] = {}
    for name, each in fronts.items():
        kinds[name] = [front.points for front in each]
        if any(front.cascades for front in each):
            kinds[f"{name}, cascades"] = [front.cascades for front in each]
    mean = "mean " if any(front.has_cascades for front in runs) else ""
    axes = f"{mean}{told.cost_label}", told.measure
    plain: list[Sequence[MeasuredPoint]] = []
    for front in runs:
        if front.plain_cascades and front.plain_cascades not in plain:
            plain.append(front.plain_cascades)
    beside = plain_name(runs), plain
    charts = [fronts_chart(kinds, told.references, part, axes, beside) for part in parts]
    return with_limits(charts, accuracy_floor(told.references or points, parts, floor))


def plain_name(fronts: Sequence[Front]) -> str:
    """Return the name of the plain cascades of fronts, which says whether exits are among them."""
    exits = any(one.exits for front in fronts for one in front.plain_cascades)
    return "plain cascades with exits" if exits else "plain cascades"
