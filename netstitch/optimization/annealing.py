"""A threshold on one objective that rises while the search goes on (section 5 of the paper).

It keeps a search from spending its budget on solutions that are good at everything but what
matters: cheap networks that classify nothing.
"""

import math
from dataclasses import dataclass

from netstitch.errors import SearchError
from netstitch.optimization.problem import Problem
from netstitch.optimization.solution import Solution

RISE = 0.5
"""The share of the budget after which the threshold has reached its target."""


@dataclass(frozen=True)
class Threshold:
    """The least value that one maximised objective should have in the end."""

    objective: str
    target: float


@dataclass
class AnnealedConstraint:
    """A threshold on its way from 0 to its target.

    column: index of the objective.
    value: the threshold as it is now.
    """

    column: int
    target: float
    value: float = 0.0

    def advance(self, share: float) -> None:
        """Set the threshold for the share of the budget that is spent, 0 to 1; it never falls."""
        self.value = max(self.value, self.target * min(1.0, share / RISE))

    def violation(self, solution: Solution) -> float:
        """How far a solution is under the threshold: 0 if it is not, infinite if it failed."""
        if solution.objectives is None:
            return math.inf
        return max(0.0, self.value - solution.objectives[self.column])


def annealed_constraint(problem: Problem, threshold: Threshold) -> AnnealedConstraint:
    """The start of a threshold's rise.

    Raises SearchError when the objective is unknown or minimised, or the target is not positive.
    """
    column = problem.column(threshold.objective)
    if not problem.objectives[column].maximise:
        raise SearchError(
            f"a threshold on {threshold.objective!r}, which is minimised: "
            "give an objective that is maximised"
        )
    if not (threshold.target > 0 and math.isfinite(threshold.target)):
        raise SearchError(
            f"the threshold on {threshold.objective!r} is {threshold.target}: "
            "give a positive number"
        )
    return AnnealedConstraint(column, threshold.target)
