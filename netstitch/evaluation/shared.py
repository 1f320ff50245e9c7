"""An evaluator for worker processes that share its tensors instead of copying them."""

from collections.abc import Sequence
from copy import copy
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from netstitch.evaluation.cache import ActivationCache, Usage
from netstitch.evaluation.evaluator import Evaluator
from netstitch.evaluation.mapped import read_mapped, write_mapped
from netstitch.evaluation.objectives import Objectives, Values
from netstitch.optimization.executor import Bounded, Floors
from netstitch.optimization.problem import Genotype
from netstitch.optimization.process_worker import worker_number
from netstitch.tasks import Likelihood, Task

TENSORS, USAGE = "tensors", "usage"
_COLUMNS = 3  # hits, misses, bytes


class SharedEvaluation:
    """Accuracy and multiply-adds of genotypes, for the workers of a `ProcessExecutor`.

    evaluator: on the CPU; its tensors are written into the folder. What it keeps stays behind.
    folder: of which all workers map the same files; it is there as long as they are.
    devices: the workers take them in turn.
    budget: bytes of activations that each worker keeps, if the evaluator keeps any.

    Loading it, once in each worker, maps the tensors and moves them to the worker's device.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        folder: Path,
        *,
        workers: int,
        budget: int,
        devices: Sequence[torch.device],
    ) -> None:
        alone = alone_with(evaluator, budget)
        self._mapped = write_mapped(alone, folder / TENSORS)
        self._usage_file, self._shape = folder / USAGE, (workers, _COLUMNS)
        self._devices, self._budget = tuple(devices), alone.cache.budget
        np.zeros(self._shape, np.int64).tofile(self._usage_file)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        number = worker_number()
        torch.set_num_threads(1)  # batches run side by side, see `Form`
        evaluator: Evaluator = read_mapped(self._mapped)
        evaluator.move(self._devices[number % len(self._devices)])
        self._objectives = Objectives(evaluator)
        self._row = self._usage()[number % self._shape[0]]
        self._before = self._row[:2].copy()  # of a worker that died

    def __call__(self, genotype: Genotype) -> Values:
        try:
            return self._objectives(genotype)
        finally:
            self._tell()

    def together(
        self, genotypes: Sequence[Genotype], floors: Floors | None = None
    ) -> list[Values | Bounded | Exception]:
        """Of each genotype its objectives, or what is wrong with it, as `Objectives`."""
        try:
            return self._objectives.together(genotypes, floors)
        finally:
            self._tell()

    def usage(self) -> Usage:
        """How activations are kept, all workers together; for the process that made this."""
        hits, misses, size = self._usage().sum(axis=0).tolist()
        return Usage(hits, misses, size, self._budget * self._shape[0])

    def _usage(self) -> NDArray[np.int64]:
        return np.memmap(self._usage_file, np.int64, "r+", shape=self._shape)

    def _tell(self) -> None:
        cache = self._objectives.evaluator.cache
        self._row[:2] = self._before + np.array([cache.hits, cache.misses])
        self._row[2] = cache.bytes


def alone_with(evaluator: Evaluator, budget: int) -> Evaluator:
    """The evaluator without samples that it has its own way, keeping other activations.

    budget: bytes of them, if the evaluator keeps any.
    """
    alone = copy(evaluator)
    alone.task = _without_samples(evaluator.task)
    cache = evaluator.cache
    alone.cache = ActivationCache(budget if cache.budget else 0, cache.samples)
    return alone


def _without_samples(task: Task) -> Task:
    """A task that measures the same and brings no samples, which an evaluator has its own way."""
    whole: Any = task
    if isinstance(task, Likelihood):
        return replace(task, task=_without_samples(task.task))
    if is_dataclass(type(whole)):
        others = {one.name for one in fields(whole)} & {"training", "confirmation", "test"}
        whole = replace(whole, validation=task.validation.first(1), **dict.fromkeys(others))
    alone: Task = whole
    return alone
