"""Measures of a front whose figures are others than its accuracies on test images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.analysis import hypervolume

POINTS = st.lists(
    st.tuples(st.integers(1, 12), st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=8
)


@settings(deadline=None)
@given(POINTS)
def test_the_area_of_what_is_chosen_by_test_accuracies_is_the_hypervolume(points) -> None:
    from confirmation import area

    cost, _, right = np.array(points, float).T
    accuracy = right / 10
    whole = hypervolume([*accuracy], [*cost], ensemble=10, accuracy_floor=0.3)
    assert area(cost, accuracy, accuracy, 10, 0.3) == pytest.approx(whole)


@settings(deadline=None)
@given(POINTS)
def test_the_area_as_choosing_at_every_limit(points) -> None:
    from confirmation import area

    cost, figures, right = np.array(points, float).T
    limits = np.arange(1, 11) + 0.5  # costs are whole, and end at 1.1 times 10
    total = 0.0
    for limit in limits:
        within = [one for one in zip(-figures, cost, right / 10, strict=True) if one[1] < limit]
        if within:
            best, cheapest, _ = min(within)
            each = [one[2] for one in within if one[:2] == (best, cheapest)]
            total += max(each[0] - 0.3, 0) / 10
    assert area(cost, figures, right / 10, 10, 0.3) == pytest.approx(total)


def test_a_difference_within_its_error_drops_nothing() -> None:
    from confirmation import OnImages

    right = np.zeros((3, 100))
    right[0, :50], right[1, :48], right[2, :20] = 1, 1, 1
    on_images = OnImages(right, np.array([1.0, 2.0, 3.0]))
    assert on_images.kept().tolist() == [True, False, False]
    assert on_images.kept_within(2).tolist() == [True, True, False]
