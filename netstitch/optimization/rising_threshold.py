"""A threshold on one objective that rises while the search goes on (section 5 of the paper).

It keeps a search from spending its budget on solutions that are good at everything but what
matters: cheap networks that classify nothing.
"""

import math
from dataclasses import dataclass

from netstitch.errors import SearchError
from netstitch.optimization.problem import Problem, Solution

RISE = 0.5
"""The share of the budget after which the threshold has reached its target."""


@dataclass
class RisingThreshold:
    """A threshold on its way from 0 to its target.

    Attributes:
        column: Index of the objective.
        target: The value in the end.
        value: The threshold as it is now.
    """

    column: int
    target: float
    value: float = 0.0

    def advance(self, share: float) -> None:
        """Set the threshold for the share of the budget that is spent, 0 to 1; it never falls."""
        self.value = max(self.value, self.target * min(1.0, share / RISE))

    def violation(self, solution: Solution) -> float:
        """Return a solution's shortfall from the threshold: 0 for none, infinite if it failed."""
        if solution.objectives is None:
            return math.inf
        return max(0.0, self.value - solution.objectives[self.column])


def rising_threshold(problem: Problem, target: float) -> RisingThreshold:
    """Return the start of a threshold's rise, on the first objective that is maximised.

    Raises:
        SearchError: When all objectives are minimised.
    """
    for column, objective in enumerate(problem.objectives):
        if objective.maximise:
            return RisingThreshold(column, target)
    names = ", ".join(objective.name for objective in problem.objectives)
    raise SearchError(
        f"a threshold of {target}, and all objectives are minimised ({names}): "
        "give one that is maximised, or leave the threshold out"
    )
