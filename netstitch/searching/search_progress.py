"""The progress of a search, for people and programs that watch a run from outside.

A run writes it into its folder every second, as JSON that is replaced whole; `netstitch status`
reads it.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import inf, log
from pathlib import Path

from pydantic import RootModel

from netstitch.analysis import hypervolume
from netstitch.analysis.front_point import ACCURACY
from netstitch.events import Event
from netstitch.files.documents import STRICT, Count, Seconds, Share, read_as
from netstitch.files.folders import write_text
from netstitch.optimization import Budget, Evaluation, Progress, Solution

FORMAT = "netstitch-progress-2"
EVERY = 1.0
"""Seconds between two that are written."""


@dataclass(frozen=True)
class SearchProgress:
    """A search in numbers.

    Attributes:
        search: Its population size.
        share: Of the budget that is gone, 0 to 1.
        used: As of `Progress`, like the others that are not told here.
        in_flight: Evaluations under way, those that wait included.
        workers: How many evaluate at the same time.
        left: Seconds until the budget is spent, at the speed so far; None before there is any.
        hypervolume: Of what was found, normalised by the ensemble's cost, over score 0.
        score: The best: an accuracy, or exp(-cross-entropy) where that is the objective.
        objective: What is searched for.
        written: Seconds since 1970.
    """

    search: Count
    share: Share
    used: Count
    evaluated: Count
    failed: Count
    skipped: Count
    in_flight: Count
    workers: Count
    elapsed: Seconds
    left: Seconds | None
    rate: float
    idle: float
    archived: Count
    hypervolume: float
    score: float | None
    written: Seconds
    bounded: Count = 0
    objective: str = ACCURACY

    @property
    def cross_entropy(self) -> float | None:
        """The least cross-entropy in nats, of a search for it; None of others."""
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
    """A distinct evaluation of a search is done, and recorded."""

    evaluation: Evaluation


@dataclass(frozen=True)
class SearchMeasured(Event):
    """A search was measured, which is done every second and when it ends."""

    progress: SearchProgress


class ProgressDocument(RootModel[SearchProgress]):
    """progress.json."""

    model_config = STRICT


def search_progress(
    search: int,
    progress: Progress,
    budget: Budget,
    front: Sequence[Solution],
    workers: int,
    ensemble: float,
    clock: Callable[[], float] = time.time,
) -> SearchProgress:
    """Return the numbers of a moment; `ensemble` is its cost."""
    share = spent(progress, budget)
    return SearchProgress(
        search=search,
        share=share,
        used=progress.used,
        evaluated=progress.evaluated,
        failed=progress.failed,
        skipped=progress.skipped,
        in_flight=progress.in_flight,
        workers=workers,
        elapsed=progress.elapsed,
        left=time_left(progress, share),
        rate=progress.rate,
        idle=progress.idle,
        archived=progress.archived,
        hypervolume=archive_hypervolume(front, ensemble),
        score=None if progress.best is None else progress.best[0],
        written=clock(),
        bounded=progress.stopped_early,
        objective=progress.objectives[0] if progress.objectives else ACCURACY,
    )


def archive_hypervolume(archive: Sequence[Solution], ensemble: float, floor: float = 0.0) -> float:
    """Return the hypervolume of solutions, normalised by the ensemble's cost, over a score."""
    values = [one.objectives for one in archive if one.objectives is not None]
    scores, costs = [score for score, _ in values], [cost for _, cost in values]
    return hypervolume(scores, costs, ensemble=ensemble, accuracy_floor=floor)


def cross_entropy_of(score: float) -> float:
    """Return the cross-entropy in nats of a score, which is exp(-cross-entropy)."""
    return -log(score) if score > 0 else inf


def score_text(objective: str, score: float) -> str:
    """Return a search's score as people read it: an accuracy, or a cross-entropy in nats."""
    if objective == ACCURACY:
        return f"{100 * score:.2f} %"
    return f"cross-entropy {cross_entropy_of(score):.3f}"


def spent(progress: Progress, budget: Budget) -> float:
    """Return the share of the budget that is gone, 0 to 1; of two the one that ends first."""
    shares = [0.0]
    if budget.evaluations:
        shares.append(progress.used / budget.evaluations)
    if budget.seconds:
        shares.append(progress.elapsed / budget.seconds)
    return min(1.0, max(shares))


def time_left(progress: Progress, share: float) -> float | None:
    """Return the seconds until the budget is spent, at the speed so far, where there is any."""
    return progress.elapsed / share - progress.elapsed if share > 0 else None


def write_progress(path: Path, search_progress: SearchProgress) -> None:
    """Replace the file; raises StorageError where that cannot be."""
    write_text(path, json.dumps({"format": FORMAT} | asdict(search_progress)) + "\n", lasting=False)


def read_progress(path: Path) -> SearchProgress:
    """Return what a run wrote last; StorageError where there is nothing, or it is damaged."""
    return read_as(path, FORMAT, ProgressDocument).root
