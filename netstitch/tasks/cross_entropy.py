"""A task scored by cross-entropy in the place of accuracy, as section 8 of the paper suggests.

The score is exp(-cross-entropy), the geometric mean of the probabilities that a network gives to
what is right: of 0 to 1 as accuracies are, it orders networks as the cross-entropy does, and costs
a network that is sure of what is wrong much more than one that doubts.
"""

from dataclasses import dataclass
from math import exp
from typing import Any

from torch import Tensor

from netstitch.errors import DataError
from netstitch.tasks.samples import Samples
from netstitch.tasks.task import EnsembleKind, Task
from netstitch.tasks.task_outputs import Outputs

WORST = 1024.0
"""Nats of a sample that are counted at most, so that sums stay exact."""
GRAIN = 2.0**24
"""Cross-entropies are multiples of 1 / GRAIN, so that their sums are exact in any order."""


@dataclass(frozen=True, eq=False)
class Likelihood:
    """A task whose accuracy is exp(-cross-entropy) of the task given.

    Raises DataError for a task that cannot tell the cross-entropy of each sample.
    """

    task: Task
    measure = "likelihood"

    def __post_init__(self) -> None:
        if not hasattr(self.task, "cross_entropy"):
            raise DataError(
                f"a {type(self.task).__name__} has no method cross_entropy; expected one that "
                "gives the nats of each sample, (n,), or the objective 'accuracy'"
            )

    @property
    def training(self) -> Samples | None:
        return self.task.training

    @property
    def validation(self) -> Samples:
        return self.task.validation

    @property
    def test(self) -> Samples | None:
        return self.task.test

    @property
    def output(self) -> str | None:
        return self.task.output

    @property
    def ensemble(self) -> EnsembleKind:
        return self.task.ensemble

    def combine(self, outputs: Any, weights: Any = None) -> Tensor:
        return self.task.combine(outputs, weights)

    def loss(self, outputs: Outputs, labels: Tensor) -> float:
        return self.task.loss(outputs, labels)

    def accuracy(self, outputs: Outputs, labels: Tensor) -> float:
        """exp(-cross-entropy), in [0, 1]."""
        return self.accuracy_of(float(self.correct(outputs, labels).sum()), len(labels))

    def accuracy_of(self, right: float, samples: int) -> float:
        """The accuracy where the values of `correct` of all samples add up to `right`."""
        return exp(right / samples - 1)

    def correct(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """(n,) float64: 1 less each sample's cross-entropy in nats.

        At most 1, that of a sample whose class has probability 1: an evaluation then ends early
        where it would of accuracies, once even such samples could not save it.
        """
        return 1.0 - nats_of(self.task, outputs, labels)


def nats_of(task: Any, outputs: Outputs, labels: Tensor) -> Tensor:
    """(n,) float64, the cross-entropy of each sample, of which any sum is exact."""
    found: Tensor = task.cross_entropy(outputs, labels)
    return (found.double().clamp(max=WORST) * GRAIN).round() / GRAIN
