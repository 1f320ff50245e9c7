"""Samples in the layout in which they are evaluated."""

from collections.abc import Iterator

import torch
from torch import Tensor

from netstitch.evaluation.numerics import NumericsConfig
from netstitch.tasks import Samples

HELD = 4_000_000_000
"""Bytes of samples that are arranged once and kept; more are arranged as they are read."""


class ArrangedBatches:
    """Batches of samples in the layout and precision of evaluations, on a device.

    More than HELD bytes, such as a test set in a file that is mapped into memory, are arranged
    batch by batch, each time that they are read.
    """

    def __init__(self, samples: Samples, form: NumericsConfig, device: torch.device | str) -> None:
        self._form, self._device = form, torch.device(device)
        parts = samples.batches(form.batch)
        self._held = samples.inputs.nbytes <= HELD
        self._batches = [self._arranged(part) for part in parts] if self._held else parts

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Tensor:
        batch = self._batches[index]
        return batch if self._held else self._arranged(batch)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[index] for index in range(len(self)))

    def _arranged(self, batch: Tensor) -> Tensor:
        return self._form.arrange(batch.to(self._device))

    def move(self, device: torch.device | str) -> bool:
        """Put the batches on a device; return whether they were on another."""
        if self._device == torch.device(device):
            return False
        self._device = torch.device(device)
        if self._held:
            self._batches = [self._arranged(batch) for batch in self._batches]
        return True
