"""The directions of a match that become stitches, where it joins many networks."""

from collections.abc import Sequence

import pytest
from stitching_examples import matching_of, random_network

from netstitch.errors import StitchingError
from netstitch.matching.matches import Match, Matching
from netstitch.stitching import Stitch, make_switchboard
from netstitch.stitching.directions import by_cost, with_sources

GRAPHS = [random_network(seed, name).graph for seed, name in enumerate("abcd", start=1)]
JOINED = matching_of(("s1", "s2", "s3", "s2"), ("pool", "pool", None, "pool"))
"""A match of four networks, and one of three."""


def directions_of(matching: Matching, match: int) -> list[tuple[int, int]]:
    board = make_switchboard(GRAPHS, matching)
    return [(s.source.network, s.target.network) for s in board.stitches if s.match == match]


def test_a_match_keeps_the_lowest_of_each_point() -> None:
    def rank(stitches: Sequence[Stitch]) -> list[float]:
        """Network 3 makes all others best, then 0; and what goes to 3 is best from 1."""
        order = {3: [1, 0, 2]}
        ends = [(s.source.network, s.target.network) for s in stitches]
        return [float(order.get(target, [3, 0, 1, 2]).index(source)) for source, target in ends]

    two = with_sources(GRAPHS, JOINED, 2, rank)
    assert directions_of(two, 0) == [(0, 1), (0, 2), (0, 3), (1, 0), (1, 3), (3, 0), (3, 1), (3, 2)]
    assert len(directions_of(two, 1)) == 6  # of three networks, which have two others each
    one = with_sources(GRAPHS, JOINED, 1, rank)
    assert directions_of(one, 0) == [(1, 3), (3, 0), (3, 1), (3, 2)]
    assert len(directions_of(one, 1)) == 3


def test_choices_are_of_the_directions_alone() -> None:
    match = Match(("s1", "s2", "s3", None), ((0, 1), (2, 1), (1, 2)))
    board = make_switchboard(GRAPHS, Matching((match,), 3, 3, "by hand"))
    assert [(switch.place.network, switch.stitches) for switch in board.switches] == [
        (1, (None, 0, 2)),
        (2, (None, 1)),
    ]
    assert board.cardinalities[:-1] == (3, 2)


def test_without_large_matches_nothing_is_ranked() -> None:
    def rank(stitches: Sequence[Stitch]) -> list[float]:
        raise AssertionError

    assert with_sources(GRAPHS, JOINED, 3, rank) is JOINED


def test_by_cost_the_cheapest_are_kept() -> None:
    bounded = with_sources(GRAPHS, JOINED, 1, by_cost)
    every = make_switchboard(GRAPHS, JOINED).stitches
    kept = make_switchboard(GRAPHS, bounded).stitches
    for stitch in kept:
        others = [s for s in every if s.target == stitch.target]
        assert stitch.multiply_adds == min(s.multiply_adds for s in others)


@pytest.mark.parametrize("direction", [(0, 3), (1, 1), (0, 1, 2), (0, -1)])
def test_directions_of_other_networks_are_refused(direction: tuple[int, int]) -> None:
    match = Match(("s1", "s2", "s3", None), (direction,))
    with pytest.raises(StitchingError, match=r"has the direction .*; expected two of its"):
        make_switchboard(GRAPHS, Matching((match,), 3, 3, "by hand"))
