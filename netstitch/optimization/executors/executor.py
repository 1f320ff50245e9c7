"""Where evaluations run: an executor takes genotypes and hands back results as they complete."""

import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple, Protocol

import numpy as np

from netstitch.errors import SearchError
from netstitch.optimization.problem import Genotype, Objective
from netstitch.optimization.search_state import State


@dataclass(frozen=True)
class Completed:
    """The result of one ticket: objective values, or None and the reason of the failure.

    worker: what evaluated it, such as a process and its number.
    bounded: whether the evaluation ended early; the objectives are then the best that they can be.
    """

    ticket: int
    objectives: tuple[float, ...] | None
    failure: str | None
    seconds: float
    worker: str = ""
    bounded: bool = False


@dataclass(frozen=True)
class Bounded:
    """What an evaluation gives that ended early: the best that its objectives can be."""

    objectives: tuple[float, ...]


Floors = Sequence[float | None]
"""For each genotype a value that its bounded objective must get over to go on; None for none."""

Found = tuple[float, ...] | Bounded | Exception
"""What an evaluation of some genotypes gives of one."""


WHOLE = -1
"""The ticket of an evaluation that ended early and is done whole after all.

The search waits for it, so an executor does well to take it before others.
"""


class Asked(NamedTuple):
    """An evaluation that was submitted."""

    ticket: int
    genotype: Genotype
    floor: float | None = None


class Executor(Protocol):
    """Runs evaluations, in any order.

    A search holds at most `capacity` tickets at a time, and asks `wait` for results only while it
    holds some. Genotypes are read-only. An evaluation that fails is a `Completed`, no exception.
    """

    @property
    def capacity(self) -> int:
        """How many evaluations may be under way at once, at least 1."""
        ...

    @property
    def workers(self) -> int:
        """How many of them truly run at once; the others wait for their turn."""
        ...

    def busy(self) -> float:
        """Seconds that the workers have spent on evaluations so far, all of them together."""
        ...

    def submit(self, ticket: int, genotype: Genotype, floor: float | None = None) -> None:
        """Take an evaluation; does not wait for it.

        floor: it may end once the search's bounded objective cannot get over it; None: it may not.
        """
        ...

    def wait(self) -> list[Completed]:
        """Block until at least one evaluation completes; each result is handed back once."""
        ...

    def cancel(self) -> None:
        """Forget the evaluations that are under way; their results are not wanted any more."""
        ...

    def close(self) -> None:
        """Give back what the executor holds; the one who made it calls this."""
        ...


def worker_name(process: int) -> str:
    """What a result's `worker` is called, of the id of a process of this machine."""
    return f"{platform.node()} {process}"


class Together(Protocol):
    """An evaluation that takes some genotypes at once, for what they have in common."""

    def together(
        self, genotypes: Sequence[Genotype], floors: Floors | None = None
    ) -> Sequence[Found]:
        """Objective values of each genotype, or what went wrong with it alone.

        floors: left out where none may end early.
        """
        ...


class Attempt(NamedTuple):
    """Objective values, or None and the reason of the failure; bounded: as in `Completed`."""

    objectives: tuple[float, ...] | None
    failure: str | None
    bounded: bool = False


def attempt(evaluate: Callable[[Genotype], tuple[float, ...]], genotype: Genotype) -> Attempt:
    """Evaluate one genotype, whatever goes wrong."""
    try:
        return Attempt(tuple(float(value) for value in evaluate(genotype)), None)
    except Exception as error:  # whatever it is, it belongs to this genotype alone
        return Attempt(None, describe(error))


def attempt_all(
    evaluate: Callable[[Genotype], tuple[float, ...]], items: Sequence[Asked]
) -> list[Attempt]:
    """Evaluate what was asked, together where `evaluate` is a `Together`.

    Where they fail together, each is tried alone, so that those which are not to blame go on.
    """
    together: Callable[..., Sequence[Found]] | None
    together = getattr(evaluate, "together", None)
    genotypes, floors = [one.genotype for one in items], [one.floor for one in items]
    early = any(floor is not None for floor in floors)
    if together is not None and (early or len(genotypes) > 1):
        try:
            found = list(together(genotypes, floors) if early else together(genotypes))
        except Exception:  # whatever it is, it comes again where it belongs
            found = []
        if len(found) == len(genotypes):
            return [_attempted(one) for one in found]
    return [attempt(evaluate, genotype) for genotype in genotypes]


def attempt_in_worker(
    evaluate: Callable[[Genotype], tuple[float, ...]], items: Sequence[Asked]
) -> list[Attempt]:
    """As `attempt_all`, and go on after what ends other programs, such as sys.exit."""
    try:
        return attempt_all(evaluate, items)
    except BaseException as error:
        if len(items) == 1:
            return [Attempt(None, f"{type(error).__name__}: {error}")]
        return [found for one in items for found in attempt_in_worker(evaluate, [one])]


def completed(
    items: Sequence[Asked],
    attempts: Sequence[Attempt],
    seconds: float,
    worker: str,
) -> list[Completed]:
    """The results of tickets that were evaluated together, each with its part of the seconds."""
    return [
        Completed(
            item.ticket,
            found.objectives,
            found.failure,
            seconds / len(items),
            worker,
            found.bounded,
        )
        for item, found in zip(items, attempts, strict=True)
    ]


def _attempted(found: Found) -> Attempt:
    if isinstance(found, Exception):
        return Attempt(None, describe(found))
    if isinstance(found, Bounded):
        return Attempt(found.objectives, None, True)
    return Attempt(found, None)


def describe(error: Exception) -> str:
    """An exception as one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def checked(
    completed: Completed, objectives: Sequence[Objective]
) -> tuple[tuple[float, ...] | None, str | None]:
    """The objective values, or None and the reason: a failure, or one that is not finite.

    Raises SearchError when there are more or fewer than the problem has.
    """
    values = completed.objectives
    if values is None:
        return None, completed.failure or "the evaluation gave no objectives"
    names = [objective.name for objective in objectives]
    if len(values) != len(names):
        raise SearchError(
            f"an evaluation gave {len(values)} objectives instead of {len(names)} "
            f"({', '.join(names)}): let every evaluation give as many"
        )
    for name, value in zip(names, values, strict=True):
        if not isfinite(value):
            return None, f"objective {name!r} is {value}, not a finite number"
    return values, None


def packed_results(results: Iterable[Completed]) -> State:
    """Results as plain data, for the state of a search; see `unpacked_results`."""
    return {
        "facts": [
            [one.ticket, one.failure, one.seconds, one.worker, one.bounded] for one in results
        ],
        "objectives": [
            None if one.objectives is None else np.array(one.objectives, dtype=np.float64)
            for one in results
        ],
    }


def unpacked_results(state: State) -> list[Completed]:
    """What `packed_results` was given."""
    return [
        Completed(ticket, None if values is None else tuple(values.tolist()), *facts)
        for (ticket, *facts), values in zip(state["facts"], state["objectives"], strict=True)
    ]


class DelegatingExecutor:
    """Is as large and as busy as another executor, and ends with it."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    @property
    def capacity(self) -> int:
        return self._executor.capacity

    @property
    def workers(self) -> int:
        return self._executor.workers

    def busy(self) -> float:
        return self._executor.busy()

    def cancel(self) -> None:
        self._forget()
        self._executor.cancel()

    def close(self) -> None:
        self._forget()
        self._executor.close()

    def _forget(self) -> None:
        """Drop what is held of evaluations under way."""
        raise NotImplementedError
