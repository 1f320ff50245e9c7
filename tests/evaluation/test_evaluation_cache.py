"""GreedyDual-Size against a twin that searches all entries each time."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.evaluation.cache import ActivationCache

BYTES = 4  # of one float


class Twin:
    """What the cache should hold, found by looking at everything."""

    def __init__(self, budget: int) -> None:
        self.budget, self.inflation = budget, 0.0
        self.entries: dict[bytes, tuple[int, float, float]] = {}  # size, ratio, worth

    def get(self, key: bytes) -> None:
        size, ratio, _ = self.entries[key]
        self.entries[key] = (size, ratio, self.inflation + ratio)

    def put(self, key: bytes, size: int, work: float) -> None:
        if key in self.entries or size > self.budget:
            return
        while sum(entry[0] for entry in self.entries.values()) + size > self.budget:
            cheapest = min(self.entries, key=lambda other: (self.entries[other][2], other))
            self.inflation = self.entries.pop(cheapest)[2]
        ratio = work / max(size, 1)
        self.entries[key] = (size, ratio, self.inflation + ratio)


def values(numbers: int) -> list[torch.Tensor]:
    """Two batches of so many numbers together."""
    return [torch.zeros(numbers // 2), torch.zeros(numbers - numbers // 2)]


requests = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 12), st.integers(1, 40)), max_size=200
)


@given(st.integers(0, 120), requests)
@settings(deadline=None)
def test_what_is_kept_is_what_an_obvious_twin_keeps(budget: int, asked: list[tuple[int, int, int]]):
    cache, twin = ActivationCache(budget), Twin(budget)
    for number, size, work in asked:
        key = bytes([number])
        if key in cache:
            cache.get(key)
            twin.get(key)
        else:
            cache.put(key, values(size), work)
            twin.put(key, BYTES * size, work)
        assert set(cache.keys()) == twin.entries.keys()
        assert cache.bytes == sum(entry[0] for entry in twin.entries.values()) <= budget


def test_the_cheapest_to_make_for_its_size_goes_first() -> None:
    cache = ActivationCache(budget=BYTES * 20)
    cache.put(b"deep", values(10), work=1000)
    cache.put(b"shallow", values(10), work=10)
    cache.put(b"new", values(5), work=100)
    assert set(cache.keys()) == {b"deep", b"new"}


def test_what_is_not_used_for_long_goes_in_the_end() -> None:
    cache = ActivationCache(budget=BYTES * 20)
    cache.put(b"deep", values(10), work=1000)
    for number in range(200):
        cache.put(bytes([1, number]), values(10), work=100)
    assert b"deep" not in cache


def test_a_value_larger_than_the_budget_evicts_nothing() -> None:
    cache = ActivationCache(budget=BYTES * 10)
    cache.put(b"small", values(10), work=1)
    cache.put(b"large", values(11), work=1000)
    assert set(cache.keys()) == {b"small"}


def test_a_view_counts_with_all_of_the_memory_that_it_keeps() -> None:
    cache = ActivationCache(budget=BYTES * 1000)
    cache.put(b"view", [torch.zeros(100, 8)[:, :1]], work=1)
    assert cache.bytes == BYTES * 800


def test_many_uses_leave_no_trail() -> None:
    cache = ActivationCache(budget=BYTES * 10)
    cache.put(b"one", values(10), work=1)
    for _ in range(10_000):
        cache.get(b"one")
    assert len(cache._order) < 100


def test_after_clearing_it_is_as_new_but_for_what_was_counted() -> None:
    cache = ActivationCache(100)
    for _ in range(2):
        cache.put(b"a", [torch.zeros(10)], 1.0)
        cache.get(b"a")
        assert (cache.bytes, len(cache)) == (40, 1)
        cache.clear()
        assert (cache.bytes, len(cache)) == (0, 0)
    assert (cache.hits, cache.misses) == (2, 2)
