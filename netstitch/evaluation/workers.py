"""Executors of evaluations: in this process, or in others that share what they read."""

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
"""Modules that workers need, and that take seconds to load."""

_PREFIX, _LOCK = "netstitch-shared-", "lock"


def prepare(execution: ExecutionConfig) -> None:
    """Begin to start processes, which takes a while, beside what comes before the search."""
    if execution.executor == "processes":
        start_server(PRELOAD)


Make = Callable[[torch.device], Evaluator]
"""Makes an evaluator on a device."""


def evaluating(make: Make, execution: ExecutionConfig) -> AbstractContextManager[Executor]:
    """Return an executor of evaluations, which ends all its processes at the end.

    Args:
        make: Makes the evaluator.
        execution: Where evaluations run.

    Raises:
        SearchError: As `ExecutionConfig.check`.
        StorageError: When it begins and there is no room for the tensors that processes share.
    """
    execution.check()
    begin = {"serial": _in_this_process, "processes": _in_processes, "ray": _on_ray}
    return begin[execution.executor](make, execution)


@contextmanager
def _in_this_process(make: Make, execution: ExecutionConfig) -> Iterator[Executor]:
    evaluator = make(execution.here)
    yield SerialExecutor(
        SearchedObjectives(evaluator),
        execution.in_flight,
        group=execution.together,
        choose=_choose(evaluator, execution),
    )


@contextmanager
def _in_processes(make: Make, execution: ExecutionConfig) -> Iterator[Executor]:
    with _shared_folder() as folder:
        evaluator = make(torch.device("cpu"))
        try:
            evaluation = WorkerEvaluator(evaluator, execution.places, folder)
        except OSError as error:
            raise cannot_write(folder, error) from error
        executor = ProcessExecutor(
            evaluation,
            execution.processes,
            capacity=execution.in_flight,
            group=execution.together,
            choose=_choose(evaluator, execution),
            timeout=execution.timeout,
            preload=PRELOAD,
        )
        with closing(executor):
            yield executor


@contextmanager
def _on_ray(make: Make, execution: ExecutionConfig) -> Iterator[Executor]:
    evaluator = make(execution.here)
    executor = RayExecutor(
        WorkerEvaluator(evaluator, execution.places),
        execution.processes,
        capacity=execution.in_flight,
        group=execution.together,
        choose=_choose(evaluator, execution),
        address=execution.address,
        temporary=None if execution.temporary is None else Path(execution.temporary),
        gpus_per_worker=execution.gpus_per_worker,
        timeout=execution.timeout,
    )
    with closing(executor):
        yield executor


def _choose(evaluator: Evaluator, execution: ExecutionConfig) -> Choose | None:
    """Return a choice by shared work; None where the order changes results, or none are grouped."""
    grouped = execution.order == "asked" and execution.together > 1
    return SharedWork(evaluator.supernet) if grouped else None


@contextmanager
def _shared_folder() -> Iterator[Path]:
    """Give a temporary folder, removed in the end, as are those that killed processes left."""
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
        # One of another user, or one just made, is left alone.
        with suppress(Timeout, OSError):
            if (folder / _LOCK).exists():
                with lock:
                    shutil.rmtree(folder, ignore_errors=True)
