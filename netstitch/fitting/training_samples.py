"""Re-batching inputs for training, passed over as often as asked."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

import torch
from torch import Tensor

from netstitch.errors import FittingError
from netstitch.fitting.feature_stream import Batch, check_samples, inputs, split

MEASURED = 0.125
"""Share of the inputs that errors are measured on where none are held out."""


class TrainingSamples:
    """The inputs of a stream of batches: some to train on, and some to measure errors on.

    Read `training_batches` to its end first: what errors are measured on is collected on the way.

    Args:
        batches: Inputs (batch, ...), or tuples that start with them.
        holdout: Share held out, spread evenly (see `feature_stream.split`), which errors are
            measured on; it is never trained on. With 0 all are trained on, every eighth of which
            errors are measured on.
        memory_budget: Bytes of inputs to hold. When all fit, they are shuffled anew in each pass.
            Else they are read again in each pass, in their order, and as many to measure errors on
            are kept as fit.
        seed: Of the order.
    """

    def __init__(
        self, batches: Iterable[Batch], holdout: float, memory_budget: int, seed: int
    ) -> None:
        self._batches = batches
        self._apart = holdout > 0
        self._share = holdout or MEASURED
        self._budget = memory_budget
        self._generator = torch.Generator().manual_seed(seed)
        self._kept: list[Tensor] = []

    @property
    def held_out(self) -> int:
        """Number of inputs that are held out and kept."""
        return self._measured if self._apart else 0

    @property
    def _measured(self) -> int:
        return sum(map(len, self._kept))

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
        check_samples(max(2, samples), self._measured, self._share)

    def measured_batches(self, batch_size: int) -> Iterator[Tensor]:
        """Yield the inputs to measure errors on, in batches of `batch_size` at most."""
        for values in self._kept:
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
            fitted = len(rows) if self._apart else len(rows) - self._measured
            check_samples(fitted, self._measured, self._share)
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
        """Yield the inputs of a pass that are trained on; in the first keep those to measure on."""
        seen = 0
        for values in stream:
            others, measured = split(seen, len(values), self._share)
            if first:
                self._keep(values[measured.to(values.device)])
            yield from (values[i] for i in others.tolist()) if self._apart else values
            seen += len(values)

    def _keep(self, values: Tensor) -> None:
        used = sum(each.nbytes for each in self._kept)
        if len(values) and (used + values.nbytes <= self._budget or self._measured < 2):
            self._kept.append(values)
