"""What a search is given, held against what it takes, before anything is measured."""

from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

import torch

from netstitch.errors import DataError, FittingError, SearchError
from netstitch.evaluation import ExecutionConfig, NumericsConfig
from netstitch.networks.graph import Dimension
from netstitch.networks.inputs import Batch, check_inputs, fitting_batches
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task
from netstitch.tasks.datasets.given import described
from netstitch.tasks.task import as_task

_NUMBER = (Real, "a number")
_KINDS: Mapping[str, tuple[Any, str]] = {
    "seconds": (Real | None, "a number, or None for no end by time"),
    "threshold": (Real | None, "a number, or None for none"),
    "initial_stitches": _NUMBER,
    "patience": (int | None, "a whole number, or None for the default"),
    "settings": (Mapping | None, "a mapping of the algorithm's settings by name"),
    "form": (
        NumericsConfig | None,
        "a netstitch.evaluation.NumericsConfig, or None to measure one",
    ),
    "spread": (ExecutionConfig | None, "a netstitch.evaluation.ExecutionConfig"),
    "device": (str | torch.device, "a name that PyTorch knows, such as 'cpu'"),
    "algorithm": (str | Callable, "an algorithm's name, such as 'lk-gomea'"),
}


def check_arguments(**given: Any) -> None:
    """Raise SearchError for an argument of another kind than a search takes, by its name."""
    for name, value in given.items():
        kind, expected = _KINDS[name]
        if not isinstance(value, kind):
            raise SearchError(f"{name} is {value!r:.80}: give {expected}")
    initial_stitches = given.get("initial_stitches", 1.0)
    if not initial_stitches > 0:
        raise SearchError(
            f"initial_stitches is {initial_stitches}; expected a number over 0, such as 6.18"
        )


def check_searched(supernet: Any, task: object) -> Task:
    """Return the task; raise SearchError or DataError for no supernet, no task, or other sizes."""
    if not isinstance(supernet, Supernet):
        raise SearchError(
            f"the supernet is {described(supernet)}; give ns.Supernet([a, b], ns.match(a, b))"
            " first, then a task"
        )
    checked = as_task(task)
    check_samples(supernet, checked)
    return checked


def check_samples(supernet: Supernet, task: Task) -> None:
    """Raise DataError where a task's samples have another size than the networks were captured
    for."""
    for samples in (task.training, task.validation, task.test):
        if isinstance(samples, Samples):
            shape: tuple[Dimension, ...] = ("batch", *samples.shape)
            check_inputs(supernet.graphs, shape, f"{samples.name}: a batch", DataError)


def read_recalibration(supernet: Supernet, batches: Iterable[Batch] | None) -> list[Batch] | None:
    """Return the batches, which each network evaluated reads again; None where none were given.

    Raises FittingError for other inputs than the networks take, and for no batch.
    """
    if batches is None:
        return None
    read = list(fitting_batches(supernet.graphs, batches, FittingError))
    if not any(len(batch[0]) for batch in read):
        raise FittingError("recalibration holds no samples: give at least one batch of inputs")
    return read
