"""Charts of groups of runs: convergence, stitches in use, and what a share of them attains."""

from collections.abc import Sequence

import numpy as np

from netstitch.analysis import Split
from netstitch.analysis.attainment import attainment
from netstitch.analysis.front_figure import plain_name
from netstitch.analysis.front_point import MeasuredPoint
from netstitch.drawing.chart import Chart, Series
from netstitch.records.run_record import HistoryRow, RunRecord
from netstitch.report.compared_runs import Comparison, RunGroup, places_of
from netstitch.report.run_charts import USED, course_of, evaluated_some, marks_of
from netstitch.text import counted

MOMENTS = 200
"""Numbers of evaluations at which runs are put beside one another."""
SHARES = (0.25, 0.5, 0.75)


def convergence_chart(comparison: Comparison) -> Chart:
    """Return the hypervolume on validation samples over evaluations.

    Each group has the median of its runs, and a band from the first to the third quartile.
    """
    series = []
    for index, group in enumerate(comparison.groups):
        courses = [_course(run, comparison) for run in group.runs]
        last = min(length for length, _, _ in courses)
        if last < 1:
            continue
        moments = np.unique(np.linspace(1, last, MOMENTS).astype(int))
        table = [
            values[np.searchsorted(places, moments, side="right")] for _, places, values in courses
        ]
        low, middle, high = np.quantile(table, SHARES, axis=0).tolist()
        x = moments.tolist()
        series.append(Series(_counted(group), x, middle, "steps", index, low=low, high=high))
    return Chart("distinct networks evaluated", "hypervolume", tuple(series))


def group_stitches_chart(comparison: Comparison) -> Chart:
    """Chart, over the budget, the mean number of stitches set and of stitches active.

    This is the paper's Figure 6. Each group has the mean of its runs, of those that evaluated
    something at that moment.
    """
    series = []
    for index, group in enumerate(comparison.groups):
        histories = [run.history for run in group.runs if run.history]
        last = min((history[-1].used for history in histories), default=0)
        if last < 1:
            continue
        moments = np.unique(np.linspace(1, last, MOMENTS).astype(int))
        means = np.stack([_stitches(history, moments) for history in histories])
        known = ~np.isnan(means[..., 0])
        some = known.any(0)
        sums = np.nansum(means[:, some], axis=0) / known.sum(0)[some, None]
        x, (potential, active) = moments[some].tolist(), sums.T.tolist()
        series.append(Series(f"{group.name}, may be used", x, potential, "steps", index, "dotted"))
        series.append(Series(f"{group.name}, are used", x, active, "steps", index))
    return Chart(USED, "stitches, mean", tuple(series))


def attainment_chart(comparison: Comparison, part: Split) -> Chart:
    """Return the median attainment surface of each group; dotted, its best and worst surface.

    Crosses are the reference networks; dashed is what half of all runs have without stitches.
    """
    kinds: list[tuple[RunGroup, str, list[Sequence[MeasuredPoint]]]] = []
    for group in comparison.groups:
        kinds.append((group, group.name, [run.front.points for run in group.runs]))
        if any(run.front.cascades for run in group.runs):
            both = [run.front.found for run in group.runs]
            kinds.append((group, f"{group.name}, with cascades", [*both]))
    series = []
    for index, (group, called, points) in enumerate(kinds):
        surfaces = {"": 0.5}
        if len(group.runs) > 2:
            surfaces |= {", any run": 1 / len(group.runs), ", every run": 1.0}
        for told, share in surfaces.items():
            corners = attainment([places_of(each, part) for each in points], share)
            x, y = zip(*corners, strict=True) if corners else ((), ())
            name = f"{called}{told}" if told else f"{called} ({counted(len(group.runs), 'run')})"
            series.append(Series(name, x, y, "steps", index, "dotted" if told else "plain"))
    plain = [run.front for run in comparison.plain_runs]
    if plain:
        corners = attainment([places_of(each.plain, part) for each in plain], 0.5)
        x, y = zip(*corners, strict=True) if corners else ((), ())
        series.append(Series(plain_name(plain), x, y, "steps", len(kinds), "dashed"))
    front = comparison.runs[0].front
    series.append(
        marks_of("reference", front.references, lambda point: point.accuracy(part), "reference")
    )
    best = max([accuracy for one in series for accuracy in one.y], default=1.0)
    floor = comparison.over_floor.accuracy
    margin = 0.05 * max(best - floor, 0.01)
    limits = (floor, best + margin)
    title = f"{front.measure}, {part}"
    mean = "mean " if comparison.cascades or plain else ""
    return Chart(f"{mean}{front.cost_label}", title, tuple(series), y_range=limits)


def _stitches(history: Sequence[HistoryRow], moments: np.ndarray) -> np.ndarray:
    """Return (m, 2) mean stitches, set and active, at each evaluation count; NaN before any."""
    means = np.array([(row.nonzero, row.active) for row in history])
    means[~np.array(evaluated_some(history))] = np.nan
    return means[np.searchsorted([row.used for row in history], moments)]


def _counted(group: RunGroup) -> str:
    return f"{group.name} ({counted(len(group.runs), 'run')})"


def _course(run: RunRecord, comparison: Comparison) -> tuple[int, np.ndarray, np.ndarray]:
    """Return the evaluations of a run's kept search, those where hypervolume rose, and its values.

    The values begin with 0, that before the first evaluation.
    """
    stored, size = run.evaluations, run.kept_population
    if size is None:
        return 0, np.array([]), np.array([])
    given = stored.searches[size]
    places, values = course_of(stored, given, comparison.over_scores)
    return len(given.evaluation), places + 1, np.concatenate([[0.0], values])
