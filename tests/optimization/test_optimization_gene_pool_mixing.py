"""A pass tries each subset once, and goes on from what was kept."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

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


GENES = st.tuples(*(st.integers(0, 3) for _ in range(5)))


@settings(deadline=None)
@given(
    own=GENES,
    donors=st.lists(GENES, min_size=1, max_size=4),
    subset=st.sets(st.integers(0, 4), min_size=1).map(sorted),
    seed=st.integers(0, 99),
)
def test_switches_of_any_number_of_choices_take_a_donors_values(
    own: tuple[int, ...], donors: list[tuple[int, ...]], subset: list[int], seed: int
) -> None:
    """The child is one of those that the definition allows; there is none where donors agree."""
    allowed = []
    for donor in donors:
        taken = [donor[i] if i in subset else value for i, value in enumerate(own)]
        allowed += [taken] if taken != list(own) else []
    found = mixing(solution(*own), [list(donor) for donor in donors], subset)
    child = found.next(np.random.default_rng(seed))
    assert (child is None) == (not allowed)
    assert child is None or child.tolist() in allowed


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
