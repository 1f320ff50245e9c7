"""Reducers of outputs, batch by batch, since all outputs together are more than memory holds."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from netstitch.tasks import Outputs

Measure = Callable[[Outputs, Tensor], Tensor]
"""Values (n, ...) of the outputs and labels of n samples."""


class OutputReducer(Protocol):
    """Takes the outputs of a subnetwork, batch by batch."""

    @property
    def may_end(self) -> bool:
        """It may have enough before all batches."""
        ...

    @property
    def ended(self) -> bool:
        """It has enough."""
        ...

    def add(self, batch: int, outputs: Outputs) -> None:
        """Take the outputs of a batch; batches come in order."""
        ...


class OutputCollector:
    """Keeps all outputs."""

    may_end = ended = False

    def __init__(self) -> None:
        self._parts: list[Outputs] = []

    def add(self, batch: int, outputs: Outputs) -> None:
        """Keep the outputs of a batch."""
        self._parts.append(outputs)

    @property
    def outputs(self) -> Outputs:
        """Those of all samples."""
        tensors = [part for part in self._parts if isinstance(part, Tensor)]
        if tensors:
            return torch.cat(tensors)
        by_key = [part for part in self._parts if not isinstance(part, Tensor)]
        return {key: torch.cat([part[key] for part in by_key]) for key in by_key[0]}


class MeasureCollector:
    """Keeps the values of measures.

    Args:
        measures: Of outputs and labels.
        labels: Of each batch.
    """

    may_end = ended = False

    def __init__(self, measures: Sequence[Measure], labels: Sequence[Tensor]) -> None:
        self._measures, self._labels = measures, labels
        self._parts: list[list[Tensor]] = [[] for _ in measures]

    def add(self, batch: int, outputs: Outputs) -> None:
        """Measure the outputs of a batch."""
        for measure, parts in zip(self._measures, self._parts, strict=True):
            parts.append(measure(outputs, self._labels[batch]))

    @property
    def values(self) -> list[Tensor]:
        """The values of each measure for all samples, (n, ...)."""
        return [torch.cat(parts) for parts in self._parts]
