"""The gain of a point, against the hypervolumes of the front with it and without."""

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netstitch.optimization.linear_surrogate.hypervolume_gain import Floats, hypervolume_gains

coordinates = st.tuples(st.integers(-3, 12), st.integers(-3, 12))


def volume(points: Floats) -> float:
    inside = points[(points < 1).all(axis=1)]
    return float(moocore.hypervolume(inside, ref=[1, 1])) if len(inside) else 0.0


def as_points(found: list[tuple[int, int]]) -> Floats:
    return np.array(found, dtype=np.float64).reshape(-1, 2) / 10


@given(st.lists(coordinates, max_size=6), st.lists(coordinates, min_size=1, max_size=4))
def test_a_gain_is_the_hypervolume_with_the_point_minus_that_without(
    front: list[tuple[int, int]], points: list[tuple[int, int]]
) -> None:
    known, new = as_points(front), as_points(points)
    slow = [volume(np.vstack([known, point])) - volume(known) for point in new]
    fast = hypervolume_gains(new, known)
    assert np.maximum(fast, 0) == pytest.approx(np.array(slow), abs=1e-12)


@given(st.lists(coordinates, min_size=1, max_size=6), coordinates)
def test_without_a_gain_it_tells_by_how_much_both_values_are_too_large(
    front: list[tuple[int, int]], point: tuple[int, int]
) -> None:
    known, new = as_points(front), as_points([point])
    (found,) = hypervolume_gains(new, known)
    if found <= 0:
        (nearly,) = hypervolume_gains(new + found + 1e-6, known)
        (better,) = hypervolume_gains(new + found - 1e-6, known)
        assert nearly <= 0 < better
