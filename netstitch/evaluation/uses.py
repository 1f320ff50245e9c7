"""How often content keys were asked for lately, whether their values are kept or not.

Most values of a search are asked for once and never again; the others are shared by whole families
of genotypes. What was asked for before is so much the best sign of what will be asked for again,
that a key is remembered long after its value is gone. Counts are halved every PERIOD evaluations,
as in TinyLFU (Einziger, Friedman and Manes, 2017), so that families that died out are forgotten.
"""

from collections.abc import Iterable

from netstitch.networks.plan import Key

PERIOD = 256
FORGOTTEN = 0.25
"""A count below which a key is forgotten: one use is remembered for two to three periods."""


class Uses:
    """Counts by key."""

    def __init__(self) -> None:
        self._counts: dict[Key, float] = {}
        self._evaluations = 0

    def __contains__(self, key: object) -> bool:
        return key in self._counts

    def __len__(self) -> int:
        return len(self._counts)

    def __getitem__(self, key: Key) -> float:
        return self._counts.get(key, 0.0)

    def see(self, keys: Iterable[Key]) -> None:
        """Count the distinct keys of one evaluation, or of several that are computed together."""
        for key in keys:
            self._counts[key] = self._counts.get(key, 0.0) + 1
        self._evaluations += 1
        if self._evaluations % PERIOD == 0:
            halved = ((key, count / 2) for key, count in self._counts.items())
            self._counts = {key: count for key, count in halved if count >= FORGOTTEN}

    def clear(self) -> None:
        self._counts.clear()
