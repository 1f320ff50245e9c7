"""What is kept, against a twin that looks at everything each time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.evaluation import cache as module
from netstitch.evaluation.cache import ActivationCache
from netstitch.evaluation.exclusive import Made
from netstitch.networks.plan import INPUT_KEY, Key

BYTES = 4  # of one float


def values(size: int) -> list[torch.Tensor]:
    """So many bytes, as two batches."""
    numbers = size // BYTES
    return [torch.zeros(numbers // 2), torch.zeros(numbers - numbers // 2)]


def chain(names: str, work: int = 100, size: int = BYTES) -> list[Made]:
    """Values that each read the one before; the first reads the input."""
    reads = [INPUT_KEY, *(name.encode() for name in names)]
    return [
        Made(name.encode(), (read,), work, size) for name, read in zip(names, reads, strict=False)
    ]


def evaluate(cache: ActivationCache, asked: Sequence[Made], results: Collection[Key]) -> set[Key]:
    """Run as an evaluator does; the keys that were made."""
    made, needed = missing(asked, results, set(cache.keys()))
    kept = cache.plan_keeping(made, results, needed)
    sizes = {value.key: value.bytes for value in made}
    assert cache.bytes + sum(sizes[key] for key in kept) * cache.samples <= cache.budget
    for key in kept:
        cache.put(key, values(sizes[key] * cache.samples))
    return {value.key for value in made}


def missing(
    asked: Sequence[Made], results: Collection[Key], known: Collection[Key]
) -> tuple[list[Made], set[Key]]:
    """What has to be made, in order, and what is read of the known."""
    wanted, made, needed = set(results), [], set()
    for value in reversed(asked):
        if value.key in wanted and value.key in known:
            needed.add(value.key)
        elif value.key in wanted:
            made.append(value)
            wanted.update(value.reads)
    return made[::-1], needed


@dataclass
class Twin:
    """The policy in its simplest words; without forgetting."""

    budget: int
    uses: dict[Key, int] = field(default_factory=dict)
    kept: dict[Key, tuple[int, float]] = field(default_factory=dict)  # bytes, saved

    def evaluate(self, asked: Sequence[Made], results: Collection[Key]) -> None:
        made, needed = missing(asked, results, self.kept)
        before = dict(self.uses)
        for key in [*needed, *(value.key for value in made if value.bytes)]:
            self.uses[key] = self.uses.get(key, 0) + 1
        chosen: dict[Key, tuple[int, float]] = {}
        old = dict(self.kept)
        while True:
            best, most = None, (0.0, b"")
            for value in made:
                saved = self._saved(made, results, chosen, value.key)
                if value.bytes and value.key in before and saved > module.KEEPING * value.bytes:
                    rank = (self.uses[value.key] * saved / value.bytes, value.key)
                    if rank > most:
                        best, most = (value, saved), rank
            if best is None:
                break
            value, saved = best
            goes: list[Key] = []
            while value.bytes > self.budget - self._held(old, goes) - self._held(chosen):
                left = [key for key in old if key not in goes and key not in needed]
                if not left:
                    break
                goes.append(min(left, key=lambda key: (self._worth(key) / old[key][0], key)))
            fits = value.bytes <= self.budget - self._held(old, goes) - self._held(chosen)
            if not fits or (sum(map(self._worth, goes)) >= self.uses[value.key] * saved and goes):
                break
            old = {key: entry for key, entry in old.items() if key not in goes}
            chosen[value.key] = (value.bytes, saved)
        self.kept = old | chosen

    def _worth(self, key: Key) -> float:
        return self.uses[key] * self.kept[key][1]

    def _held(self, entries: dict[Key, tuple[int, float]], but: Collection[Key] = ()) -> int:
        return sum(size for key, (size, _) in entries.items() if key not in but)

    def _saved(
        self, made: Sequence[Made], results: Collection[Key], chosen: Collection[Key], key: Key
    ) -> int:
        without, _ = missing(made, results, chosen)
        with_it, _ = missing(made, results, {*chosen, key})
        return sum(value.work for value in without) - sum(value.work for value in with_it)


def families(choices: Sequence[int]) -> list[Made]:
    """One way down a tree of values, with a shortcut around every other one.

    Equal beginnings are equal values, as those of genotypes that part later.
    """
    asked: list[Made] = []
    way = b""
    for depth, choice in enumerate(choices):
        way += bytes([choice])
        before = [value.key for value in asked[-2:]] if depth % 2 else [way[:-1] or INPUT_KEY]
        work = 20 + 60 * (depth * 7 % 5)
        asked.append(Made(way, tuple(before), work, BYTES * ((depth + choice) % 3)))
    return asked


streams = st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=6), max_size=60)


@given(st.integers(0, 60), streams)
@settings(deadline=None)
def test_what_is_kept_is_what_an_obvious_twin_keeps(budget: int, asked: list[list[int]]) -> None:
    cache, twin = ActivationCache(budget), Twin(budget)
    for choices in asked:
        family = families(choices)
        evaluate(cache, family, [family[-1].key])
        twin.evaluate(family, [family[-1].key])
        assert set(cache.keys()) == twin.kept.keys()
        assert cache.bytes == sum(size for size, _ in twin.kept.values()) <= budget


def test_a_value_is_kept_when_it_is_made_for_the_second_time() -> None:
    cache = ActivationCache(budget=1000)
    assert evaluate(cache, chain("ab"), [b"b"]) == {b"a", b"b"}
    assert not len(cache)
    assert evaluate(cache, chain("ac"), [b"c"]) == {b"a", b"c"}
    assert set(cache.keys()) == {b"a"}
    assert evaluate(cache, chain("ad"), [b"d"]) == {b"d"}


def test_values_asked_for_once_do_not_evict_others() -> None:
    cache = ActivationCache(budget=2 * BYTES)
    for name in "bcd":
        evaluate(cache, chain("a" + name), [name.encode()])
    for number in range(100):
        evaluate(cache, chain(chr(500 + number)), [chr(500 + number).encode()])
    assert set(cache.keys()) == {b"a"}


def test_behind_a_kept_value_only_what_follows_counts() -> None:
    """Of a long way to b and little work from there to c, c is not worth evicting others for."""
    cache = ActivationCache(budget=2 * BYTES)
    way = [Made(b"b", (INPUT_KEY,), 1000, BYTES), Made(b"c", (b"b",), 50, BYTES)]
    other = [Made(b"o", (INPUT_KEY,), 500, BYTES)]
    for _ in range(2):
        evaluate(cache, way[:1], [b"b"])
        evaluate(cache, other, [b"o"])
    assert set(cache.keys()) == {b"b", b"o"}
    for _ in range(3):
        evaluate(cache, way, [b"c"])
    assert set(cache.keys()) == {b"b", b"o"}


def test_what_is_cheap_to_make_is_not_kept() -> None:
    cache = ActivationCache(budget=10**6)
    cheap = [Made(b"cheap", (INPUT_KEY,), module.KEEPING * 100, 100)]
    for _ in range(3):
        evaluate(cache, cheap, [b"cheap"])
    assert not len(cache)


def test_what_an_evaluation_reads_stays() -> None:
    cache = ActivationCache(budget=BYTES)
    for _ in range(2):
        evaluate(cache, chain("a"), [b"a"])
    heavy = [*chain("a"), Made(b"b", (b"a",), 10**6, BYTES)]
    for _ in range(3):
        evaluate(cache, heavy, [b"b"])
    assert set(cache.keys()) == {b"a"}


def test_a_family_that_died_out_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netstitch.evaluation.uses.PERIOD", 8)
    cache = ActivationCache(budget=BYTES)
    for _ in range(16):
        evaluate(cache, chain("a"), [b"a"])
    for _ in range(64):
        evaluate(cache, chain("b"), [b"b"])
    assert set(cache.keys()) == {b"b"}


def test_sizes_are_for_all_samples() -> None:
    cache = ActivationCache(budget=10 * BYTES, samples=10)
    for _ in range(3):
        evaluate(cache, chain("a"), [b"a"])
        evaluate(cache, chain("b", size=2 * BYTES), [b"b"])
    assert set(cache.keys()) == {b"a"}
    assert cache.bytes == 10 * BYTES


def test_a_view_counts_with_all_of_the_memory_that_it_keeps() -> None:
    cache = ActivationCache(budget=BYTES * 1000)
    for _ in range(2):
        cache.plan_keeping(chain("a"), [b"a"])
    cache.put(b"a", [torch.zeros(100, 8)[:, :1]])
    assert cache.bytes == BYTES * 800
    for _ in range(2):
        cache.plan_keeping(chain("b"), [b"b"])
    cache.put(b"b", [torch.zeros(100, 8)[:, :1]])
    assert set(cache.keys()) == {b"a"}


def test_only_what_was_planned_is_kept() -> None:
    cache = ActivationCache(budget=1000)
    cache.put(b"a", values(BYTES))
    assert not len(cache)


def test_after_clearing_it_is_as_new_but_for_what_was_counted() -> None:
    cache = ActivationCache(100)
    for _ in range(2):
        cache.count(asked=10, made=7)
        evaluate(cache, chain("a"), [b"a"])
        assert not len(cache)
        evaluate(cache, chain("a"), [b"a"])
        assert (cache.bytes, len(cache)) == (BYTES, 1)
        cache.clear()
        assert (cache.bytes, len(cache)) == (0, 0)
    assert (cache.hits, cache.misses) == (6, 14)
