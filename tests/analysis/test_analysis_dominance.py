from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.analysis import FrontPoint, nondominated


def network(multiply_adds: int, validation: int, test: int | None = None) -> FrontPoint:
    known = None if test is None else test / 10
    return FrontPoint("n", (0,), multiply_adds, 0, validation / 10, known)


def dominates(one: FrontPoint, other: FrontPoint) -> bool:
    return (
        one.multiply_adds <= other.multiply_adds
        and one.validation >= other.validation
        and (one.multiply_adds, one.validation) != (other.multiply_adds, other.validation)
    )


@settings(deadline=None)
@given(st.lists(st.builds(network, st.integers(0, 9), st.integers(0, 10)), max_size=15))
def test_as_comparing_all_pairs(points):
    expected = {
        (point.multiply_adds, point.validation)
        for point in points
        if not any(dominates(other, point) for other in points)
    }
    found = [
        (point.multiply_adds, point.validation) for point in nondominated(points, "validation")
    ]
    assert found == sorted(expected)


def test_test_accuracies_choose_other_networks():
    cheap, middle, dear = network(1, 5, 7), network(2, 6, 6), network(3, 7, 9)
    untested = network(0, 1)
    points = (dear, untested, cheap, middle)
    assert nondominated(points, "validation") == (untested, cheap, middle, dear)
    assert nondominated(points, "test") == (cheap, dear)
