"""Measures before and after fine-tuning, in rows."""

from collections.abc import Mapping
from dataclasses import dataclass

from netstitch.analysis import Interval, Split, paired_difference
from netstitch.evaluation.metrics import Metrics
from netstitch.tasks import Task


@dataclass(frozen=True)
class TunedRow:
    """A measure, such as "accuracy", of a part of the samples, before and after, in [0, 1].

    Attributes:
        difference: After minus before, of accuracies, with its paired bootstrap interval.
    """

    part: str
    measure: str
    before: float
    after: float
    difference: Interval | None = None


def tuned_rows(
    task: Task, before: Mapping[Split, Metrics], after: Mapping[Split, Metrics]
) -> tuple[TunedRow, ...]:
    """Return the rows of all measures of each part of the data."""
    rows: list[TunedRow] = []
    for part, was in before.items():
        now = after[part]
        difference = paired_difference(now.correct, was.correct, seed=0)
        rows.append(TunedRow(part, task.measure, was.share, now.share, difference))
        rows += [TunedRow(part, each, was.further[each], now.further[each]) for each in was.further]
    return tuple(rows)
