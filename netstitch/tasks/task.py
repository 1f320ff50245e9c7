"""What a search and a report need to know of a task."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from torch import Tensor

from netstitch.errors import DataError
from netstitch.tasks.datasets.given import described
from netstitch.tasks.samples import Samples, check_samples
from netstitch.tasks.task_outputs import Outputs

EnsembleKind = Literal["logits", "probabilities"]
"""What the ensemble averages: the networks' outputs, or the softmax of them."""


class Task(Protocol):
    """How outputs become a loss and an accuracy, on which samples, and how the ensemble is formed.

    output: the key that is measured where networks put out dictionaries.
    """

    @property
    def training(self) -> Samples | None: ...

    @property
    def validation(self) -> Samples: ...

    @property
    def test(self) -> Samples | None: ...

    @property
    def output(self) -> str | None: ...

    @property
    def ensemble(self) -> EnsembleKind: ...

    def combine(self, outputs: Sequence[Tensor], weights: Sequence[float] | None = None) -> Tensor:
        """The ensemble's output from those of its networks, all of one shape."""
        ...

    def loss(self, outputs: Outputs, labels: Tensor) -> float:
        """The mean loss; lower is better. Raises DataError on outputs that are not finite."""
        ...

    def accuracy(self, outputs: Outputs, labels: Tensor) -> float:
        """In [0, 1]; higher is better. Raises DataError on outputs that are not finite."""
        ...

    def correct(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """(n,) bool, or shares in [0, 1], per sample: for paired comparisons of networks."""
        ...


_EXAMPLE = "ns.Classification(validation=ns.Samples(inputs, labels), classes=10)"


def check_task(task: Any) -> None:
    """Raise DataError for what is no task, with what to give instead."""
    if isinstance(task, type):
        raise DataError(f"the task is the class {task.__name__}; give an instance, {_EXAMPLE}")
    needed = (
        "training", "validation", "test", "output", "ensemble",
        "combine", "loss", "accuracy", "correct",
    )  # fmt: skip
    missing = [name for name in needed if not hasattr(task, name)]
    if missing:
        known = "" if len(missing) == len(needed) else f" without {', '.join(missing)}"
        raise DataError(f"the task is {described(task)}{known}; give one, {_EXAMPLE}")
    check_samples(task.validation)
