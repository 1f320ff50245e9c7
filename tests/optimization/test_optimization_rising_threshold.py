import math

import numpy as np
import pytest
from optimization_cases import ACCURACY_MACS

from netstitch.errors import SearchError
from netstitch.optimization.problem import Objective, Problem, Solution
from netstitch.optimization.rising_threshold import rising_threshold

PROBLEM = Problem((2, 2), ACCURACY_MACS)


def test_the_threshold_rises_linearly_until_half_the_budget() -> None:
    rise = rising_threshold(PROBLEM, 0.6)
    seen = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        rise.advance(share)
        seen.append(rise.value)
    assert seen == pytest.approx([0.0, 0.3, 0.6, 0.6, 0.6])


def test_the_violation_is_the_distance_to_the_threshold() -> None:
    rise = rising_threshold(PROBLEM, 0.5)
    rise.advance(1.0)
    assert rise.violation(Solution(np.array([0, 0]), (0.2, 9.0))) == pytest.approx(0.3)
    assert rise.violation(Solution(np.array([0, 0]), (0.7, 9.0))) == 0.0
    assert rise.violation(Solution(np.array([0, 0]), None)) == math.inf


def test_the_first_objective_that_is_maximised_has_the_threshold() -> None:
    objectives = (Objective("macs"), Objective("accuracy", True), Objective("margin", True))
    assert rising_threshold(Problem((2,), objectives), 0.5).column == 1


def test_a_threshold_without_meaning_is_refused() -> None:
    with pytest.raises(SearchError, match=r"0\.5, and all objectives are minimised \(macs\)"):
        rising_threshold(Problem((2,), (Objective("macs"),)), 0.5)
