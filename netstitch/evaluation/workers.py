"""Executors of evaluations: in this process, or in others that share what they read."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from pathlib import Path

import torch

from netstitch.errors import DataError
from netstitch.evaluation.evaluator import Evaluator, Objectives
from netstitch.evaluation.execution_config import ExecutionConfig
from netstitch.evaluation.runtime.shared_work import SharedWork
from netstitch.evaluation.shared_tensors import load_shared, share
from netstitch.files.folders import cannot_write
from netstitch.files.leftovers import begin_folder, remove_leftovers
from netstitch.optimization import (
    BatchEvaluation,
    Executor,
    ProcessExecutor,
    RayExecutor,
    SerialExecutor,
    StoppedEarly,
)
from netstitch.optimization.executors.attempts import Thresholds
from netstitch.optimization.executors.process_start import start_context
from netstitch.optimization.executors.process_worker import worker_number
from netstitch.optimization.executors.worker_executor import Dealing
from netstitch.stitching.reachability import Genotype

PRELOAD = ("netstitch.evaluation.workers",)
"""Modules that workers need, and that take seconds to load."""

SHARED, TENSORS = "netstitch-shared", "tensors"
"""The folder of what workers share, and the file in it."""


class WorkerEvaluator(BatchEvaluation):
    """An evaluator for workers, which share its tensors instead of copying them.

    Loading it, once in each worker, moves the tensors to the worker's device.

    Args:
        evaluator: On the CPU.
        devices: Of the workers, which take them in turn. A worker of Ray sees only the GPU that it
            may use.
        folder: Where the tensors are written into a file that all workers of a `ProcessExecutor`
            map; it must be there as long as they are. None for a `RayExecutor`: the tensors go
            along as one array, which the workers of a machine share.
    """

    def __init__(
        self, evaluator: Evaluator, devices: Sequence[torch.device], folder: Path | None = None
    ) -> None:
        alone = copy(evaluator)
        alone.task = evaluator.task.without_samples()
        self._shared = share(alone, None if folder is None else folder / TENSORS)
        self._devices = tuple(devices)

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__ |= state
        torch.set_num_threads(1)  # batches run side by side, see `NumericsConfig`
        evaluator = load_shared(self._shared)
        assert isinstance(evaluator, Evaluator)
        self._evaluator = evaluator
        self._evaluator.move(self._devices[worker_number() % len(self._devices)])

    def __call__(self, genotype: Genotype) -> Objectives:
        """Return what the evaluator does."""
        return self._evaluator(genotype)

    def together(
        self, genotypes: Sequence[Genotype], thresholds: Thresholds | None = None
    ) -> list[Objectives | StoppedEarly | DataError]:
        """Return what the evaluator does."""
        return self._evaluator.together(genotypes, thresholds)


def prepare(execution: ExecutionConfig) -> None:
    """Begin to start processes, which takes a while, beside what comes before the search."""
    if execution.executor == "processes":
        start_context(PRELOAD)


@contextmanager
def evaluating(
    make: Callable[[torch.device], Evaluator], execution: ExecutionConfig
) -> Iterator[Executor]:
    """Yield an executor of evaluations, which ends all its processes at the end.

    Args:
        make: Makes the evaluator on a device.
        execution: Where evaluations run.

    Raises:
        SearchError: As `ExecutionConfig.check`.
        StorageError: There is no room for the tensors that processes share.
    """
    execution.check()
    shared = execution.executor == "processes"  # tensors are written as they are on the CPU
    evaluator = make(torch.device("cpu") if shared else execution.here)
    # Without a number, executors take as many as their workers do at once.
    capacity, group = execution.in_flight or None, execution.together
    # Where results come as they are finished, the order of evaluations would change them.
    grouped = execution.order == "asked" and group > 1
    choose = SharedWork(evaluator.supernet) if grouped else None
    dealing = Dealing(capacity=capacity, group=group, choose=choose, timeout=execution.timeout)
    executor: Executor
    with ExitStack() as stack:
        if execution.executor == "serial":
            executor = SerialExecutor(evaluator, capacity or group, group=group, choose=choose)
        elif shared:
            folder = stack.enter_context(_shared_folder())
            try:
                evaluation = WorkerEvaluator(evaluator, execution.devices, folder)
            except OSError as error:
                raise cannot_write(folder, error) from error
            executor = ProcessExecutor(evaluation, execution.processes, preload=PRELOAD, **dealing)
        else:
            executor = RayExecutor(
                WorkerEvaluator(evaluator, execution.devices),
                execution.in_cluster,
                address=execution.address,
                temporary=None if execution.temporary is None else Path(execution.temporary),
                gpus_per_worker=execution.gpus_per_worker,
                **dealing,
            )
        stack.callback(executor.close)
        yield executor


@contextmanager
def _shared_folder() -> Iterator[Path]:
    """Give a temporary folder, removed in the end, as are those that killed processes left."""
    parent = Path(tempfile.gettempdir())
    remove_leftovers(parent)
    try:
        folder, lock = begin_folder(parent / SHARED)
    except OSError as error:
        raise cannot_write(parent, error) from error
    try:
        with lock:
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
