"""Looking at an evaluation batch by batch, whether it may end."""

from typing import Any

import torch
from torch import Tensor

from netstitch.errors import DataError
from netstitch.evaluation.stopping import AccuracyOf, Stopping
from netstitch.tasks import Task


class Watch:
    """Counts what a genotype gets right, until its outcome is certain.

    floor: the accuracy that it must get over to go on.

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
        stopping: Stopping,
        floor: float,
    ) -> None:
        self._task, self._accuracy = task, accuracy
        self._labels = torch.split(labels, batch)
        self._samples = len(labels)
        self._stopping, self._floor = stopping, floor
        self._right = self._seen = 0
        self.bound: float | None = None
        self.error: DataError | None = None
        self.ended = False

    def look(self, batch: int, outputs: Any) -> None:
        """Look at the outputs of a batch; batches are looked at in order."""
        if self.ended:  # by one before it, of those that ran side by side
            return
        labels = self._labels[batch]
        try:
            self._right += int(self._task.correct(outputs, labels).sum())
        except DataError as error:
            self.error, self.ended = error, True
            return
        self._seen += len(labels)
        if self._seen == self._samples:
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
