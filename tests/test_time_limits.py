"""The number of pieces of work that still end in time."""

from math import inf
from sys import maxsize

import pytest

from netstitch.time_limits import REMEMBERED, Throughput


def paced(*tasks: tuple[float, int]) -> Throughput:
    throughput = Throughput()
    for task in tasks:
        throughput.note(*task)
    return throughput


@pytest.mark.parametrize(
    "tasks, seconds, expected",
    [
        ([], 100.0, 1),  # one, from which it is known how long they take
        ([], 0.0, 0),
        ([(2.0, 1)], 1.9, 0),
        ([(2.0, 1)], 2.0, 1),
        ([(2.0, 1)], 5.9, 1),
        ([(2.0, 1)], 6.0, 2),
        ([(2.0, 1), (4.0, 5)], 8.0, 5),  # the first one may have had to warm up
        ([(9.0, 1), (2.0, 1), (4.0, 5)], 8.0, 4),
        ([(1.0, 1)], 1e307, 2**52),
        ([(2.0, 1)], -1.0, 0),
        ([(2.0, 1)], inf, maxsize),
        ([(0.0, 1)], 1e-9, maxsize),
    ],
)
def test_half_of_those_that_end_in_time_by_the_mean_of_those_before(
    tasks: list[tuple[float, int]], seconds: float, expected: int
) -> None:
    assert paced(*tasks).fitting(seconds) == expected


def test_those_that_are_expected_are_all_that_end_in_time() -> None:
    assert Throughput().expected(10.0) == 1
    assert paced((9.0, 1), (2.0, 1), (4.0, 5)).expected(8.0) == 8
    assert paced((2.0, 1)).expected(5.9) == 2
    assert paced((2.0, 1)).expected(0.0) == 0
    assert paced((2.0, 1)).expected(inf) == maxsize


def test_what_is_long_ago_is_forgotten() -> None:
    assert paced((1e6, 1), *[(1.0, 1)] * REMEMBERED).fitting(6.0) == 3


def test_another_pace_goes_on_by_what_is_remembered() -> None:
    known = paced((9.0, 1), (2.0, 1), (4.0, 5))
    assert Throughput(known.tasks).expected(8.0) == known.expected(8.0)
