"""Re-batching inputs for training, passed over as often as asked, some of them held out."""

from collections.abc import Iterable, Iterator
from itertools import chain

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
        stream = (values for _, values in inputs(self._batches))
        kept: list[Tensor] = []
        used = 0
        for values in stream:
            kept.append(values)
            used += values.nbytes
            if used > self._budget:
                return self._streamed(batch_size, samples, chain(kept, stream))
        return self._shuffled(batch_size, samples, kept)

    def held_out_batches(self, batch_size: int) -> Iterator[Tensor]:
        """Yield the held-out inputs, in batches of `batch_size` at most."""
        for values in self._held:
            for start in range(0, len(values), batch_size):
                yield values[start : start + batch_size]

    def _shuffled(self, batch_size: int, samples: int, kept: list[Tensor]) -> Iterator[Tensor]:
        rows: list[Tensor] = []  # views: nothing is copied until a batch is put together
        seen = 0
        for values in kept:
            train, held = split(seen, len(values), self._holdout)
            rows += [values[i] for i in train.tolist()]
            if len(held):
                self._held.append(values[held.to(values.device)])
            seen += len(values)
        check_samples(len(rows), self.held_out, self._holdout)
        pending: list[int] = []
        while samples > 0:
            size = min(batch_size, samples)
            while len(pending) < size:
                pending += torch.randperm(len(rows), generator=self._generator).tolist()
            yield torch.stack([rows[i] for i in pending[:size]])
            del pending[:size]
            samples -= size

    def _streamed(
        self, batch_size: int, samples: int, first_pass: Iterable[Tensor]
    ) -> Iterator[Tensor]:
        pending: Tensor | None = None
        given = 0
        for values in self._training_inputs(first_pass):
            pending = values if pending is None else torch.cat([pending, values])
            while len(pending) >= min(batch_size, samples - given):
                size = min(batch_size, samples - given)
                yield pending[:size]
                pending = pending[size:]
                given += size
                if given == samples:
                    check_samples(given, self.held_out, self._holdout)
                    return
        raise FittingError(
            f"the batches ended after {given} of {samples} training samples, can be read only "
            "once, and do not fit in memory_budget: give a list or a data loader, or fewer samples"
        )

    def _training_inputs(self, first_pass: Iterable[Tensor]) -> Iterator[Tensor]:
        """Yield what is trained on, pass after pass, for as long as the batches can be read."""
        passed = 0
        stream = first_pass
        while True:
            seen = 0
            for values in stream:
                train, held = split(seen, len(values), self._holdout)
                if not passed:
                    self._keep(values[held.to(values.device)])
                if len(train):
                    yield values[train.to(values.device)]
                seen += len(values)
            passed += 1
            if seen == 0 or isinstance(self._batches, Iterator):
                return
            stream = (values for _, values in inputs(self._batches))

    def _keep(self, held: Tensor) -> None:
        used = sum(each.nbytes for each in self._held)
        if len(held) and (used + held.nbytes <= self._budget or self.held_out < 2):
            self._held.append(held)
