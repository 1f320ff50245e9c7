"""Re-batching inputs for training, passed over as often as asked, some of them held out."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

import torch
from torch import Tensor

from netstitch.errors import FittingError
from netstitch.fitting.feature_stream import Batch, check_samples, inputs, split


class TrainingSamples:
    """The inputs of a stream of batches, to train on and held out.

    Read `training_batches` to its end first: the held-out inputs are collected on the way.

    Args:
        batches: Inputs (batch, ...), or tuples that start with them.
        holdout: Share held out, spread evenly (see `feature_stream.split`).
        memory_budget: Bytes of inputs to hold. When all fit, they are shuffled anew in each pass.
            Else they are read again in each pass, in their order, and as many held-out ones are
            kept as fit; what is held out is never trained on.
        seed: Of the order.
    """

    def __init__(
        self, batches: Iterable[Batch], holdout: float, memory_budget: int, seed: int
    ) -> None:
        self._batches = batches
        self._holdout = holdout
        self._budget = memory_budget
        self._generator = torch.Generator().manual_seed(seed)
        self._held: list[Tensor] = []

    @property
    def held_out(self) -> int:
        """Number of inputs that are held out and kept."""
        return sum(map(len, self._held))

    def training_batches(self, batch_size: int, samples: int) -> Iterator[Tensor]:
        """Yield batches of `batch_size` inputs, the last one smaller, until `samples` were given.

        Raises:
            FittingError: There are too few samples, or batches that do not fit in memory can be
                read only once and end too early.
        """
        rows = self._rows()
        for given in range(0, samples, batch_size):
            batch = list(islice(rows, min(batch_size, samples - given)))
            if len(batch) < min(batch_size, samples - given):
                raise FittingError(
                    f"the batches ended after {given} of {samples} training samples, can be "
                    "read only once, and do not fit in memory_budget: give a list or a data "
                    "loader, or fewer samples"
                )
            yield torch.stack(batch)
        # A single one that was asked for is enough to train on.
        check_samples(max(2, samples), self.held_out, self._holdout)

    def held_out_batches(self, batch_size: int) -> Iterator[Tensor]:
        """Yield the held-out inputs, in batches of `batch_size` at most."""
        for values in self._held:
            yield from torch.split(values, batch_size)

    def _rows(self) -> Iterator[Tensor]:
        """Yield what is trained on, input by input, for as long as the batches can be read."""
        stream = (values for _, values in inputs(self._batches))
        kept: list[Tensor] = []
        used = 0
        for values in stream:
            kept.append(values)
            used += values.nbytes
            if used > self._budget:
                every = chain(kept, stream)
                del kept  # the memory of what was trained on is let go
                yield from self._pass(every, first=True)
                break
        else:
            rows = list(self._pass(kept, first=True))  # views: nothing is copied
            check_samples(len(rows), self.held_out, self._holdout)
            while True:
                order = torch.randperm(len(rows), generator=self._generator)
                yield from (rows[i] for i in order.tolist())
        more = not isinstance(self._batches, Iterator)
        while more:
            more = False
            for row in self._pass((values for _, values in inputs(self._batches)), first=False):
                more = True
                yield row

    def _pass(self, stream: Iterable[Tensor], *, first: bool) -> Iterator[Tensor]:
        """Yield the inputs of a pass that are trained on; in the first keep those held out."""
        seen = 0
        for values in stream:
            train, held = split(seen, len(values), self._holdout)
            if first:
                self._keep(values[held.to(values.device)])
            yield from (values[i] for i in train.tolist())
            seen += len(values)

    def _keep(self, held: Tensor) -> None:
        used = sum(each.nbytes for each in self._held)
        if len(held) and (used + held.nbytes <= self._budget or self.held_out < 2):
            self._held.append(held)
