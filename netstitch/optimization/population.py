"""A population of slots, each with a solution and weights of its own to judge solutions by."""

import math

import numpy as np

from netstitch.optimization.annealing import AnnealedConstraint
from netstitch.optimization.operators.scalarisation import (
    Floats,
    Scalarisation,
    Scale,
    first_weights,
    reassigned,
    tschebysheff,
)
from netstitch.optimization.problem import Problem, Solution, State, as_costs


class Population:
    """Slots with weights, which stay with their slot when another solution comes in (section 5).

    Attributes:
        members: The slots' solutions, None until the first is put there.
        costs: Their objectives with smaller better, shape (n, m), infinite where there are none.
        weights: One vector per slot, shape (n, m).
        alone: The one objective by which a slot judges for now, whatever its weights; None for
            most.
        scale: By which costs are normalised: the population's as of the last reassignment, and
            before the first one that of the solutions so far.
    """

    def __init__(
        self,
        problem: Problem,
        n: int,
        constraint: AnnealedConstraint | None,
        generator: np.random.Generator,
        scalarise: Scalarisation = tschebysheff,
    ) -> None:
        self._objectives = problem.objectives
        self._constraint = constraint
        self._generator = generator
        self._scalarise = scalarise
        self._reassigned = False
        self.members: list[Solution | None] = [None] * n
        self.costs: Floats = np.full((n, len(problem.objectives)), np.inf)
        self.weights = first_weights(n, len(problem.objectives), generator)
        self.alone: list[int | None] = [None] * n
        self._shown: Floats = np.empty((0, len(problem.objectives)))  # the least, and the most
        self.scale = Scale.of(self.costs)

    def show(self, solution: Solution) -> None:
        """Let the scale cover a solution too that is no member, before any reassignment.

        Costs under the scale's least count as the least, so that nothing could better a member
        that has it.
        """
        if solution.objectives is not None:
            every = np.concatenate([self._shown, self._costs(solution)[None]])
            self._shown = np.stack([every.min(axis=0), every.max(axis=0)])
            self._rescale()

    def put(self, slot: int, solution: Solution) -> None:
        """Place a solution in a slot; the one that was there is gone."""
        self.members[slot] = solution
        self.costs[slot] = self._costs(solution)
        self._rescale()

    def _rescale(self) -> None:
        if not self._reassigned:
            self.scale = Scale.of(np.concatenate([self.costs, self._shown]))

    def reassign(self) -> None:
        """Take the scale of the population as it is, and hand its weights out anew."""
        self.scale = Scale.of(self.costs)
        self.weights = reassigned(
            self.weights, self.costs, self.scale, self._generator, self._scalarise
        )
        self._reassigned = True

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
            own, least = self._scalarise(costs, self.weights[slot], self.scale)
        else:
            own, least = costs[:, objective]
        return bool(own <= least if ties else own < least)

    def state(self) -> State:
        """Return all that changes as plain data."""
        return {
            "members": list(self.members),
            "weights": self.weights,
            "alone": list(self.alone),
            "shown": self._shown,
            "least": self.scale.least,
            "extent": self.scale.extent,
            "reassigned": self._reassigned,
        }

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        self.members = list(state["members"])
        self.costs = np.array([self._costs(member) for member in self.members])
        self.weights = state["weights"]
        self.alone = list(state["alone"])
        self._shown = state["shown"]
        self.scale = Scale(state["least"], state["extent"])
        self._reassigned = state["reassigned"]

    def _costs(self, solution: Solution | None) -> Floats:
        if solution is None or solution.objectives is None:
            return np.full(len(self._objectives), np.inf)
        return np.array(as_costs(self._objectives, solution.objectives))
