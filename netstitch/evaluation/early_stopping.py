"""Evaluations that end before all samples are done, since their outcome is certain, or likely."""

from collections.abc import Sequence
from math import inf

import torch
from torch import Tensor

from netstitch.errors import DataError
from netstitch.evaluation.race import Race
from netstitch.tasks import Outputs, Task


class EarlyStopState:
    """Counts what a genotype gets right, until its outcome is certain.

    In a race it is judged at the end of each part, and where it is certain not before the first
    one's: what it can be at best, which may be all that is learned of it, then means something.

    Args:
        task: Says which samples are right; one that has `accuracy_of`.
        labels: Of each batch.
        threshold: The accuracy that it must get over to go on; None for one that is done whole.
        race: Parts of the samples, which end where batches do; None for no race.

    Attributes:
        stopped_early: Whether it ended since it cannot get over the threshold.
        error: What is wrong with its outputs; None where nothing is.
    """

    def __init__(
        self,
        task: Task,
        labels: Sequence[Tensor],
        threshold: float | None,
        race: Race | None = None,
    ) -> None:
        assert task.accuracy_of is not None
        self._task, self._accuracy_of = task, task.accuracy_of
        self._labels, self._threshold = labels, threshold
        self._samples = sum(map(len, labels))
        self._race = None if threshold is None else race
        self._values: list[Tensor] = []  # in a race, what is summed up
        self._most_right = inf  # by the race's last part
        self._right: float = 0
        self._seen = 0
        self.stopped_early = False
        self.error: DataError | None = None

    @property
    def accuracy(self) -> float:
        """The most that it can be, with all samples to come right, or in a race likely can be."""
        left = self._samples - self._seen
        right = self._right + left
        return self._accuracy_of(min(right, self._most_right) if left else right, self._samples)

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
            right = self._task.correct(outputs, labels)
            self._right += right.sum().item()
        except DataError as error:
            self.error = self._located(error, len(labels))
            return
        self._seen += len(labels)
        if self._race is not None:
            self._values.append(right)
            if self._seen in self._race.ends:
                self._most_right = self._race.most_right(torch.cat(self._values))
        begun = self._race is None or self._seen >= self._race.ends[0]
        if self._threshold is not None and begun and self._seen < self._samples:
            self.stopped_early = self.accuracy <= self._threshold

    def _located(self, error: DataError, count: int) -> DataError:
        """Return the error with the samples that it counts from."""
        if count == self._samples:
            return error
        return DataError(f"of samples {self._seen} to {self._seen + count - 1}: {error}")
