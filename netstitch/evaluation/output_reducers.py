"""What becomes of outputs as they come, batch by batch: all of them are more than memory holds."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

Measure = Callable[[Any, Tensor], Tensor]
"""Of outputs and labels of some samples: values (n, ...)."""


class OutputReducer(Protocol):
    """Looks at the outputs of a subnetwork."""

    @property
    def may_end(self) -> bool:
        """Whether it may have seen enough before all batches."""
        ...

    @property
    def ended(self) -> bool:
        """Whether it has seen enough."""
        ...

    def look(self, batch: int, outputs: Any) -> None:
        """See the outputs of a batch; batches come in order."""
        ...


class OutputCollector:
    """Keeps all outputs."""

    may_end = ended = False

    def __init__(self) -> None:
        self._parts: list[Any] = []

    def look(self, batch: int, outputs: Any) -> None:
        self._parts.append(outputs)

    @property
    def outputs(self) -> Any:
        """Those of all samples, a tensor or tensors by key."""
        first = self._parts[0]
        if isinstance(first, Tensor):
            return torch.cat(self._parts)
        return {key: torch.cat([part[key] for part in self._parts]) for key in first}


class AccuracyReducer:
    """Keeps what measures make of outputs."""

    may_end = ended = False

    def __init__(self, measures: Sequence[Measure], labels: Sequence[Tensor]) -> None:
        self._measures, self._labels = measures, labels
        self._parts: list[list[Tensor]] = [[] for _ in measures]

    def look(self, batch: int, outputs: Any) -> None:
        for measure, parts in zip(self._measures, self._parts, strict=True):
            parts.append(measure(outputs, self._labels[batch]))

    @property
    def values(self) -> list[Tensor]:
        """Of each measure those of all samples, (n, ...)."""
        return [torch.cat(parts) for parts in self._parts]
