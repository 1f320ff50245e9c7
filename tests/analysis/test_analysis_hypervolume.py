import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.analysis import hypervolume
from netstitch.errors import DataError

# On a grid of tenths, so that the dominated cells can be counted.
networks = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 15)), max_size=8)


@settings(deadline=None)
@given(networks, st.integers(0, 5), st.integers(5, 12))
def test_as_counting_the_dominated_cells(points, floor, ceiling):
    cells = sum(
        any(accuracy > row and cost <= column for accuracy, cost in points)
        for row in range(floor, 10)
        for column in range(ceiling)
    )
    found = hypervolume(
        [accuracy / 10 for accuracy, _ in points],
        [cost for _, cost in points],
        ensemble=10,
        accuracy_floor=floor / 10,
        cost_ceiling=ceiling / 10,
    )
    assert found == pytest.approx(cells / 100)


def test_a_perfect_network_without_cost():
    assert hypervolume([1.0], [0], ensemble=7) == 1.0


def test_the_ensemble_itself_adds_nothing():
    assert hypervolume([0.9], [100], ensemble=100) == 0.0


def test_no_networks():
    assert hypervolume([], [], ensemble=100) == 0.0


@pytest.mark.parametrize(
    ("accuracies", "costs", "ensemble", "message"),
    [
        ([0.5], [1, 2], 10, "1 accuracies but 2 costs"),
        ([float("nan")], [1], 10, "NaN"),
        ([0.5], [1], 0, "ensemble of 0"),
    ],
)
def test_bad_input(accuracies, costs, ensemble, message):
    with pytest.raises(DataError, match=message):
        hypervolume(accuracies, costs, ensemble=ensemble)
