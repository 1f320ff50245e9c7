from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.analysis import FrontPoint, nondominated
from netstitch.analysis.dominance import confirmed


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


def held_out(multiply_adds: int, validation: int, confirmation: int | None) -> FrontPoint:
    """A network that is right on so many of 10 validation and of 5 confirmation samples."""
    known = None if confirmation is None else confirmation / 5
    return FrontPoint("n", (0,), multiply_adds, 0, validation / 10, confirmation=known)


costs, seen, unseen = st.integers(0, 9), st.integers(0, 10), st.integers(0, 5)


@settings(deadline=None)
@given(
    st.lists(st.builds(held_out, costs, seen, st.none() | unseen), max_size=15),
    st.lists(st.builds(held_out, costs, seen, unseen), max_size=4),
)
def test_confirmed_as_counting_right_answers_of_all_pairs(found, references):
    proposed = nondominated(found, "validation")

    def right(point: FrontPoint) -> int:
        assert point.confirmation is not None
        return round(10 * point.validation) + round(5 * point.confirmation)

    def beats(one: FrontPoint, other: FrontPoint) -> bool:
        if one.confirmation is None or other.confirmation is None:
            return False
        own, others = (right(one), -one.multiply_adds), (right(other), -other.multiply_adds)
        return own != others and all(a >= b for a, b in zip(own, others, strict=True))

    expected = [
        point
        for point in proposed
        if not any(beats(other, point) for other in (*proposed, *references))
    ]
    kept = confirmed(proposed, references, samples={"validation": 10, "confirmation": 5})
    assert [*map(id, kept)] == [*map(id, expected)]


def test_a_network_that_is_as_good_as_a_reference_is_confirmed():
    cheaper, same, resnet = held_out(4, 8, 4), held_out(5, 9, 4), held_out(5, 9, 4)
    assert confirmed([cheaper, same], [resnet]) == (cheaper, same)
    assert confirmed([same], [held_out(4, 8, 5)]) == ()


def test_confirmation_has_to_take_back_what_validation_gave():
    cheaper, lucky = held_out(4, 5, 3), held_out(5, 7, 2)
    for many, kept in ((5, (cheaper, lucky)), (20, (cheaper,))):
        samples = {"validation": 10, "confirmation": many}
        assert confirmed([cheaper, lucky], [], samples=samples) == kept
