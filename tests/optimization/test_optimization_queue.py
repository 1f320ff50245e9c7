"""Evaluations that wait are taken in order, each with those that belong with it."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netstitch.optimization import Genotype
from netstitch.optimization.executors.executor import WHOLE, Request
from netstitch.optimization.executors.queue import EvaluationQueue


def request(ticket: int) -> Request:
    return Request(ticket, np.array([max(ticket, 0)]))


def alike(waiting: Sequence[Genotype], count: int) -> list[int]:
    """Those of the first one's parity."""
    parity = waiting[0][0] % 2
    return [index for index, one in enumerate(waiting) if one[0] % 2 == parity][:count]


def test_the_oldest_are_taken_and_wait_no_more() -> None:
    waiting = EvaluationQueue()
    for ticket in range(5):
        waiting.put(request(ticket))
    assert [one.ticket for one in waiting.take(3)] == [0, 1, 2]
    assert [one.ticket for one in waiting.take(3)] == [3, 4]
    assert waiting.take(3) == []


def test_those_that_go_with_the_oldest_are_taken_with_it() -> None:
    waiting = EvaluationQueue(alike)
    for ticket in range(5):
        waiting.put(request(ticket))
    assert [one.ticket for one in waiting.take(2)] == [0, 2]
    assert [one.ticket for one in waiting.take(2)] == [1, 3]
    assert [one.ticket for one in waiting.take(2)] == [4]


def test_one_that_the_search_waits_for_is_the_next_and_alone() -> None:
    waiting = EvaluationQueue(alike)
    for ticket in (0, 1, WHOLE):
        waiting.put(request(ticket))
    first = waiting.take(1)
    waiting.put_back([request(2), *first])  # as where a worker died
    assert [one.ticket for one in waiting.take(3)] == [WHOLE]
    assert [one.ticket for one in waiting.take(3)] == [2, 0]


@given(st.lists(st.integers(1, 4), max_size=20), st.booleans())
def test_each_is_taken_once_and_the_oldest_never_waits(counts: list[int], chosen: bool) -> None:
    waiting = EvaluationQueue(alike if chosen else None)
    left = list(range(12))
    for ticket in left:
        waiting.put(request(ticket))
    for count in counts:
        taken = [one.ticket for one in waiting.take(count)]
        assert len(taken) <= count
        assert taken[:1] == left[:1]
        assert set(taken) <= set(left)
        left = [ticket for ticket in left if ticket not in taken]
    assert len(waiting) == len(left)
