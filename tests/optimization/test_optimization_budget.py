import math

import pytest

from netstitch.errors import SearchError
from netstitch.optimization.budget import Budget


def test_skipped_evaluations_count_unless_told_otherwise() -> None:
    assert Budget(100).used(30, 12) == 42
    assert Budget(100, count_skipped=False).used(30, 12) == 30


def test_the_share_is_that_of_the_evaluations_where_they_are_bounded() -> None:
    assert Budget(100, seconds=10).share(25, elapsed=9.0) == 0.25
    assert Budget(seconds=10).share(25, elapsed=9.0) == 0.9


@pytest.mark.parametrize(
    "budget, share", [(Budget(100, 10), 0.9), (Budget(26, 10), 25 / 26), (Budget(100), 0.25)]
)
def test_the_larger_share_is_of_what_is_nearer_to_its_end(budget: Budget, share: float) -> None:
    assert budget.larger_share(25, elapsed=9.0) == share


@pytest.mark.parametrize(
    "evaluations, seconds", [(None, None), (0, None), (None, 0.0), (None, math.nan), (5, -1.0)]
)
def test_a_budget_that_cannot_be_spent_is_refused(
    evaluations: int | None, seconds: float | None
) -> None:
    with pytest.raises(SearchError, match="budget"):
        Budget(evaluations, seconds)
