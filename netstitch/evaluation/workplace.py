"""Carrying evaluations out: in this process, or in others that share what they read."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from netstitch.evaluation.cache import Usage
from netstitch.evaluation.evaluator import Evaluator
from netstitch.evaluation.kinship import Kinship
from netstitch.evaluation.memory import cache_budget
from netstitch.evaluation.objectives import Objectives
from netstitch.evaluation.sent import SentEvaluation
from netstitch.evaluation.shared import SharedEvaluation
from netstitch.evaluation.spread import Spread
from netstitch.folders import cannot_write
from netstitch.optimization import Executor, ProcessExecutor, RayExecutor, SerialExecutor
from netstitch.optimization.process_start import start_server
from netstitch.optimization.waiting import Choose

PRELOAD = ("netstitch.evaluation.shared",)
"""What workers need, and what takes seconds to load."""

_PREFIX, _LOCK = "netstitch-shared-", "lock"


def prepare(spread: Spread) -> None:
    """Begin what takes a while, so that it goes on beside what comes before the search."""
    if spread.kind == "processes":
        start_server(PRELOAD)


@dataclass(frozen=True)
class Evaluating:
    """An executor, and how activations are kept by those who evaluate."""

    executor: Executor
    usage: Callable[[], Usage]


Make = Callable[[torch.device, int], Evaluator]
"""An evaluator on a device, with a budget of bytes for activations."""


def evaluating(make: Make, spread: Spread) -> AbstractContextManager[Evaluating]:
    """Evaluations as spread says; the end of it ends all processes, and frees what was kept.

    Raises SearchError as `Spread.check`, and, where it begins, StorageError where there is no room
    for what the processes share.
    """
    spread.check()
    places = (spread.here,) if spread.kind == "ray" else spread.places
    budget = cache_budget(spread.cache, places)
    begin = {"serial": _in_this_process, "processes": _in_processes, "ray": _on_ray}[spread.kind]
    return begin(make, spread, budget)


@contextmanager
def _in_this_process(make: Make, spread: Spread, budget: int) -> Iterator[Evaluating]:
    evaluator = make(spread.here, budget)
    try:
        yield Evaluating(
            SerialExecutor(
                Objectives(evaluator),
                spread.in_flight,
                group=spread.together,
                choose=_choose(evaluator, spread),
            ),
            evaluator.cache.usage,
        )
    finally:
        evaluator.cache.clear()  # what refers to one another in a search may live on


@contextmanager
def _in_processes(make: Make, spread: Spread, budget: int) -> Iterator[Evaluating]:
    with _shared_folder() as folder:
        evaluator = make(torch.device("cpu"), budget)
        try:
            evaluation = SharedEvaluation(
                evaluator,
                folder,
                workers=spread.processes,
                budget=budget // spread.processes,
                devices=spread.places,
            )
        except OSError as error:
            raise cannot_write(folder, error) from error
        executor = ProcessExecutor(
            evaluation,
            spread.processes,
            capacity=spread.in_flight,
            group=spread.together,
            choose=_choose(evaluator, spread),
            timeout=spread.timeout,
            preload=PRELOAD,
        )
        try:
            yield Evaluating(executor, evaluation.usage)
        finally:
            executor.close()


@contextmanager
def _on_ray(make: Make, spread: Spread, budget: int) -> Iterator[Evaluating]:
    """On the workers of a Ray cluster, which tell how they keep activations with each result."""
    each = budget // spread.processes
    evaluator = make(spread.here, budget)
    evaluation = SentEvaluation(evaluator, device=spread.places[0], budget=each)
    executor = RayExecutor(
        evaluation,
        spread.processes,
        capacity=spread.in_flight,
        group=spread.together,
        choose=_choose(evaluator, spread),
        address=spread.address,
        temporary=None if spread.temporary is None else Path(spread.temporary),
        gpus_per_worker=spread.gpus_per_worker,
        timeout=spread.timeout,
    )
    try:
        yield Evaluating(executor, lambda: usage_of(*executor.told(), each * spread.processes))
    finally:
        executor.close()


def usage_of(living: Sequence[Usage], gone: Sequence[Usage], budget: int) -> Usage:
    """The use of all workers' activations; those of the ones that are gone are so too."""
    everyone = [*living, *gone]
    return Usage(
        hits=sum(one.hits for one in everyone),
        misses=sum(one.misses for one in everyone),
        bytes=sum(one.bytes for one in living),
        budget=budget,
    )


def _choose(evaluator: Evaluator, spread: Spread) -> Choose | None:
    """Those that share work go together, where in which order they are done changes nothing."""
    return Kinship(evaluator.supernet) if spread.ordered and spread.together > 1 else None


@contextmanager
def _shared_folder() -> Iterator[Path]:
    """A temporary folder, gone in the end; those that killed processes left behind go too."""
    parent = Path(tempfile.gettempdir())
    _remove_left(parent)
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    except OSError as error:
        raise cannot_write(parent, error) from error
    try:
        with FileLock(folder / _LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left(parent: Path) -> None:
    """Remove folders whose process is gone, so that its lock is free."""
    for folder in parent.glob(f"{_PREFIX}*"):
        lock = FileLock(folder / _LOCK, timeout=0)
        # Of another user, or just made: not ours to judge.
        with suppress(Timeout, OSError):
            if (folder / _LOCK).exists():
                with lock:
                    shutil.rmtree(folder, ignore_errors=True)
