"""Calls of an evaluation, alone or for several genotypes, whatever goes wrong in them."""

import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from netstitch.optimization.executors.executor import Completed, Request
from netstitch.optimization.problem import Genotype
from netstitch.text import one_line

Thresholds = Sequence[float | None]
"""For each genotype the rejection threshold of its evaluation; None for none."""


@dataclass(frozen=True)
class StoppedEarly:
    """The result of an evaluation that stopped early: the best that its objectives can be."""

    objectives: tuple[float, ...]


class BatchEvaluation(ABC):
    """An evaluation that takes several genotypes at once, for what they have in common."""

    @abstractmethod
    def __call__(self, genotype: Genotype) -> tuple[float, ...]:
        """Return the objective values of one genotype."""

    @abstractmethod
    def together(
        self, genotypes: Sequence[Genotype], thresholds: Thresholds | None = None
    ) -> Sequence[tuple[float, ...] | StoppedEarly | Exception]:
        """Return the objective values of each genotype, or what went wrong with it alone.

        Args:
            genotypes: What to evaluate, one or more.
            thresholds: One for each genotype; None where none may stop early.
        """


Evaluate = Callable[[Genotype], tuple[float, ...]] | BatchEvaluation
"""The evaluation of an executor: a function of a genotype, or an object that takes several."""


class Attempt(NamedTuple):
    """Objective values, or None and the reason of the failure; see `Completed`."""

    objectives: tuple[float, ...] | None
    failure: str | None
    stopped_early: bool = False


class TaskOutcome(NamedTuple):
    """An attempt for each genotype of a call, and the seconds that they took together."""

    attempts: list[Attempt]
    seconds: float

    def completed(self, requests: Sequence[Request], worker: str) -> list[Completed]:
        """Return the results of the requests, each with its part of the seconds."""
        each = self.seconds / len(requests)
        return [
            Completed(
                one.ticket, found.objectives, found.failure, each, worker, found.stopped_early
            )
            for one, found in zip(requests, self.attempts, strict=True)
        ]


def attempt(evaluate: Evaluate, genotype: Genotype) -> Attempt:
    """Evaluate one genotype; an exception is the reason of its failure."""
    try:
        return Attempt(tuple(float(value) for value in evaluate(genotype)), None)
    except Exception as error:  # whatever it is, it belongs to this genotype alone
        return Attempt(None, one_line(error, kind=True))


def attempt_all(evaluate: Evaluate, requests: Sequence[Request]) -> TaskOutcome:
    """Evaluate what was requested, together where that is possible and of use.

    Where they fail together, each is tried alone, so that those which are not to blame go on.
    """
    start = time.perf_counter()
    thresholds = [one.threshold for one in requests]
    genotypes = [one.genotype for one in requests]
    attempts: list[Attempt] = []
    if isinstance(evaluate, BatchEvaluation) and (len(requests) > 1 or thresholds != [None]):
        try:
            attempts = [_attempt(one) for one in evaluate.together(genotypes, thresholds)]
        except Exception:  # whatever it is, it comes again where it belongs
            attempts = []
    if len(attempts) != len(requests):
        attempts = [attempt(evaluate, genotype) for genotype in genotypes]
    return TaskOutcome(attempts, time.perf_counter() - start)


@dataclass(frozen=True)
class Unloadable:
    """Stands in the place of an evaluation that a worker cannot load."""

    reason: str


def loaded(load: Callable[[], Evaluate]) -> Evaluate | Unloadable:
    """Return the evaluation of a worker that begins; interruptions are for who started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return load()
    except Exception as error:  # whichever, the worker tells of it when it is asked
        return Unloadable(one_line(error, kind=True))


def attempt_in_worker(evaluate: Evaluate, requests: Sequence[Request]) -> TaskOutcome:
    """Do as `attempt_all`, and go on after what ends other programs, such as sys.exit."""
    for one in requests:
        one.genotype.setflags(write=False)  # which is lost on the way
    start = time.perf_counter()
    try:
        return attempt_all(evaluate, requests)
    except BaseException as error:
        if len(requests) == 1:
            attempts = [Attempt(None, f"{type(error).__name__}: {error}")]
        else:
            attempts = [
                found for one in requests for found in attempt_in_worker(evaluate, [one]).attempts
            ]
        return TaskOutcome(attempts, time.perf_counter() - start)


def _attempt(found: tuple[float, ...] | StoppedEarly | Exception) -> Attempt:
    if isinstance(found, Exception):
        return Attempt(None, one_line(found, kind=True))
    if isinstance(found, StoppedEarly):
        return Attempt(found.objectives, None, True)
    return Attempt(found, None)
