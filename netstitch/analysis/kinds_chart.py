"""Networks, cascades and plain cascades in one chart, each kind with a line of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from netstitch.analysis.front_chart import (
    BEYOND,
    FELL_OFF,
    Cloud,
    among_references,
    boundary,
    cloud_series,
    marks,
)
from netstitch.analysis.front_point import MeasuredPoint, Split
from netstitch.drawing.chart import Chart, Series


@dataclass(frozen=True)
class PointKind:
    """Points of one kind, as they are drawn.

    Attributes:
        name: In the legend.
        points: In any order.
        kept: Those of them that none of them dominates on the samples of the chart.
        style: Index of a colour and shape.
        line: Of the boundary; dashed for what there is to compare with, whose marks are faded.
        apart: A name, and points among these with marks of their own, in the next style.
        beside: Points that are marked elsewhere, and that the line counts in.
    """

    name: str
    points: Sequence[MeasuredPoint]
    kept: Sequence[MeasuredPoint]
    style: int
    line: Literal["plain", "dashed"] = "plain"
    apart: tuple[str, Sequence[MeasuredPoint]] = ("", ())
    beside: Sequence[MeasuredPoint] = ()


def kinds_chart(
    kinds: Sequence[PointKind],
    references: Sequence[MeasuredPoint],
    split: Split,
    axes: tuple[str, str],
    words: Mapping[str, str] | None = None,
    cloud: Cloud = (),
) -> Chart:
    """Return accuracy against mean cost on the samples of a split.

    Each kind has marks, and the boundary of what it dominates with those beside it. Other
    arguments, and what is drawn of references, are as of `front_chart`.
    """
    everything = [*references, *(point for kind in kinds for point in kind.points)]
    right = BEYOND * max((point.cost_on(split) for point in everything), default=1)
    series = cloud_series(cloud)
    for kind in kinds:
        line = boundary(kind.name, [*kind.points, *kind.beside], split, right)
        series.append(replace(line, style=kind.style, emphasis=kind.line))
        series += _marks(kind, split, words)
    return among_references(series, references, split, axes, words)


def _marks(kind: PointKind, split: Split, words: Mapping[str, str] | None) -> list[Series]:
    if kind.line == "dashed":
        found = marks(kind.name, kind.points, split, words)
        return [replace(found, style=kind.style, emphasis="faded")]
    other, apart = kind.apart
    kept = [point for point in kind.kept if point not in apart]
    fallen = [point for point in kind.points if point not in kind.kept]
    own = [point for point in kind.kept if point in apart]
    return [
        replace(marks(kind.name, kept, split, words), style=kind.style),
        replace(marks(other, own, split, words), style=kind.style + 1),
        replace(marks(FELL_OFF, fallen, split, words), style=kind.style, emphasis="faded"),
    ]
