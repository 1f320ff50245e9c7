"""A task scored by cross-entropy in the place of accuracy, as section 8 of the paper suggests.

The score is exp(-cross-entropy), the geometric mean of the probabilities of the labels: in [0, 1]
as accuracies are, it orders networks as the cross-entropy does. It costs a network that is certain
of a wrong class much more than one that is undecided.
"""

from collections.abc import Sequence
from math import exp
from typing import Self

from torch import Tensor

from netstitch.errors import DataError
from netstitch.tasks.task import Measure, Task
from netstitch.tasks.task_outputs import Outputs

CROSS_ENTROPY_SCORE = "exp(-cross-entropy)"
"""The score's name."""
WORST = 1024.0
"""Nats of a sample that are counted at most, so that sums stay exact."""
GRAIN = 2.0**24
"""Cross-entropies are multiples of 1 / GRAIN, so that their sums are exact in any order."""


def score_name(objective: str) -> str:
    """Return the name of the score of a search for an objective, as the store has it."""
    return CROSS_ENTROPY_SCORE if objective == "cross-entropy" else objective


class CrossEntropyTask(Task):
    """A task whose accuracy is exp(-cross-entropy) of the task given.

    Raises:
        DataError: For a task without the cross-entropy of each sample.
    """

    measure = CROSS_ENTROPY_SCORE

    def __init__(self, task: Task) -> None:
        if task.cross_entropy is None:
            raise DataError(
                f"a {task.kind} has no method cross_entropy; expected one that gives the nats of "
                "each sample, (n,), or the objective 'accuracy'"
            )
        self.task, self._nats = task, task.cross_entropy
        self.validation, self.training = task.validation, task.training
        self.confirmation, self.test = task.confirmation, task.test
        self.output, self.ensemble, self.views = task.output, task.ensemble, task.views

    def combine(self, outputs: Sequence[Tensor], weights: Sequence[float] | None = None) -> Tensor:
        """Return the task's own combination of outputs."""
        return self.task.combine(outputs, weights)

    def loss(self, outputs: Outputs, labels: Tensor) -> float:
        """Return the task's loss."""
        return self.task.loss(outputs, labels)

    def accuracy(self, outputs: Outputs, labels: Tensor) -> float:
        """Return exp(-cross-entropy), in [0, 1]."""
        return self.accuracy_of(self.correct(outputs, labels).sum().item(), len(labels))

    def accuracy_of(self, right: float, samples: int) -> float:
        """Return the accuracy where the values of `correct` of all samples sum to `right`."""
        return exp(right / samples - 1)

    def correct(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return (n,) float64: 1 less each sample's cross-entropy in nats.

        At most 1, that of a label of probability 1: so evaluations end early as those of accuracies
        do, once even such samples cannot raise the score over the threshold.
        """
        return 1.0 - exact_nats(self._nats, outputs, labels)

    def without_samples(self) -> Self:
        """Return a copy that measures the same, of one sample."""
        return type(self)(self.task.without_samples())


def exact_nats(cross_entropy: Measure, outputs: Outputs, labels: Tensor) -> Tensor:
    """Return (n,) float64, the cross-entropy of each sample, rounded so that sums are exact."""
    return (cross_entropy(outputs, labels).double().clamp(max=WORST) * GRAIN).round() / GRAIN
