"""Carrying evaluations out: in this process, or in others that share what they read."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from netstitch.evaluation.evaluator import Evaluator
from netstitch.evaluation.execution_config import ExecutionConfig
from netstitch.evaluation.runtime.shared_work import SharedWork
from netstitch.evaluation.searched_objectives import SearchedObjectives
from netstitch.evaluation.worker_evaluator import WorkerEvaluator
from netstitch.files.folders import cannot_write
from netstitch.optimization import Executor, ProcessExecutor, RayExecutor, SerialExecutor
from netstitch.optimization.executors.process_start import start_server
from netstitch.optimization.executors.queue import Choose

PRELOAD = ("netstitch.evaluation.worker_evaluator",)
"""What workers need, and what takes seconds to load."""

_PREFIX, _LOCK = "netstitch-shared-", "lock"


def prepare(spread: ExecutionConfig) -> None:
    """Begin what takes a while, so that it goes on beside what comes before the search."""
    if spread.kind == "processes":
        start_server(PRELOAD)


Make = Callable[[torch.device], Evaluator]
"""An evaluator on a device."""


def evaluating(make: Make, spread: ExecutionConfig) -> AbstractContextManager[Executor]:
    """Return what evaluates as spread says; the end of it ends all processes.

    Raises SearchError as `ExecutionConfig.check`, and, where it begins, StorageError where there
    is no room for what the processes share.
    """
    spread.check()
    begin = {"serial": _in_this_process, "processes": _in_processes, "ray": _on_ray}[spread.kind]
    return begin(make, spread)


@contextmanager
def _in_this_process(make: Make, spread: ExecutionConfig) -> Iterator[Executor]:
    evaluator = make(spread.here)
    yield SerialExecutor(
        SearchedObjectives(evaluator),
        spread.in_flight,
        group=spread.together,
        choose=_choose(evaluator, spread),
    )


@contextmanager
def _in_processes(make: Make, spread: ExecutionConfig) -> Iterator[Executor]:
    with _shared_folder() as folder:
        evaluator = make(torch.device("cpu"))
        try:
            evaluation = WorkerEvaluator(evaluator, spread.places, folder)
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
        with closing(executor):
            yield executor


@contextmanager
def _on_ray(make: Make, spread: ExecutionConfig) -> Iterator[Executor]:
    evaluator = make(spread.here)
    executor = RayExecutor(
        WorkerEvaluator(evaluator, spread.places),
        spread.processes,
        capacity=spread.in_flight,
        group=spread.together,
        choose=_choose(evaluator, spread),
        address=spread.address,
        temporary=None if spread.temporary is None else Path(spread.temporary),
        gpus_per_worker=spread.gpus_per_worker,
        timeout=spread.timeout,
    )
    with closing(executor):
        yield executor


def _choose(evaluator: Evaluator, spread: ExecutionConfig) -> Choose | None:
    """Those that share work go together, where in which order they are done changes nothing."""
    return SharedWork(evaluator.supernet) if spread.ordered and spread.together > 1 else None


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
