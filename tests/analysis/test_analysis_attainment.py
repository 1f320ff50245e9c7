"""Attainment surfaces against a direct count of runs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netstitch.analysis.attainment import attainment
from netstitch.errors import DataError

network = st.tuples(st.integers(1, 8).map(float), st.integers(0, 8).map(lambda n: n / 8))
fronts = st.lists(st.lists(network, min_size=1, max_size=4), min_size=1, max_size=5)


@given(fronts, st.sampled_from([0.25, 0.5, 0.75, 1.0]))
def test_it_is_what_that_share_of_runs_reaches(
    fronts: list[list[tuple[float, float]]], share: float
) -> None:
    corners = attainment(fronts, share)
    needed = math.ceil(share * len(fronts))
    for cost in (0.5, 1.0, 2.5, 4.0, 8.0, 9.0):
        best = sorted(
            (max((a for c, a in front if c <= cost), default=-1.0) for front in fronts),
            reverse=True,
        )
        reached = max((a for c, a in corners if c <= cost), default=-1.0)
        assert reached == best[needed - 1]


def test_runs_without_networks_attain_nothing() -> None:
    assert attainment([[(1.0, 0.5)], []], 0.5) == ((1.0, 0.5),)
    assert attainment([[(1.0, 0.5)], []], 1.0) == ()


def test_what_is_no_share_or_has_no_networks() -> None:
    with pytest.raises(DataError, match="share"):
        attainment([[(1.0, 0.5)]], 0.0)
    with pytest.raises(DataError, match="no networks"):
        attainment([[], []], 0.5)
