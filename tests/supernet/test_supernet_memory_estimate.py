"""The memory of a supernet, before its stitches are made."""

from dataclasses import replace

import pytest
from small_supernets import three_networks

from netstitch.errors import StitchingError
from netstitch.stitching.directions import by_cost, with_sources
from netstitch.supernet.memory_estimate import MatchWidths, MemoryEstimate, memory_estimate
from netstitch.supernet.supernet import Supernet

FOUR = MemoryEstimate(
    ("a", "b", "c", "d"),
    (100, 200, 300, 400),
    (MatchWidths({0: 1, 1: 2, 2: 3, 3: 4}), MatchWidths({0: 1, 3: 9}, ((0, 3),))),
)


@pytest.fixture(scope="module")
def made() -> Supernet:
    return three_networks()


def test_it_counts_the_very_bytes(made: Supernet) -> None:
    stitches = sum(tensor.nbytes for tensor in made.stitch_weights().values())
    every = sum(tensor.nbytes for tensor in made.tensors().values())
    found = memory_estimate(made.names, made.basis_networks, made.matching)
    assert found.total(1) == every
    assert found.total(3) == every + 2 * stitches


def test_bounded_to_the_cheapest_it_counts_those_of_that_matching(made: Supernet) -> None:
    bounded = with_sources(made.graphs, made.matching, 1, by_cost)
    expected = memory_estimate(made.names, made.basis_networks, bounded)
    found = memory_estimate(made.names, made.basis_networks, made.matching, sources=1)
    assert found.stitches() == expected.stitches() < replace(found, sources=2).stitches()


def test_what_costs_the_most_is_left_out_first() -> None:
    # To a: (3 + 4 + 5) 1, to b: (2 + 4 + 5) 2, to c: (2 + 3 + 5) 3, to d: (2 + 3 + 4) 4, and 2 9.
    assert FOUR.stitches() == 4 * (12 + 22 + 30 + 36 + 18)
    assert FOUR.total(1) == 1000 + 472
    assert FOUR.to_leave_out(1, 1472) == []
    assert FOUR.to_leave_out(1, 1471) == [3]
    assert FOUR.total(1, [3]) == 600 + 4 * (7 + 12 + 15)
    assert FOUR.to_leave_out(1, 735) == [3, 2]
    assert FOUR.total(1, [3, 2]) == 300 + 4 * (3 + 4)
    assert FOUR.to_leave_out(1, 327) == [0, 1, 2, 3]


def test_where_stitches_are_bounded_others_take_the_place_of_those_left_out() -> None:
    one = replace(FOUR, sources=1)
    assert one.stitches() == 4 * (3 + 4 + 6 + 8 + 18)
    assert one.stitches([0]) == 4 * (4 * 2 + 3 * 3 + 3 * 4)


def test_the_line_says_how_much_and_what_to_leave_out() -> None:
    FOUR.check(2, 1944)
    with pytest.raises(StitchingError) as caught:
        FOUR.check(2, 1943)
    assert str(caught.value) == (
        "a supernet of a, b, c and d takes about 1.94 kB of memory (2 copies of 472 B of stitches, "
        "and 1 kB of networks), and memory_budget is 1.94 kB: leave out d, for 872 B; or let fewer "
        "stitches go to a point (sources), or raise memory_budget"
    )
    with pytest.raises(StitchingError, match="no two of them take less; or let fewer"):
        FOUR.check(2, 300)


def test_a_supernet_beyond_its_budget_is_refused_before_stitches_are_made(made: Supernet) -> None:
    networks, matching = list(made.basis_networks), made.matching
    least = memory_estimate(made.names, networks, matching).total(2)
    assert Supernet(networks, matching, memory_budget=least).stitches
    with pytest.raises(StitchingError, match=r"takes about .* leave out net"):
        Supernet(networks, matching, memory_budget=least - 1)
