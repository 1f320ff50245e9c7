"""Charts of groups of runs: their convergence, and what a share of them attains."""

import numpy as np

from netstitch.analysis.attainment import CostAndAccuracy, attainment
from netstitch.analysis.front_point import Split
from netstitch.drawing.chart import Chart, Series
from netstitch.records.run_record import RunRecord
from netstitch.report.compared_runs import Comparison, RunGroup, networks_of
from netstitch.report.search_charts import course_of
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
        last = min(len_ for len_, _, _ in courses)
        if last < 1:
            continue
        moments = np.unique(np.linspace(1, last, MOMENTS).astype(int))
        table = np.array([_at(moments, places, values) for _, places, values in courses])
        low, middle, high = np.quantile(table, SHARES, axis=0)
        series.append(
            Series(
                _counted(group),
                moments.tolist(),
                middle.tolist(),
                "steps",
                index,
                low=low.tolist(),
                high=high.tolist(),
            )
        )
    return Chart("distinct networks evaluated", "hypervolume", tuple(series))


def attainment_chart(comparison: Comparison, part: Split) -> Chart:
    """Return what half of each group's runs attain; dotted, what one does and what all do.

    Crosses are the reference networks.
    """
    series = []
    for index, group in enumerate(comparison.groups):
        surfaces = {"": 0.5}
        if len(group.runs) > 2:
            surfaces |= {", any run": 1 / len(group.runs), ", every run": 1.0}
        for told, share in surfaces.items():
            corners = attained(group, part, share)
            x, y = zip(*corners, strict=True) if corners else ((), ())
            name = f"{group.name}{told}" if told else _counted(group)
            series.append(Series(name, x, y, "steps", index, "dotted" if told else "plain"))
    first = comparison.groups[0].runs[0].front
    known = [(p, a) for p in first.references if (a := p.accuracy(part)) is not None]
    series.append(
        Series(
            "reference",
            [point.cost for point, _ in known],
            [accuracy for _, accuracy in known],
            "marks",
            look="reference",
            hover=[point.label for point, _ in known],
        )
    )
    best = max([accuracy for one in series for accuracy in one.y], default=1.0)
    margin = 0.05 * max(best - comparison.floor, 0.01)
    return Chart(
        first.cost_label,
        f"{first.measure}, {part}",
        tuple(series),
        y_range=(comparison.floor, best + margin),
    )


def attained(group: RunGroup, part: Split, share: float) -> tuple[CostAndAccuracy, ...]:
    """Return the corners of what a share of a group's runs attain."""
    return attainment([networks_of(run, part) for run in group.runs], share)


def _counted(group: RunGroup) -> str:
    return f"{group.name} ({counted(len(group.runs), 'run')})"


def _course(run: RunRecord, comparison: Comparison) -> tuple[int, np.ndarray, np.ndarray]:
    """Return the length of a run's last search, where its hypervolume rose, and to what."""
    stored = run.evaluations
    if stored is None or not stored.searches:
        return 0, np.array([]), np.array([])
    given = stored.searches[max(stored.searches)]
    places, values = course_of(stored, given, comparison.ensemble, comparison.floor)
    return len(given.evaluation), places, values


def _at(moments: np.ndarray, places: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the hypervolume after so many evaluations."""
    steps = np.concatenate([[0.0], values])
    return np.asarray(steps[np.searchsorted(places + 1, moments, side="right")])
