import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.analysis import hypervolume
from netstitch.analysis.hypervolume import hypervolume_course
from netstitch.errors import DataError

# On a grid of tenths, so that the dominated cells can be counted.
networks = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 15)), max_size=8)


@settings(deadline=None)
@given(networks, st.integers(0, 5))
def test_as_counting_the_dominated_cells(points, floor):
    cells = sum(
        any(accuracy > row and cost <= column for accuracy, cost in points)
        for row in range(floor, 10)
        for column in range(10)
    )
    found = hypervolume(
        [accuracy / 10 for accuracy, _ in points],
        [cost for _, cost in points],
        ensemble=10,
        accuracy_floor=floor / 10,
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


ENSEMBLE = 20

network = st.tuples(
    st.one_of(st.just(float("nan")), st.integers(0, 10).map(lambda n: n / 10)),
    st.integers(1, 25),
)


@given(st.lists(network, max_size=40), st.sampled_from([0.0, 0.3]))
def test_it_is_that_of_all_networks_so_far(networks: list[tuple[float, int]], floor: float) -> None:
    accuracies, costs = [a for a, _ in networks], [c for _, c in networks]
    places, values = hypervolume_course(accuracies, costs, ensemble=ENSEMBLE, accuracy_floor=floor)
    steps = dict(zip(places.tolist(), values.tolist(), strict=True))
    now = 0.0
    for place in range(len(networks)):
        now = steps.get(place, now)
        known = [(a, c) for a, c in networks[: place + 1] if not np.isnan(a)]
        expected = hypervolume(
            [a for a, _ in known], [c for _, c in known], ensemble=ENSEMBLE, accuracy_floor=floor
        )
        assert abs(now - expected) <= 1e-12
    assert (np.diff(values) > 0).all()
