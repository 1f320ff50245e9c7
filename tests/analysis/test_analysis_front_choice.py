"""`Front.pick`: its choice among networks and cascades, and its message where nothing fits."""

from dataclasses import replace

import pytest
from example_fronts import front_of_both

from netstitch.analysis import CascadePoint, Interval
from netstitch.analysis.front_choice import as_good
from netstitch.errors import SearchError


@pytest.mark.parametrize(
    ("limits", "label"),
    [
        ({"max_macs": 3e6}, "P1"),
        ({"max_cost": 3e6}, "P1"),
        ({"max_macs": 7e6, "min_accuracy": 0.9}, "P2"),
        ({"max_mean_cost": 3e6}, "C2"),
        ({"max_mean_cost": 2e6}, "C1"),
        ({"max_mean_cost": 1e6}, "P1"),
        ({"max_mean_cost": 9e6}, "P2"),
        ({"max_mean_cost": 9e6, "max_worst_case": 8e6, "min_accuracy": 0.9}, "P2"),
        ({"max_worst_case": 7e6}, "P2"),
        ({"max_worst_case": 5e6}, "P1"),
        ({"min_accuracy": 0.9}, "C1"),
        ({"min_accuracy": 0.92}, "C2"),
        ({"min_accuracy": 0.931}, "P2"),
        ({"min_accuracy": 0.9, "max_worst_case": 8e6}, "C1"),
        ({"min_accuracy": 0.9, "max_worst_case": 7e6}, "P2"),
        ({"point": "C1"}, "C1"),
        ({"point": 1}, "P1"),
        ({"point": "plain-1"}, "plain-1"),
        ({"point": "ensemble"}, "ensemble"),
    ],
)
def test_limits_choose_among_networks_and_cascades(limits, label) -> None:
    assert front_of_both().pick(**limits).label == label


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (
            {"max_mean_cost": 5e5},
            "no network or cascade of the front has a mean cost of at most 500k multiply-adds; the "
            "front runs from P1 (900k multiply-adds, validation accuracy 0.86), the cheapest, to "
            "P2 (6M multiply-adds, validation accuracy 0.931), the most accurate",
        ),
        ({"max_worst_case": 1}, "has a worst case of at most 1 multiply-adds; the front runs"),
        ({"min_accuracy": 0.94}, "no network or cascade of the front has a validation accuracy"),
        ({"max_macs": 2e6, "min_accuracy": 0.9}, "no network of the front has at most 2M"),
        ({"point": "C7"}, "the front has no point 'C7'; it has mobilenet, resnet"),
        ({"point": "c1"}, "C1 to C2"),
        ({"max_mean_cost": "5M"}, "max_mean_cost is '5M': expected a number"),
        ({"max_worst_case": float("nan")}, "max_worst_case is nan: expected a number"),
        ({"max_macs": True}, "max_macs is True: expected a number"),
        ({"max_cost": -1}, "max_cost is -1: expected a number of 0 or more"),
        ({"min_accuracy": 93}, "min_accuracy is 93: expected a number of 0 to 1; did you mean 0.9"),
        ({"min_accuracy": -0.1}, "min_accuracy is -0.1: expected a number of 0 to 1"),
        ({"point": "C1", "max_mean_cost": 1e6}, "give a point of the front or limits"),
    ],
)
def test_it_says_what_there_is(limits, message) -> None:
    with pytest.raises(SearchError) as raised:
        front_of_both().pick(**limits)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_picked_is_what_a_supernet_takes() -> None:
    front = front_of_both()
    cascade = front.pick(point="C1")
    assert cascade.subnetwork == front.cascades[0].cascade
    assert front.pick(point="P1").subnetwork == front.points[0].exit


def test_the_cheapest_cascade_as_good_as_the_ensemble() -> None:
    front = front_of_both()
    given = {"C1": -0.004, "C2": -0.0025, "plain-1": -0.001, "exits-1": -0.0031}

    def beside(one: CascadePoint) -> CascadePoint:
        low = given[one.label]
        return replace(one, validation_difference=Interval(low + 0.002, low, low + 0.004))

    cascades = [beside(one) for one in (*front.cascades, *front.plain_cascades)]
    chosen = as_good(cascades)
    assert chosen is not None
    assert chosen.label == "C2"
    assert as_good(one for one in cascades if one.label == "C1") is None
    assert as_good(front.cascades) is None  # nothing is known of how sure differences are
