"""Charts of one run: hypervolume, stitches in use, known proposals, errors, and calibration."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from netstitch.analysis import Front, FrontPoint
from netstitch.analysis.front_point import Split
from netstitch.analysis.hypervolume import ReferencePoint, hypervolume_course
from netstitch.drawing.chart import Chart, Series
from netstitch.evaluation.stored_evaluations import DeliveredResults, StoredEvaluations
from netstitch.records.run_record import HistoryRow, StitchRow

CLOUD, FINEST = 1_000, 400
"""Marks of a cloud at most, and cells of the grid along each axis at first."""
SHOWN = 4
"""Reference networks whose diagrams are shown beside the ensemble's, so that each can be seen."""
LISTED = 40
"""Networks of the front whose diagrams can be shown; the legend has no room for more."""
USED = "evaluations, known ones counted"


def hypervolume_charts(
    stored: StoredEvaluations, points: Sequence[ReferencePoint]
) -> tuple[Chart, Chart]:
    """Return hypervolume on validation samples, over evaluations and over minutes.

    Each search (population size) has a line over each of the reference points.
    """
    over_count: list[Series] = []
    over_time: list[Series] = []
    for search, given in stored.searches.items():
        for over in points if len(given.evaluation) else ():
            places, values = course_of(stored, given, over)
            name = f"over {stored.score_name} {over.accuracy:.4g}"
            if len(stored.searches) > 1:
                name = f"population {search}, {name}"
            ends = np.append(places + 1, len(given.evaluation)).tolist()
            steps = np.append(values, values[-1] if len(values) else 0.0).tolist()
            minutes = (np.append(given.elapsed[places], given.elapsed[-1]) / 60).tolist()
            style = len(over_count)
            over_count.append(Series(name, ends, steps, "steps", style))
            over_time.append(Series(name, minutes, steps, "steps", style))
    return (
        Chart("distinct networks evaluated", "hypervolume", tuple(over_count)),
        Chart("minutes of the search", "hypervolume", tuple(over_time)),
    )


