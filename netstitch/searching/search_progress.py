"""The progress of a search, which `netstitch status` reads from the folder of a run.

It is written every second, as JSON that is replaced whole, and sent to listeners.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, log
from pathlib import Path

from netstitch.analysis import hypervolume
from netstitch.analysis.front_point import ACCURACY
from netstitch.analysis.hypervolume import ReferencePoint
from netstitch.events import Event
from netstitch.files.documents import Count, Document, Seconds, Share, read_as
from netstitch.files.folders import write_text
from netstitch.optimization import Budget, Evaluation, Progress, Solution

FORMAT, PROGRESS_FILE = "netstitch-progress-3", "progress.json"
EVERY = 1.0
"""Seconds between two writes."""


class SearchProgress(Document):
    """progress.json: a search in numbers.

    Attributes:
        search: Its population size.
        share: The share of the budget that is spent, 0 to 1.
        counts: Evaluations that wait are among those under way.
        workers: The number of evaluations at the same time.
        left: Seconds until the budget is spent, at the speed so far; None before there is any.
        hypervolume: Hypervolume of the solutions over the search's reference point; 0 until that is
            known.
        written: Seconds since 1970.
    """

    search: Count
    share: Share
    counts: Progress
    workers: Count
    left: Seconds | None
    hypervolume: float
    written: Seconds

    @property
    def score(self) -> float | None:
        """The best accuracy, or exp(-cross-entropy) where that is the objective."""
        return next(iter(self.counts.best or ()), None)

    @property
    def objective(self) -> str:
        """The name of the objective."""
        return next(iter(self.counts.objectives), ACCURACY)

    @property
    def cross_entropy(self) -> float | None:
        """The least cross-entropy in nats, where that is the objective; else None."""
        if self.objective == ACCURACY or self.score is None:
            return None
        return cross_entropy_of(self.score)


@dataclass(frozen=True)
class SearchAdvanced(Event):
    """A search has one more result; the budget is that of this search."""

    progress: Progress
    budget: Budget


@dataclass(frozen=True)
class ResultRecorded(Event):
    """A distinct evaluation of a search is done and recorded."""

    evaluation: Evaluation


@dataclass(frozen=True)
class SearchMeasured(Event):
    """The numbers of a search, sent every second and when it ends."""

    progress: SearchProgress


def search_progress(
    search: int,
    progress: Progress,
    budget: Budget,
    front: Sequence[Solution],
    workers: int,
    over: ReferencePoint | None,
    clock: Callable[[], float] = time.time,
) -> SearchProgress:
    """Return the numbers of a search now, with the hypervolume of `archive_hypervolume`."""
    share = spent(progress, budget)
    left, volume = time_left(progress, share), archive_hypervolume(front, over)
    return SearchProgress(
        search=search,
        share=share,
        counts=progress,
        workers=workers,
        left=left,
        hypervolume=volume,
        written=clock(),
    )


def archive_hypervolume(archive: Sequence[Solution], over: ReferencePoint | None) -> float:
    """Return the hypervolume of solutions; 0 while no reference point is known."""
    if over is None:
        return 0.0
    values = [one.objectives for one in archive if one.objectives is not None]
    scores, costs = [score for score, _ in values], [cost for _, cost in values]
    return hypervolume(scores, costs, ensemble=over.ensemble, accuracy_floor=over.accuracy)


def cross_entropy_of(score: float) -> float:
    """Return the cross-entropy in nats of a score, which is exp(-cross-entropy)."""
    return -log(score) if score > 0 else inf


def score_text(objective: str, score: float) -> str:
    """Return a search's score in words: an accuracy, or a cross-entropy in nats."""
    if objective == ACCURACY:
        return f"{100 * score:.2f} %"
    return f"cross-entropy {cross_entropy_of(score):.3f}"


def spent(progress: Progress, budget: Budget) -> float:
    """Return the share of the budget that is spent, 0 to 1; of two budgets the larger share."""
    shares = [0.0]
    if budget.evaluations:
        shares.append(progress.used / budget.evaluations)
    if budget.seconds:
        shares.append(progress.elapsed / budget.seconds)
    return min(1.0, max(shares))


def time_left(progress: Progress, share: float) -> float | None:
    """Return the seconds until the budget is spent at the speed so far, if there is one."""
    return progress.elapsed / share - progress.elapsed if share > 0 else None


def write_progress(path: Path, search_progress: SearchProgress) -> None:
    """Replace the file; raises StorageError where that cannot be."""
    document = {"format": FORMAT} | search_progress.model_dump()
    write_text(path, json.dumps(document) + "\n", lasting=False)


def read_progress(path: Path) -> SearchProgress:
    """Read the file; raises StorageError where there is none, or it is damaged."""
    return read_as(path, FORMAT, SearchProgress)
