"""An evaluator for workers that share its tensors instead of copying them."""

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any

import torch

from netstitch.evaluation.evaluator import Evaluator
from netstitch.evaluation.searched_objectives import SearchedObjectives, Values
from netstitch.evaluation.shared_tensors import (
    MappedTensors,
    PackedTensors,
    pack,
    read_mapped,
    unpack,
    write_mapped,
)
from netstitch.optimization.executors.attempts import BatchEvaluation, StoppedEarly, Thresholds
from netstitch.optimization.executors.process_worker import worker_number
from netstitch.optimization.problem import Genotype

TENSORS = "tensors"


class WorkerEvaluator(BatchEvaluation):
    """Accuracy and cost of genotypes, for workers in other processes.

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
        self._stored: MappedTensors | PackedTensors = (
            pack(alone) if folder is None else write_mapped(alone, folder / TENSORS)
        )
        self._devices = tuple(devices)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        torch.set_num_threads(1)  # batches run side by side, see `NumericsConfig`
        stored = self._stored
        evaluator: Evaluator = (
            unpack(stored) if isinstance(stored, PackedTensors) else read_mapped(stored)
        )
        evaluator.move(self._devices[worker_number() % len(self._devices)])
        self._objectives = SearchedObjectives(evaluator)

    def __call__(self, genotype: Genotype) -> Values:
        """Return the objectives of one genotype."""
        return self._objectives(genotype)

    def together(
        self, genotypes: Sequence[Genotype], thresholds: Thresholds | None = None
    ) -> list[Values | StoppedEarly | Exception]:
        """Return the objectives of each genotype, or its error, as `SearchedObjectives` does."""
        return self._objectives.together(genotypes, thresholds)
