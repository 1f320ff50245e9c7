"""Charts of a search: hypervolume, stitches in use, known proposals, errors, evaluations."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from netstitch.analysis.hypervolume import hypervolume_course
from netstitch.drawing.chart import Chart, Series
from netstitch.evaluation.stored_evaluations import DeliveredResults, StoredEvaluations
from netstitch.records.run_tables import HistoryRow, StitchRow

CLOUD, FINEST = 1_000, 400
"""Marks of a cloud at most, and cells of the grid along each axis at first."""


def hypervolume_charts(
    stored: StoredEvaluations, ensemble: float, floors: Sequence[float]
) -> tuple[Chart, Chart]:
    """Return normalised hypervolume on validation samples, over evaluations and over minutes.

    Args:
        stored: The evaluations; each search (population size) has a line.
        ensemble: The ensemble's cost.
        floors: Accuracies over which the hypervolume counts, a line each.
    """
    over_count: list[Series] = []
    over_time: list[Series] = []
    for search, given in stored.searches.items():
        for floor in floors:
            if not len(given.evaluation):
                continue
            places, values = course_of(stored, given, ensemble, floor)
            name = f"over accuracy {floor:g}"
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
    stored: StoredEvaluations, given: DeliveredResults, ensemble: float, floor: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the `hypervolume_course` of a search; networks that ended early add nothing."""
    whole = np.where(stored.bounded, np.nan, stored.score)
    return hypervolume_course(
        whole[given.evaluation],
        stored.cost[given.evaluation],
        ensemble=ensemble,
        accuracy_floor=floor,
    )


USED = "evaluations, known ones counted"


def stitches_chart(history: Sequence[HistoryRow]) -> Chart:
    """Return potential and active stitches of what was evaluated (the paper's Figure 6)."""
    used = [float(row.used) for row in history]
    return Chart(
        USED,
        "stitches, mean",
        (
            Series("may be used", used, [row.nonzero for row in history], style=0),
            Series("are used", used, [row.active for row in history], style=1),
        ),
    )


def known_chart(history: Sequence[HistoryRow]) -> Chart:
    """Return the share of proposals that were known and needed no evaluation, in all and lately."""
    used = np.array([float(row.used) for row in history])
    known = np.array([float(row.skipped) for row in history])
    lately = np.diff(known, prepend=0.0) / np.maximum(np.diff(used, prepend=0.0), 1.0)
    return Chart(
        USED,
        "share that was known",
        (
            Series("so far", used.tolist(), (known / np.maximum(used, 1.0)).tolist(), style=0),
            Series("since the moment before", used.tolist(), lately.tolist(), style=1),
        ),
        percent=True,
    )


def errors_chart(stitches: Sequence[StitchRow]) -> Chart:
    """Return the error of each stitch by the depth of its target, a colour for each direction."""
    known = [(row, row.relative_error) for row in stitches if row.relative_error is not None]
    ways = dict.fromkeys((row.source, row.target) for row, _ in known)
    series = []
    for index, way in enumerate(ways):
        own = [(row, error) for row, error in known if (row.source, row.target) == way]
        series.append(
            Series(
                f"{way[0]} to {way[1]}",
                [row.target_depth for row, _ in own],
                [error for _, error in own],
                "marks",
                index,
                hover=[f"{row.source_point} to {row.target_point}" for row, _ in own],
            )
        )
    return Chart("depth of the target (share of multiply-adds)", "relative error", tuple(series))


def cloud_of(stored: StoredEvaluations | None, ceiling: float) -> np.ndarray:
    """Return costs and accuracies, (n, 2), of what was evaluated whole.

    Where there are many, one mark of each cell of a grid stands for all in it: as fine a grid as
    CLOUD marks allow, since browsers take a second for ten thousand.

    Args:
        stored: The evaluations; None where there are none.
        ceiling: Cost up to which there are any.
    """
    if stored is None or not len(stored):
        return np.zeros((0, 2))
    whole = ~stored.bounded & ~np.isnan(stored.score)
    pairs = np.column_stack([stored.cost[whole], stored.score[whole]])
    cells = FINEST
    while True:
        grid = np.floor(pairs / [max(1, ceiling), 1.0] * cells)
        _, first = np.unique(grid, axis=0, return_index=True)
        if len(first) <= CLOUD:
            return np.asarray(pairs[np.sort(first)])
        cells = cells * 4 // 5
