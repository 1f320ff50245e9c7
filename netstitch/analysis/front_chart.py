"""Fronts as charts, after the paper's Figures 4 and 5 (section 8)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from netstitch.analysis.dominance import nondominated
from netstitch.analysis.front_point import MeasuredPoint, Split
from netstitch.drawing.chart import Chart, Series
from netstitch.errors import DataError
from netstitch.text import counted

Floor = float | Literal["tenth", "tight"]
"""The least accuracy that is shown.

"tenth": that of the worst reference, rounded down to a multiple of 0.1 (the paper's section 7).
"tight": just under the references and the front near them.
"""

BEYOND = 1.12
"""The front's boundary ends at so many times the greatest cost."""

Cloud = Sequence[tuple[float, float]]
"""Costs and accuracies of other networks that were evaluated."""


FELL_OFF = "fell off this front"
"""Points of a front that others of it dominate on the samples that are shown."""


def front_chart(
    points: Sequence[MeasuredPoint],
    kept: Sequence[MeasuredPoint],
    references: Sequence[MeasuredPoint],
    split: Split,
    axes: tuple[str, str],
    words: Mapping[str, str] | None = None,
    cloud: Cloud = (),
) -> Chart:
    """Return accuracy against cost on the samples of a split.

    The line is the boundary of what the front dominates. On test samples the front among the same
    networks is determined anew, and the networks that fell off it are faded. Reference networks are
    crosses; the shaded regions are where a network dominates one of them.

    Args:
        points: Of the front.
        kept: Those of them that none dominates on these samples.
        references: Of the front; there are some where there are no points.
        split: Of the samples.
        axes: Titles of cost and accuracy.
        words: What each network is made of, by label.
        cloud: Other networks, drawn behind the front.
    """
    right = BEYOND * max((p.cost for p in (*points, *references)), default=1)
    series = [*cloud_series(cloud), boundary("front", points, split, right)]
    outputs = dict.fromkeys(point.output for point in (*references, *points))
    fallen = [point for point in points if point not in kept]
    for index, output in enumerate(outputs):
        name = f"output: {output}" if output else "network"
        own = [point for point in kept if point.output == output]
        series.append(replace(marks(name, own, split, words), style=index))
        own = [point for point in fallen if point.output == output]
        fell = marks(FELL_OFF, own, split, words)
        series.append(replace(fell, style=index, emphasis="faded"))
    return among_references(series, references, split, axes, words)


def fronts_chart(
    fronts: Mapping[str, Sequence[Sequence[MeasuredPoint]]],
    references: Sequence[MeasuredPoint],
    split: Split,
    axes: tuple[str, str],
    plain: tuple[str, Sequence[Sequence[MeasuredPoint]]] = ("", ()),
) -> Chart:
    """Return the fronts of several algorithms' runs on the samples of a split.

    Each run has the boundary of what its front dominates, in its algorithm's colour, and a mark for
    each point, also for those that fell off the front on these samples. References, those of all
    fronts, and regions are as in `front_chart`; axes are the titles of cost and accuracy.

    `plain` are a name and sets of points that there are without a search; each has a dashed line
    that bounds what they dominate together with the references.
    """
    runs = [(index, name, front) for index, name in enumerate(fronts) for front in fronts[name]]
    others, beside = plain
    known = (*(points for *_, points in runs), *beside)
    everything = (*references, *(point for points in known for point in points))
    right = BEYOND * max((point.cost for point in everything), default=1)
    series = []
    for index, name, points in runs:
        told = f"{name} ({counted(len(fronts[name]), 'run')})"
        own = marks(told, points, split)
        series.append(replace(own, style=index, emphasis="faded"))
        line = boundary(told, points, split, right)
        series.append(replace(line, style=index, emphasis="thin"))
    for points in beside:
        own = marks(others, points, split)
        series.append(replace(own, style=len(fronts), emphasis="faded"))
        line = boundary(others, [*references, *points], split, right)
        series.append(replace(line, style=len(fronts), emphasis="dashed"))
    return among_references(series, references, split, axes)


def among_references(
    series: Sequence[Series],
    references: Sequence[MeasuredPoint],
    split: Split,
    axes: tuple[str, str],
    words: Mapping[str, str] | None = None,
) -> Chart:
    """Return a chart of the series that are not empty, and of references with their regions."""
    drawn = (*series, _references(references, split, words))
    return Chart(
        *axes,
        tuple(each for each in drawn if len(each.x)),
        from_zero=False,
        title=split.capitalize(),
        regions=tuple(_places(references, split)),
        region="dominates a reference",
    )


def with_limits(charts: Sequence[Chart], floor: float) -> list[Chart]:
    """Return charts with common ranges, around all marks from an accuracy on.

    Raises:
        DataError: No network is that accurate.
    """
    seen = [
        (x, y)
        for chart in charts
        for series in chart.series
        if series.kind == "marks"
        for x, y in zip(series.x, series.y, strict=True)
        if y >= floor
    ]
    if not seen:
        raise DataError(
            f"no network has an accuracy of {floor:g} or more; lower the figure's floor"
        )
    least, most = min(x for x, _ in seen), max(x for x, _ in seen)
    highest = max(y for _, y in seen)
    margin = 0.06 * (most - least) or 0.1 * most or 1.0
    # Marks on the floor itself would be cut in half.
    height = max(highest - floor, 0.002)
    # To the right there is room for the names of the dearest, of which a half stands there.
    x_range = max(0.0, least - margin), most + 2 * margin
    y_range = floor - 0.02 * height, min(highest + 0.1 * height, 1 + 0.02 * height)
    return [replace(chart, x_range=x_range, y_range=y_range) for chart in charts]


def accuracy_floor(base: Sequence[MeasuredPoint], splits: Sequence[Split], floor: Floor) -> float:
    """Return the least accuracy that is shown, by that of base networks, the references mostly.

    Raises:
        DataError: The floor is neither a number nor one of the words.
    """
    if isinstance(floor, int | float):
        return float(floor)
    known = _accuracies(base, splits)
    if floor == "tenth":
        return tenth_below(min(known))
    if floor != "tight":
        raise DataError(f"floor {floor!r} is not known; give 'tenth', 'tight' or an accuracy")
    return max(0.0, min(known) - 0.5 * max(0.005, max(known) - min(known)))


def worst_accuracy(base: Sequence[MeasuredPoint], splits: Sequence[Split]) -> float:
    """Return the least accuracy of base networks on any of the splits."""
    return min(_accuracies(base, splits))


def tenth_below(accuracy: float) -> float:
    """Return an accuracy rounded down to a multiple of 0.1, as the paper's section 7 does."""
    return math.floor(accuracy * 10 + 1e-9) / 10


def _accuracies(base: Sequence[MeasuredPoint], splits: Sequence[Split]) -> list[float]:
    return [a for point in base for split in splits if (a := point.accuracy(split)) is not None]


def cloud_series(cloud: Cloud) -> list[Series]:
    """Return the background of networks that were evaluated; nothing where there are none."""
    if not len(cloud):
        return []
    costs, accuracies = zip(*cloud, strict=True)
    return [Series("evaluated", costs, accuracies, "marks", emphasis="cloud")]


def boundary(name: str, points: Sequence[MeasuredPoint], split: Split, right: float) -> Series:
    """Return the grey line that bounds what points dominate, up to a cost."""
    known = [point for point in points if point.accuracy(split) is not None]
    places = _places(nondominated(known, split), split)
    x, y = _columns([*places, *((right, accuracy) for _, accuracy in places[-1:])])
    return Series(name, x, y, "steps", emphasis="boundary")


def _references(
    points: Sequence[MeasuredPoint], split: Split, words: Mapping[str, str] | None = None
) -> Series:
    labels = [point.label for point in points if point.accuracy(split) is not None]
    return replace(marks("reference", points, split, words), emphasis="reference", labels=labels)


def marks(
    name: str, points: Sequence[MeasuredPoint], split: Split, words: Mapping[str, str] | None = None
) -> Series:
    """Return a mark for each point that was measured there, with what it is made of in words."""
    known = [point for point in points if point.accuracy(split) is not None]
    x, y = _columns(_places(known, split))
    if words is None:
        return Series(name, x, y, "marks")
    hover = [f"{point.label}\n{words.get(point.label, point.output)}" for point in known]
    return Series(name, x, y, "marks", hover=hover, keys=[point.label for point in known])


def _places(points: Sequence[MeasuredPoint], split: Split) -> list[tuple[float, float]]:
    pairs = [(point.cost_on(split), point.accuracy(split)) for point in points]
    return [(cost, accuracy) for cost, accuracy in pairs if accuracy is not None]


def _columns(places: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in places], [y for _, y in places]
