import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.analysis import Front, FrontPoint, hypervolume
from netstitch.analysis.hypervolume import (
    ReferencePoint,
    hypervolume_course,
    hypervolume_of,
    reference_points,
)
from netstitch.errors import DataError

# On a grid of tenths, so that the dominated cells can be counted.
networks = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 15)), max_size=8)


@settings(deadline=None)
@given(networks, st.integers(0, 5))
def test_as_counting_the_dominated_cells(points, floor):
    cells = sum(
        any(accuracy > row and cost <= column for accuracy, cost in points)
        for row in range(floor, 10)
        for column in range(11)  # of the ensemble's cost, and a tenth more
    )
    found = hypervolume(
        [accuracy / 10 for accuracy, _ in points],
        [cost for _, cost in points],
        ensemble=10,
        accuracy_floor=floor / 10,
    )
    assert found == pytest.approx(cells / 100)


def test_a_perfect_network_without_cost():
    assert hypervolume([1.0], [0], ensemble=7) == pytest.approx(1.1)


def test_gains_at_the_ensemble_and_beyond_count():
    at, better, beyond, far = (
        hypervolume([accuracy], [cost], ensemble=100, accuracy_floor=0.9)
        for accuracy, cost in ((0.92, 100), (0.93, 100), (0.93, 105), (0.99, 110))
    )
    assert (at, better, beyond, far) == (
        pytest.approx(0.002), pytest.approx(0.003), pytest.approx(0.0015), 0.0,
    )  # fmt: skip


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


def network_of(label: str, cost: int, validation: float, test: float | None = None) -> FrontPoint:
    output = label if label == "ensemble" else ""
    return FrontPoint(label, (0,), cost, 0, validation, test, output)


def front(*references: FrontPoint) -> Front:
    return Front((network_of("P1", 50, 0.83, 0.81),), references)


def test_the_reference_point_is_of_the_worst_reference_on_any_part():
    """Validation and test share it, so that what is lost between them shows."""
    points = reference_points(
        [front(network_of("a", 60, 0.82, 0.79), network_of("ensemble", 100, 0.9, 0.88))]
    )
    assert points == (ReferencePoint(100, 0.7), ReferencePoint(100, 0.79))
    assert hypervolume_of(front().points, "validation", points[0]) == pytest.approx(0.13 * 0.6)
    assert hypervolume_of(front().points, "test", points[1]) == pytest.approx(0.02 * 0.6)
    assert hypervolume_of(front().points, "confirmation", points[0]) is None


def test_fronts_that_are_compared_share_the_least_accuracy_and_the_dearest_ensemble():
    one = front(network_of("a", 60, 0.82), network_of("ensemble", 100, 0.9))
    other = front(network_of("a", 60, 0.95), network_of("ensemble", 120, 0.96))
    assert reference_points([one, other]) == (ReferencePoint(120, 0.8), ReferencePoint(120, 0.82))
    assert reference_points([one], 0.5) == (ReferencePoint(100, 0.5), ReferencePoint(100, 0.82))


OVER = {floor: ReferencePoint(20, floor) for floor in (0.0, 0.3)}

network = st.tuples(
    st.one_of(st.just(float("nan")), st.integers(0, 10).map(lambda n: n / 10)),
    st.integers(1, 25),
)


@given(st.lists(network, max_size=40), st.sampled_from([0.0, 0.3]))
def test_it_is_that_of_all_networks_so_far(networks: list[tuple[float, int]], floor: float) -> None:
    accuracies, costs = [a for a, _ in networks], [c for _, c in networks]
    places, values = hypervolume_course(accuracies, costs, OVER[floor])
    steps = dict(zip(places.tolist(), values.tolist(), strict=True))
    now = 0.0
    for place in range(len(networks)):
        now = steps.get(place, now)
        known = [(a, c) for a, c in networks[: place + 1] if not np.isnan(a)]
        expected = hypervolume(
            [a for a, _ in known], [c for _, c in known], ensemble=20, accuracy_floor=floor
        )
        assert abs(now - expected) <= 1e-12
    assert (np.diff(values) > 0).all()
