"""A search by a surrogate model: each proposal is predicted to add most to the hypervolume.

Genotypes are predicted by what their values add up to, which is how errors of stitches behave:
summed differences of networks with one stitch rank those with several. The model is drawn from its
posterior for each proposal (Thompson sampling), so that many can be under way that differ.
"""

from collections.abc import Hashable

import numpy as np

from netstitch.errors import SearchError
from netstitch.optimization.algorithms.algorithm import Algorithm, Setup
from netstitch.optimization.linear_surrogate.hypervolume_gain import hypervolume_gains
from netstitch.optimization.linear_surrogate.linear_model import LinearModel
from netstitch.optimization.linear_surrogate.value_features import ValueFeatures
from netstitch.optimization.operators.scalarisation import Floats
from netstitch.optimization.operators.variation import mutation, two_point_crossover
from netstitch.optimization.problem import Genotype, Solution, State, as_costs

DRAWN = 16
"""First genotypes that are evaluated before the model decides, where nothing else is known."""

RANDOM, CHANGES = 0.1, (1.0, 2.0, 4.0)
"""Share of candidates that are random genotypes; values of the others that change, on average."""

NOISE = 0.05
"""Standard deviation of what the model leaves unexplained."""

MARGIN = 0.1
"""The margin beyond the worst values of the front, in parts of its range, in which values still
matter where there is no reference point."""

ATTEMPTS = 4
"""Times that candidates are made while all of them are known."""

FAILED = (np.nan, np.nan)
"""Objectives of a failed evaluation in the state of a search."""

REMEMBERED = 20_000
"""Candidates whose costs are kept."""


