"""Looking at an evaluation batch by batch, whether it may end."""

from typing import Any

import torch
from torch import Tensor

from netstitch.errors import DataError
from netstitch.evaluation.early_stopping import AccuracyOf, EarlyStopSettings
from netstitch.tasks import Task


class EarlyStopState:
    """Counts what a genotype gets right, until its outcome is certain.

    floor: the accuracy that it must get over to go on; None for one that is done whole.

    accuracy: of all samples, or the most that it can be, where it ended early.
    bound: the most that the accuracy can be, where it ended early; None where it has not.
    error: what is wrong with its outputs; None where nothing is.
    ended: whether no more batches are needed.
    """

    def __init__(
        self,
        task: Task,
        accuracy: AccuracyOf,
        labels: Tensor,
        batch: int,
        stopping: EarlyStopSettings,
        floor: float | None,
    ) -> None:
        self._task, self._accuracy = task, accuracy
        self._labels = torch.split(labels, batch)
        self._samples = len(labels)
        self._stopping, self._floor = stopping, floor
        self._right: float = 0
        self._seen = 0
        self.bound: float | None = None
        self.error: DataError | None = None
        self.ended = False

    @property
    def may_end(self) -> bool:
        return self._floor is not None

    @property
    def accuracy(self) -> float:
        whole = self._accuracy(self._right, self._samples)
        return whole if self.bound is None else self.bound

    def look(self, batch: int, outputs: Any) -> None:
        """Look at the outputs of a batch; batches are looked at in order."""
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
        if self._seen == self._samples or self._floor is None:
            return
        self.bound = self._stopping.bound(
            self._accuracy,
            self._right,
            self._seen,
            self._samples,
            self._floor,
            len(self._labels) - 1,
        )
        self.ended = self.bound is not None

    def _located(self, error: DataError, count: int) -> DataError:
        """The error, with the samples that it counts from."""
        if count == self._samples:
            return error
        return DataError(f"of samples {self._seen} to {self._seen + count - 1}: {error}")
