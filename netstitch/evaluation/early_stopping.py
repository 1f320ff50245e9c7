"""Evaluations that end before all samples are done, since their outcome is all but certain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from scipy.stats import hypergeom
from torch import Tensor

from netstitch.errors import DataError
from netstitch.tasks import Outputs, Task

AccuracyOf = Callable[[float, int], float]
"""A task's `accuracy_of`."""


@dataclass(frozen=True)
class EarlyStopSettings:
    """The condition on which the evaluation of a genotype ends early.

    Attributes:
        error: 0 to end where the accuracy cannot get over the rejection threshold even if all
            samples to come are right. More than 0 to end too where, of samples in random order, so
            few would be right with no more than this probability, for all looks of an evaluation
            together, if the accuracy got over the threshold; of samples that are right or wrong
            only, not right in part.
    """

    error: float = 0.0

    def bound(
        self,
        accuracy: AccuracyOf,
        right: float,
        seen: int,
        samples: int,
        threshold: float,
        looks: int,
    ) -> float | None:
        """Return the most that the accuracy can be, or is taken to be; None if over the threshold.

        Args:
            accuracy: Of the task.
            right: How many of the samples seen are right.
            seen: Samples seen so far.
            samples: Samples in all.
            threshold: Accuracy to get over.
            looks: How often an evaluation is looked at before all samples are seen.
        """
        best = accuracy(right + samples - seen, samples)
        if best <= threshold:
            return best
        if not self.error or not isinstance(right, int):
            return None
        low, high = 0, samples  # the fewest right ones that are over the threshold
        while low < high:
            middle = (low + high) // 2
            over = accuracy(middle, samples) > threshold
            low, high = (low, middle) if over else (middle + 1, high)
        chance = hypergeom.cdf(right, samples, low, seen)
        return threshold if chance <= self.error / max(1, looks) else None


class EarlyStopState:
    """Counts what a genotype gets right, until its outcome is certain.

    Args:
        task: Says which samples are right.
        accuracy: Of the task.
        labels: Of all samples.
        batch: Samples in a batch.
        settings: When to end.
        threshold: The accuracy that it must get over to go on; None for one that is done whole.

    Attributes:
        bound: The most that the accuracy can be, where it ended early; None where it has not.
        error: What is wrong with its outputs; None where nothing is.
        ended: Whether no more batches are needed.
    """

    def __init__(
        self,
        task: Task,
        accuracy: AccuracyOf,
        labels: Tensor,
        batch: int,
        settings: EarlyStopSettings,
        threshold: float | None,
    ) -> None:
        self._task, self._accuracy = task, accuracy
        self._labels = torch.split(labels, batch)
        self._samples = len(labels)
        self._settings, self._threshold = settings, threshold
        self._right: float = 0
        self._seen = 0
        self.bound: float | None = None
        self.error: DataError | None = None
        self.ended = False

    @property
    def may_end(self) -> bool:
        """It may end before all batches."""
        return self._threshold is not None

    @property
    def accuracy(self) -> float:
        """The accuracy on all samples, or the most that it can be, where it ended early."""
        return self._accuracy(self._right, self._samples) if self.bound is None else self.bound

    def add(self, batch: int, outputs: Outputs) -> None:
        """Take the outputs of a batch; batches come in order."""
        if self.ended:  # by one before it, of those that ran side by side
            return
        labels = self._labels[batch]
        try:
            # Whole for samples that are right or wrong; sums of shares are exact too.
            self._right += self._task.correct(outputs, labels).sum().item()
        except DataError as error:
            self.error, self.ended = self._located(error, len(labels)), True
            return
        self._seen += len(labels)
        if self._seen == self._samples or self._threshold is None:
            return
        self.bound = self._settings.bound(
            self._accuracy,
            self._right,
            self._seen,
            self._samples,
            self._threshold,
            len(self._labels) - 1,
        )
        self.ended = self.bound is not None

    def _located(self, error: DataError, count: int) -> DataError:
        """Return the error with the samples that it counts from."""
        if count == self._samples:
            return error
        return DataError(f"of samples {self._seen} to {self._seen + count - 1}: {error}")


def most_informative_order(certainties: Sequence[Tensor]) -> Tensor:
    """Return (n,) an order of the samples, those first that networks are least certain of.

    A network that is not good enough shows it soonest on the samples that others find hard.

    Args:
        certainties: Of some networks, (n,) each.
    """
    return torch.stack([each.double() for each in certainties]).mean(0).argsort(stable=True)
