"""The elitist archive: the non-dominated solutions of all that were evaluated."""

import math
from collections.abc import Sequence

from netstitch.optimization.nondominated import NondominatedSet, nondominated_set
from netstitch.optimization.problem import Objective, Solution, State, as_costs


class Archive:
    """Non-dominated solutions over any number of objectives.

    Of equal objective vectors the first is kept, and failed solutions never enter. Where a
    maximised objective has a threshold (section 5 of the paper), solutions under it are worse than
    any over it: members are dropped as it rises, and while all that was seen is under it,
    only the solutions of the smallest violation are held, so that something is always found.

    Args:
        objectives: Those of the problem.
        constrained: Index of the objective with a threshold, which is maximised, or None.
    """

    def __init__(self, objectives: Sequence[Objective], constrained: int | None = None) -> None:
        self._objectives = tuple(objectives)
        self._constrained = constrained
        self._limit = math.inf  # the threshold as a cost: more than this is under it
        self._members: NondominatedSet[Solution] = nondominated_set(len(self._objectives))

    def __len__(self) -> int:
        return len(self._members)

    def solutions(self) -> tuple[Solution, ...]:
        """Return the members: of two objectives from best to worst on the first, else by entry."""
        return self._members.items()

    def best(self) -> tuple[float, ...] | None:
        """Return the best value of each objective among the members; None while there are none."""
        if not self._members:
            return None
        costs = [self._members.least(column) for column in range(len(self._objectives))]
        return as_costs(self._objectives, costs)  # turns the sign back

    def admits(self, solution: Solution) -> bool:
        """Return whether a solution would enter."""
        if solution.objectives is None:
            return False
        costs = as_costs(self._objectives, solution.objectives)
        if self._constrained is not None and self._members:
            least = self._members.least(self._constrained)
            if costs[self._constrained] > max(self._limit, least):
                return False
        # Members that `add` would drop first are worse in one objective, so none is in the way.
        return self._members.admits(costs)

    def add(self, solution: Solution) -> bool:
        """Return whether the solution entered; members that it dominates leave."""
        if solution.objectives is None:
            return False
        costs = as_costs(self._objectives, solution.objectives)
        if self._constrained is not None:
            cost = costs[self._constrained]
            if self._members and cost > max(self._limit, self._members.least(self._constrained)):
                return False
            self._members.drop_above(self._constrained, max(self._limit, cost))
        return self._members.insert(costs, solution)

    def raise_threshold(self, value: float) -> None:
        """Raise the threshold to a value of its objective; it never falls."""
        assert self._constrained is not None
        if -value >= self._limit:
            return
        self._limit = -value
        if self._members:
            least = self._members.least(self._constrained)
            self._members.drop_above(self._constrained, max(self._limit, least))

    def state(self) -> State:
        """Return members and threshold as plain data."""
        return {"members": list(self.solutions()), "limit": self._limit}

    def restore(self, state: State) -> None:
        """Become what `state` returned; the archive must be empty."""
        self._limit = state["limit"]
        for solution in state["members"]:
            self._members.insert(as_costs(self._objectives, solution.objectives), solution)
