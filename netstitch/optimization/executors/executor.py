"""The interface of an executor, which runs evaluations, and of what it hands back."""

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import NamedTuple, Protocol

from netstitch.errors import SearchError
from netstitch.optimization.problem import Genotype, Objective

WHOLE = -1
"""The ticket of an evaluation that stopped early and is now done whole.

The search waits for it, so an executor takes it before others.
"""


class Request(NamedTuple):
    """An evaluation that was submitted; the arguments of `Executor.submit`."""

    ticket: int
    genotype: Genotype
    threshold: float | None = None


@dataclass(frozen=True)
class Completed:
    """The result of one ticket.

    Attributes:
        ticket: The number under which the evaluation was submitted.
        objectives: Their values, or None where the evaluation failed.
        failure: Why it failed, in one line.
        seconds: How long it took.
        worker: What evaluated it, such as a machine and a process of it.
        stopped_early: Whether the evaluation stopped early; the objectives are then the best that
            they can be.
    """

    ticket: int
    objectives: tuple[float, ...] | None
    failure: str | None
    seconds: float
    worker: str = ""
    stopped_early: bool = False


class Executor(Protocol):
    """Runs evaluations, in any order; an executor of your own is a subclass.

    A search holds at most `capacity` tickets at a time, and asks `wait` for results only while it
    holds some. Genotypes are read-only. An evaluation that fails is a `Completed`, no exception.

    Attributes:
        capacity: How many evaluations may be under way at once, at least 1.
        workers: How many of them truly run at once; the others wait for their turn.
    """

    capacity: int
    workers: int

    def submit(self, ticket: int, genotype: Genotype, threshold: float | None = None) -> None:
        """Take an evaluation, without waiting for it.

        It may stop early once the objective of the search's `RejectionRule` cannot get over the
        rejection threshold; None: it may not.
        """
        ...

    def wait(self) -> list[Completed]:
        """Block until at least one evaluation completes; each result is handed back once."""
        ...

    def wait_until(self, moment: float) -> list[Completed]:
        """Do as `wait`, but no longer than to a moment by `now`.

        An empty list says that there are no results now, and will be none by then. By default the
        moment only says whether to wait at all.
        """
        return self.wait() if self.now() < moment else []

    def busy(self) -> float:
        """Return the seconds that all workers together have spent on evaluations so far."""
        ...

    def cancel(self) -> None:
        """Forget the evaluations that are under way; their results are not wanted any more."""
        ...

    def close(self) -> None:
        """Give back what the executor holds; the one who made it calls this."""
        self.cancel()

    def now(self) -> float:
        """Return the seconds since any start, by the clock of the evaluations."""
        return time.monotonic()


def worker_name(process: int | None = None) -> str:
    """Return the `worker` of a result, for the id of a process of this machine, or this one."""
    return f"{platform.node()} {os.getpid() if process is None else process}"


def checked(completed: Completed, objectives: Sequence[Objective]) -> Completed:
    """Return the result as a search takes it; it has failed where a value is not finite.

    Raises:
        SearchError: Where there are more or fewer values than the problem has objectives.
    """
    values = completed.objectives
    if values is None:
        failure = completed.failure or "the evaluation gave no objectives"
        return replace(completed, failure=failure, stopped_early=False)
    names = [objective.name for objective in objectives]
    if len(values) != len(names):
        raise SearchError(
            f"an evaluation gave {len(values)} objectives instead of {len(names)} "
            f"({', '.join(names)}): let every evaluation give as many"
        )
    for name, value in zip(names, values, strict=True):
        if not isfinite(value):
            failure = f"objective {name!r} is {value}, not a finite number"
            return replace(completed, objectives=None, failure=failure, stopped_early=False)
    return completed
