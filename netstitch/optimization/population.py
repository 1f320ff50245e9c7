"""A population of slots, each with a solution and weights of its own to judge solutions by."""

import math

import numpy as np

from netstitch.optimization.archive import Archive
from netstitch.optimization.operators.scalarisation import (
    Floats,
    Scalarisation,
    Scale,
    first_weights,
    reassigned,
    tschebysheff,
)
from netstitch.optimization.problem import Problem, Solution, State, as_costs
from netstitch.optimization.rising_threshold import RisingThreshold


class Population:
    """Slots with weights, which stay with their slot when another solution comes in (section 5).

    Attributes:
        members: The slots' solutions, None until the first is put there.
        costs: Their objectives with smaller better, shape (n, m), infinite where there are none.
        weights: The vector that each slot judges by, shape (n, m).
        alone: The one objective by which a slot judges for now, whatever its weights; None for
            most.
        scale: The population's range of costs as of the last reassignment, and before the first one
            that of the solutions so far.

    Args:
        problem: What is searched.
        n: The number of slots.
        constraint: The threshold that comes before the weights; None without one.
        generator: Draws the weights, and the order in which they are handed out.
        scalarise: Judges costs by weights.
        archive: The best costs in it, and of solutions that are compared, are the lower end of the
            frame in which costs are normalised, so that a solution that is better in every
            objective is always preferred. None for a frame that is frozen between reassignments:
            all costs under it count the same, as in the authors' code.
        weights: The slots' weights; None to draw them.
    """

    def __init__(
        self,
        problem: Problem,
        n: int,
        constraint: RisingThreshold | None,
        generator: np.random.Generator,
        scalarise: Scalarisation = tschebysheff,
        archive: Archive | None = None,
        weights: Floats | None = None,
    ) -> None:
        self._objectives = problem.objectives
        self._constraint = constraint
        self._generator = generator
        self._scalarise = scalarise
        self._archive = archive
        self._reassigned = False
        self.members: list[Solution | None] = [None] * n
        self.costs: Floats = np.full((n, len(problem.objectives)), np.inf)
        drawn = first_weights(n, len(problem.objectives), generator) if weights is None else weights
        self.weights = drawn.copy()
        self._assigned = self.weights.copy()  # which slots may not judge by yet
        self.alone: list[int | None] = [None] * n
        self.scale = Scale.of(self.costs)

    def put(self, slot: int, solution: Solution) -> None:
        """Place a solution in a slot; the one that was there is gone."""
        self.members[slot] = solution
        self.costs[slot] = self._costs(solution)
        if not self._reassigned:
            self.scale = Scale.of(self.costs)

    def reassign(self, *, at_once: bool = True) -> None:
        """Take the scale of the population as it is, and hand its weights out anew.

        Slots judge by them at once, or each from `take_weights` on.
        """
        self.scale = Scale.of(self.costs)
        self._assigned = reassigned(
            self._assigned, self.costs, self.scale, self._generator, self._scalarise
        )
        self._reassigned = True
        if at_once:
            self.weights = self._assigned.copy()

    def take_weights(self, slot: int) -> None:
        """Let a slot judge by the weights that it was handed out last."""
        self.weights[slot] = self._assigned[slot]

    def betters(self, solution: Solution, slot: int, ties: bool = False) -> bool:
        """Return whether a solution is better than a slot's member, or as good with `ties`.

        An empty slot's member is worse than any that did not fail.
        """
        return self.prefers(solution, self.members[slot], slot, ties)

    def prefers(
        self, solution: Solution, other: Solution | None, slot: int, ties: bool = False
    ) -> bool:
        """Return whether a solution betters another on a slot's weights, or is as good with `ties`.

        Where the slot judges by one objective alone, by that; where the threshold separates them,
        by it alone. None is worse than any that did not fail.
        """
        if self._constraint is not None:
            ours = self._constraint.violation(solution)
            theirs = math.inf if other is None else self._constraint.violation(other)
            if ours != theirs:
                return ours < theirs
        costs = np.stack([self._costs(solution), self._costs(other)])
        objective = self.alone[slot]
        if objective is None:
            own, least = self._scalarise(costs, self.weights[slot], self._frame(costs))
        else:
            own, least = costs[:, objective]
        return bool(own <= least if ties else own < least)

    def state(self) -> State:
        """Return all that changes as plain data."""
        return {
            "members": list(self.members),
            "weights": self.weights.copy(),  # slots take theirs one by one
            "assigned": self._assigned,
            "alone": list(self.alone),
            "least": self.scale.least,
            "extent": self.scale.extent,
            "reassigned": self._reassigned,
        }

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        self.members = list(state["members"])
        self.costs = np.array([self._costs(member) for member in self.members])
        self.weights, self._assigned = state["weights"].copy(), state["assigned"]
        self.alone = list(state["alone"])
        self.scale = Scale(state["least"], state["extent"])
        self._reassigned = state["reassigned"]

    def _frame(self, costs: Floats) -> Scale:
        """Return the scale by which solutions of these costs, (2, m), are compared now."""
        if self._archive is None:
            return self.scale
        least = self._archive.least_costs()
        return self.scale.reaching(costs if least is None else np.vstack([costs, least]))

    def _costs(self, solution: Solution | None) -> Floats:
        if solution is None or solution.objectives is None:
            return np.full(len(self._objectives), np.inf)
        return np.array(as_costs(self._objectives, solution.objectives))
