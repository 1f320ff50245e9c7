import math

import numpy as np
import pytest
from optimization_cases import ACCURACY_MACS

from netstitch.errors import SearchError
from netstitch.optimization.annealing import Threshold, annealed_constraint
from netstitch.optimization.problem import Problem
from netstitch.optimization.solution import Solution

PROBLEM = Problem((2, 2), ACCURACY_MACS)


def test_the_threshold_rises_linearly_until_half_the_budget() -> None:
    rise = annealed_constraint(PROBLEM, Threshold("accuracy", 0.6))
    seen = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        rise.advance(share)
        seen.append(rise.value)
    assert seen == pytest.approx([0.0, 0.3, 0.6, 0.6, 0.6])


def test_the_violation_is_the_distance_to_the_threshold() -> None:
    rise = annealed_constraint(PROBLEM, Threshold("accuracy", 0.5))
    rise.advance(1.0)
    assert rise.violation(Solution(np.array([0, 0]), (0.2, 9.0))) == pytest.approx(0.3)
    assert rise.violation(Solution(np.array([0, 0]), (0.7, 9.0))) == 0.0
    assert rise.violation(Solution(np.array([0, 0]), None)) == math.inf


@pytest.mark.parametrize(
    "threshold, message",
    [
        (Threshold("recall", 0.5), "unknown objective 'recall'"),
        (Threshold("macs", 5.0), "minimised"),
        (Threshold("accuracy", 0.0), "positive"),
        (Threshold("accuracy", math.nan), "positive"),
    ],
)
def test_a_threshold_without_meaning_is_refused(threshold: Threshold, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        annealed_constraint(PROBLEM, threshold)
