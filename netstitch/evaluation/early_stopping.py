"""Evaluations that end before all samples are done, since their outcome is certain."""

from collections.abc import Sequence

import torch
from torch import Tensor

from netstitch.errors import DataError
from netstitch.tasks import Outputs, Task


class EarlyStopState:
    """Counts what a genotype gets right, until its outcome is certain.

    Args:
        task: Says which samples are right; one that has `accuracy_of`.
        labels: Of each batch.
        threshold: The accuracy that it must get over to go on; None for one that is done whole.

    Attributes:
        stopped_early: Whether it ended since it cannot get over the threshold.
        error: What is wrong with its outputs; None where nothing is.
    """

    def __init__(self, task: Task, labels: Sequence[Tensor], threshold: float | None) -> None:
        assert task.accuracy_of is not None
        self._task, self._accuracy_of = task, task.accuracy_of
        self._labels, self._threshold = labels, threshold
        self._samples = sum(map(len, labels))
        self._right: float = 0
        self._seen = 0
        self.stopped_early = False
        self.error: DataError | None = None

    @property
    def accuracy(self) -> float:
        """The most that it can be, as if all samples to come were right."""
        return self._accuracy_of(self._right + self._samples - self._seen, self._samples)

    @property
    def ended(self) -> bool:
        """No more batches are needed."""
        return self.stopped_early or self.error is not None

    def add(self, batch: int, outputs: Outputs) -> None:
        """Take the outputs of a batch; batches come in order."""
        if self.ended:  # by one before it, of those that ran side by side
            return
        labels = self._labels[batch]
        try:
            # Whole for samples that are right or wrong; sums of shares are exact too.
            self._right += self._task.correct(outputs, labels).sum().item()
        except DataError as error:
            self.error = self._located(error, len(labels))
            return
        self._seen += len(labels)
        if self._threshold is not None and self._seen < self._samples:
            self.stopped_early = self.accuracy <= self._threshold

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
