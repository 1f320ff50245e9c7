"""Activations kept between evaluations, within a budget of bytes.

A value is worth the work that it would save, as often as it was asked for lately, and the cache
tries to hold the most worth for its bytes. Work is counted from what is known: behind a value that
is kept, one a few layers on saves only these layers. A value is admitted once it is made for a
second time, and only in the place of values that are worth less together, so that the many that
are never asked for again cost the cache nothing.

What to keep is decided before an evaluation runs: values that are not to be kept are freed as in
any evaluation, and there is room for the others, so that the budget holds at every moment.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from torch import Tensor

from netstitch.documents import Count
from netstitch.evaluation.exclusive import Made, exclusive_work
from netstitch.evaluation.uses import Uses
from netstitch.networks.plan import Key

KEEPING = 10
"""Operations that take as long as keeping one byte, about, on a CPU: memory has to be walked."""


@dataclass(frozen=True)
class Usage:
    """What keeping activations saves.

    hits, misses: operations for a sample that were spared, since what they give was there, and that
    were done. bytes: kept now. budget: the most that may be.
    """

    hits: Count = 0
    misses: Count = 0
    bytes: Count = 0
    budget: Count = 0

    @property
    def rate(self) -> float:
        """The share of all operations that was spared, 0 to 1; 0 before there were any."""
        return self.hits / max(1, self.hits + self.misses)


class ActivationCache:
    """Values by content key, one tensor per batch of the samples; never over `budget` bytes."""

    def __init__(self, budget: int, samples: int = 1) -> None:
        self.budget = budget
        self.samples = samples
        self.bytes = 0
        self.hits = 0  # operations for a sample that were spared, since what they give was there
        self.misses = 0  # operations for a sample that were done
        self._values: dict[Key, Sequence[Tensor]] = {}
        self._sizes: dict[Key, int] = {}
        self._saves: dict[Key, float] = {}  # operations, as it was when the value was admitted
        self._planned: dict[Key, float] = {}  # the same of values that have a place and are awaited
        self._uses = Uses()

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, key: Key) -> Sequence[Tensor]:
        return self._values[key]

    def keys(self) -> Collection[Key]:
        return self._values.keys()

    def usage(self) -> Usage:
        """How it has been used so far."""
        return Usage(self.hits, self.misses, self.bytes, self.budget)

    def count(self, asked: int, made: int) -> None:
        """Count the operations for a sample of an evaluation by itself, and those it came to."""
        self.hits += asked - made
        self.misses += made

    def plan_keeping(
        self, made: Sequence[Made], results: Collection[Key], needed: Collection[Key] = ()
    ) -> frozenset[Key]:
        """Which values of an evaluation to `put` once it has run; room for them is made now.

        made: what it makes, in order. results: keys of its outputs. needed: keys that it reads
        from here; their values stay.
        """
        candidates = {value.key: value for value in made if value.bytes}
        again = [key for key in candidates if key in self._uses]
        self._uses.see([*needed, *candidates])
        self._planned = {}
        free = self.budget - self.bytes
        while again:
            saved = exclusive_work(made, results, self._planned)
            worth = {key: self._uses[key] * saved.get(key, 0.0) for key in again}
            again = [key for key in again if saved.get(key, 0.0) > KEEPING * candidates[key].bytes]
            if not again:
                break
            best = max(again, key=lambda key: (worth[key] / candidates[key].bytes, key))
            size = candidates[best].bytes * self.samples
            less = self._worth_less(size - free, worth[best], needed)
            if less is None:
                break
            for key in less:
                free += self._forget(key)
            free -= size
            self._planned[best] = saved[best]
        return frozenset(self._planned)

    def put(self, key: Key, values: Sequence[Tensor]) -> None:
        """Keep values that `plan_keeping` asked for."""
        # A view keeps all of the memory that it looks into, which may be more than was planned.
        size = sum(tensor.untyped_storage().nbytes() for tensor in values)
        if key not in self._planned or self.bytes + size > self.budget:
            return
        self._values[key], self._sizes[key] = values, size
        self._saves[key] = self._planned.pop(key)
        self.bytes += size

    def clear(self) -> None:
        """Forget all values and uses; the work that was counted stays."""
        self.bytes = 0
        for part in (self._values, self._sizes, self._saves, self._planned, self._uses):
            part.clear()

    def _worth_less(
        self, size: int, worth: float, staying: Collection[Key]
    ) -> Sequence[Key] | None:
        """Values of so many bytes, the least worth for theirs, or None where they are worth more.

        staying: keys of values that are not among them.
        """
        if size <= 0:
            return []
        worths = {key: self._uses[key] * saved for key, saved in self._saves.items()}
        found: list[Key] = []
        for key in sorted(worths, key=lambda key: (worths[key] / max(self._sizes[key], 1), key)):
            if key in staying:
                continue
            found.append(key)
            size -= self._sizes[key]
            worth -= worths[key]
            if size <= 0 or worth <= 0:
                break
        return found if size <= 0 < worth else None

    def _forget(self, key: Key) -> int:
        """The bytes that this gives back."""
        size = self._sizes.pop(key)
        self.bytes -= size
        del self._values[key], self._saves[key]
        return size
