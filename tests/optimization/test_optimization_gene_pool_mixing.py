"""A pass tries each subset once, and goes on from what was kept."""

import numpy as np

from netstitch.optimization.operators.gene_pool_mixing import Mixing
from netstitch.optimization.problem import Solution

GENERATOR = np.random.default_rng(0)


def solution(*values: int) -> Solution:
    return Solution(np.array(values), (0.0,))


def mixing(own: Solution, donors: list[list[int]], *subsets: list[int]) -> Mixing:
    return Mixing(own, [np.array(subset) for subset in reversed(subsets)], np.array(donors))


def test_only_the_subset_is_copied_and_only_where_a_donor_differs() -> None:
    found = mixing(solution(0, 0, 0), [[0, 1, 1], [0, 0, 0]], [0], [1, 2], [2])
    children = [found.next(GENERATOR) for _ in range(3)]
    assert [None if each is None else each.tolist() for each in children] == [
        [0, 1, 1],
        [0, 0, 1],
        None,
    ]


def test_any_donor_that_differs_may_give() -> None:
    seen = set()
    for _ in range(40):
        child = mixing(solution(0, 0), [[0, 0], [1, 0], [2, 0]], [0]).next(GENERATOR)
        assert child is not None
        seen.add(int(child[0]))
    assert seen == {1, 2}


def test_a_pass_goes_on_from_what_was_kept() -> None:
    found = mixing(solution(0, 0), [[1, 1]], [0], [1])
    found.next(GENERATOR)
    found.keep(solution(1, 0), improved=False)
    second = found.next(GENERATOR)
    assert second is not None
    assert second.tolist() == [1, 1]
    assert (found.changed, found.improved) == (True, False)
    found.keep(solution(1, 1), improved=True)
    assert found.improved


def test_a_forced_improvement_ends_with_its_first_change() -> None:
    donor = solution(1, 1)
    found = mixing(solution(0, 0), [[1, 1]], [0], [1])
    found.forced = donor
    assert found.next(GENERATOR) is not None
    assert found.next(GENERATOR) is not None  # nothing was kept so far
    found = mixing(solution(0, 0), [[1, 1]], [0], [1])
    found.forced = donor
    found.next(GENERATOR)
    found.keep(solution(1, 0), improved=True)
    assert found.next(GENERATOR) is None