class SurrogateSearch(Algorithm):
    """Proposes the candidate that a drawn model predicts to add most to the hypervolume.

    Candidates are members of the archive, crossed at two points in pairs and mutated, and some
    random genotypes; what is known or under way is no candidate. Costs count in units in which the
    best known is 0 and the reference point 1. They are predicted by a linear model of
    `ValueFeatures` unless they need no evaluation (`Problem.computed`). Beyond the reference point
    no value is worse than another, so that evaluations may stop early there; hypervolumes count
    from there, or from a threshold's target.

    Args:
        setup: The parts that it is made of. Without a reference point (`Setup.reference_point`) it
            lies MARGIN beyond the worst values of the archive.
        candidates: The number of candidates that a proposal is chosen from.

    Raises:
        SearchError: The problem has not two objectives, or `candidates` is under 1.
    """

    learns_from_all = False

    def __init__(self, setup: Setup, *, candidates: int = 256) -> None:
        problem = setup.problem
        if len(problem.objectives) != 2:
            raise SearchError(
                f"algorithm 'surrogate' is for two objectives, and there are "
                f"{len(problem.objectives)}: take another, such as 'ga'"
            )
        if candidates < 1:
            raise SearchError(f"candidates is {candidates}: give at least 1")
        self.slots = setup.population
        self._setup, self._problem, self._generator = setup, problem, setup.generator
        self._count = candidates
        self._features = ValueFeatures(problem, setup.initialisation.uniform)
        self._cardinalities = np.asarray(problem.cardinalities, dtype=np.int64)
        self._compact = np.min_scalar_type(max(problem.cardinalities) - 1)
        self._computed = [problem.computed.get(one.name) for one in problem.objectives]
        self._predicted = np.array([one is None for one in self._computed])
        self._first = self._first_genotypes()
        self._begun = 0  # first genotypes that were proposed
        self._under_way: dict[int, Genotype] = {}  # by slot
        self._known: dict[Hashable, Solution] = {}  # by signature, in the order of arrival
        self._given: Floats | None = None  # costs of the given reference point, once it is told
        self._fruitless = -1  # how many were known when no candidate was new
        self._costs: dict[Hashable, Floats] = {}  # those that are computed, of candidates
        self._model = LinearModel(self._features.prior, NOISE)
        self._learned: list[tuple[float, ...]] = []  # costs of what is in the model
        for solution in setup.known:
            self._know(solution)

    def propose(self, slot: int) -> Genotype | None:
        """Return a first genotype, or the best of the candidates by a model that is drawn.

        None where no candidate is new.
        """
        if self._begun < len(self._first):
            chosen: Genotype | None = self._first[self._begun]
            self._begun += 1
        else:
            chosen = self._best()
        if chosen is None:
            return None
        proposed = chosen.copy()  # a candidate is a row of an array of all, and would keep it
        self._under_way[slot] = proposed
        return proposed

    def receive(self, slot: int, solution: Solution, entered: bool) -> None:
        """Learn from a solution that is not known yet."""
        self._under_way.pop(slot, None)
        self._know(solution)

    def matters(self, slot: int, solution: Solution) -> bool:
        """Return whether a predicted value is better than the reference point's."""
        given = self._given_costs()
        if given is None or solution.objectives is None:
            return True
        costs = np.array(as_costs(self._problem.objectives, solution.objectives))
        return bool((costs < given)[self._predicted].any())

    def state(self) -> State:
        """Return all that changes as plain data; the model is made anew from what is known."""
        known = self._known.values()
        return {
            "begun": self._begun,
            "under_way": list(self._under_way.items()),
            "genotypes": np.array([one.genotype for one in known], self._compact),
            "objectives": np.array([one.objectives or FAILED for one in known]),
            "fruitless": self._fruitless,
        }

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        self._begun = state["begun"]
        self._under_way = dict(state["under_way"])
        self._known, self._given = {}, None
        self._fruitless = state["fruitless"]
        self._model, self._learned = LinearModel(self._features.prior, NOISE), []
        for genotype, values in zip(state["genotypes"], state["objectives"].tolist(), strict=True):
            objectives = None if np.isnan(values).any() else tuple(values)
            self._know(Solution(genotype.astype(np.int64), objectives))

    def _first_genotypes(self) -> list[Genotype]:
        """Return the initial genotypes, and drawn ones where nothing is known beside them."""
        setup = self._setup
        drawn = 0 if setup.known else DRAWN - len(setup.initial)
        return [*setup.initial, *(setup.random_genotype() for _ in range(drawn))]

    def _know(self, solution: Solution) -> None:
        """Learn from a solution that is not known yet; a failed one teaches nothing."""
        signature = self._problem.identify(solution.genotype)
        if signature in self._known:
            return
        self._known[signature] = solution
        if solution.objectives is not None:
            self._model.learn(self._features.of([solution.genotype])[0])
            self._learned.append(as_costs(self._problem.objectives, solution.objectives))

    def _best(self) -> Genotype | None:
        """Return the candidate that adds most; the first where nothing is known to add to."""
        front = self._front()
        candidates = self._candidates()
        genotypes = list(candidates.values())
        if not genotypes or not len(front):
            return next(iter(genotypes), None)
        least, limits = front.min(axis=0), self._limits_of(front)
        scale = np.where(limits > least, limits - least, 1.0)
        targets = (np.minimum(np.array(self._learned), limits) - least) / scale
        coefficients = self._model.drawn(targets, self._generator)
        computed = np.stack([self._computed_costs(*one) for one in candidates.items()])
        predicted = self._features.of(genotypes) @ coefficients
        points = np.where(self._predicted, predicted, (computed - least) / scale)
        room = np.maximum(self._over_threshold(limits) - least, 0.0) / scale
        unit = np.where(room > 0, room, 1.0)
        gains = hypervolume_gains(points / unit, (front - least) / scale / unit)
        return genotypes[int(gains.argmax())]

    def _front(self) -> Floats:
        """Return the costs of the archive, (n, 2)."""
        found = [one.objectives for one in self._setup.archive.solutions()]
        costs = [as_costs(self._problem.objectives, one) for one in found if one is not None]
        return np.array(costs, dtype=np.float64).reshape(-1, 2)

    def _limits_of(self, front: Floats) -> Floats:
        """Return the costs of the reference point."""
        given = self._given_costs()
        if given is not None:
            return given
        limits: Floats = front.max(axis=0) + MARGIN * np.ptp(front, axis=0)
        return limits

    def _over_threshold(self, limits: Floats) -> Floats:
        """Return limits of costs within which no solution is under the threshold."""
        constraint, within = self._setup.constraint, limits.copy()
        if constraint is not None:
            within[constraint.column] = min(within[constraint.column], -constraint.target)
        return within

    def _given_costs(self) -> Floats | None:
        """Return the costs of the reference point that is given; None while it is not told."""
        if self._given is None and self._setup.reference_point is not None:
            given = self._setup.reference_point(self._known)
            if given is not None:
                self._given = np.array(as_costs(self._problem.objectives, given))
        return self._given

    def _candidates(self) -> dict[Hashable, Genotype]:
        """Return genotypes that are neither known nor under way, by signature.

        Where there are none, there are none until more is known.
        """
        if self._fruitless == len(self._known):
            return {}
        members = [one.genotype for one in self._setup.archive.solutions()]
        taken = {self._problem.identify(one) for one in self._under_way.values()}
        found: dict[Hashable, Genotype] = {}
        for _ in range(ATTEMPTS):
            for made in self._made(members):
                signature = self._problem.identify(made)
                if signature not in self._known and signature not in taken:
                    found.setdefault(signature, made)
            if found:
                return found
        self._fruitless = len(self._known)
        return found

    def _made(self, members: list[Genotype]) -> list[Genotype]:
        """Return as many genotypes as there are candidates, of which some may be known."""
        generator, length = self._generator, self._problem.length
        drawn = generator.random(self._count) < RANDOM if members else np.full(self._count, True)
        random = [self._setup.random_genotype() for _ in range(int(drawn.sum()))]
        count = self._count - len(random)
        if not count:
            return random
        children = [
            two_point_crossover(members[first], members[second], generator)
            for first, second in generator.integers(len(members), size=(count, 2))
        ]
        rates = np.repeat(generator.choice(CHANGES, size=count) / length, length)
        cardinalities = np.tile(self._cardinalities, count)
        mutants = mutation(np.concatenate(children), cardinalities, rates, generator)
        return [*random, *mutants.reshape(count, length)]

    def _computed_costs(self, signature: Hashable, genotype: Genotype) -> Floats:
        """Return the costs (2,) that need no evaluation; 0 for those that are predicted."""
        if signature not in self._costs:
            if len(self._costs) >= REMEMBERED:
                self._costs.clear()
            values = [0.0 if one is None else float(one(genotype)) for one in self._computed]
            self._costs[signature] = np.array(as_costs(self._problem.objectives, values))
        return self._costs[signature]