def course_of(
    stored: StoredEvaluations, given: DeliveredResults, over: ReferencePoint
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the `hypervolume_course` of a search; networks that ended early add nothing."""
    whole = np.where(stored.stopped_early, np.nan, stored.score)
    return hypervolume_course(whole[given.evaluation], stored.cost[given.evaluation], over)


def stitches_chart(history: Sequence[HistoryRow]) -> Chart:
    """Return potential and active stitches of what was evaluated (the paper's Figure 6)."""
    rows = [row for row, some in zip(history, evaluated_some(history), strict=True) if some]
    used = [float(row.used) for row in rows]
    potential = Series("may be used", used, [row.nonzero for row in rows], style=0)
    active = Series("are used", used, [row.active for row in rows], style=1)
    return Chart(USED, "stitches, mean", (potential, active))


def evaluated_some(history: Sequence[HistoryRow]) -> list[bool]:
    """Return of each moment if it has evaluations; the means of others are 0, which means none."""
    before = [0, *(row.evaluated for row in history)]
    return [row.evaluated > count for row, count in zip(history, before, strict=False)]


def known_chart(history: Sequence[HistoryRow]) -> Chart:
    """Return the share of proposals that were known and needed no evaluation, in all and lately.

    The third line is the part of them that the paper counts as skipped: nothing active changed.
    """
    used = np.array([float(row.used) for row in history])
    known = np.array([float(row.skipped) for row in history])
    unchanged = np.array([float(row.unchanged) for row in history])
    in_all = known / np.maximum(used, 1.0)
    in_part = unchanged / np.maximum(used, 1.0)
    lately = np.diff(known, prepend=0.0) / np.maximum(np.diff(used, prepend=0.0), 1.0)
    series = (
        Series("so far", used.tolist(), in_all.tolist(), style=0),
        Series("since the moment before", used.tolist(), lately.tolist(), style=1),
        Series("changed nothing active, so far", used.tolist(), in_part.tolist(), style=2),
    )
    return Chart(USED, "share that was known", series, percent=True)


def errors_chart(stitches: Sequence[StitchRow]) -> Chart:
    """Return the error of each stitch by the depth of its target, a colour for each direction."""
    known = [(row, row.relative_error) for row in stitches if row.relative_error is not None]
    series = []
    for index, way in enumerate(dict.fromkeys((row.source, row.target) for row, _ in known)):
        own = [(row, error) for row, error in known if (row.source, row.target) == way]
        depths, errors = [row.target_depth for row, _ in own], [error for _, error in own]
        hover = [f"{row.source_point} to {row.target_point}" for row, _ in own]
        series.append(Series(f"{way[0]} to {way[1]}", depths, errors, "marks", index, hover=hover))
    return Chart("depth of the target (share of multiply-adds)", "relative error", tuple(series))


def cloud_of(stored: StoredEvaluations, ceiling: float) -> np.ndarray:
    """Return costs up to `ceiling` and accuracies, (n, 2), of what was evaluated whole.

    Where there are many, one mark of each cell of a grid stands for all in it: as fine a grid as
    CLOUD marks allow, since browsers take a second for ten thousand.
    """
    whole = ~stored.stopped_early & ~np.isnan(stored.score)
    pairs = np.column_stack([stored.cost[whole], stored.score[whole]])
    cells = FINEST
    while True:
        grid = np.floor(pairs / [max(1, ceiling), 1.0] * cells)
        _, first = np.unique(grid, axis=0, return_index=True)
        if len(first) <= CLOUD:
            return np.asarray(pairs[np.sort(first)])
        cells = cells * 4 // 5


def reliability_chart(front: Front, part: Split) -> Chart:
    """Return accuracy by confidence, a line for each network.

    The first references, the ensemble and one of the front are shown; others wait in the legend of
    a page until they are chosen.
    """
    stitched = [point for point in front.points if point.stitches]
    some = stitched[:: max(1, -(-len(stitched) // LISTED))]
    others = [point for point in front.references if point is not front.ensemble]
    ensemble = [] if front.ensemble is None else [front.ensemble]
    first = [*others[:SHOWN], *ensemble, *some[:1]]
    series = [Series("as often as it says", (0, 1), (0, 1), emphasis="guide")]
    for index, point in enumerate((*first, *others[SHOWN:], *some[1:])):
        calibration = point.calibration.get(part)
        if calibration is None or not calibration.diagram:
            continue
        confidences, shares, counts = zip(*calibration.diagram, strict=True)
        series.append(
            Series(
                f"{point.label}, error {calibration.error:.3f}",
                confidences,
                shares,
                style=index,
                hover=[f"{count:,} predictions" for count in counts],
                shown=index < len(first),
            )
        )
    limits = (0.0, 1.02)
    return Chart(
        "confidence in the predicted class", "share that is right", tuple(series), limits, limits
    )


def chart_against_cost(
    title: str, front: Front, value_of: Callable[[FrontPoint], float | None]
) -> Chart:
    """Return a measure, as `value_of` gives it, of the front and the references against cost."""
    series = (
        marks_of("front", front.points, value_of),
        marks_of("reference", front.references, value_of, "reference"),
    )
    return Chart(front.cost_label, title, series)


def marks_of(
    name: str,
    points: Sequence[FrontPoint],
    value_of: Callable[[FrontPoint], float | None],
    emphasis: Literal["plain", "reference"] = "plain",
) -> Series:
    """Return a mark against cost for each network that has the measure."""
    known = [(point, value) for point in points if (value := value_of(point)) is not None]
    return Series(
        name,
        [point.cost for point, _ in known],
        [value for _, value in known],
        "marks",
        emphasis=emphasis,
        hover=[point.label for point, _ in known],
    )
