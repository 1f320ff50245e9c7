"""A head start: genotypes that are evaluated before a population, which then begins with the best.

They are known to be worth a look, such as the simplest ones. At most half of the population begins
with them, so that there is enough that is random to learn from.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

import numpy as np

from netstitch.errors import SearchError
from netstitch.optimization.algorithms.algorithm import Algorithm, Setup
from netstitch.optimization.operators.scalarisation import (
    Floats,
    Scale,
    best_on_weights,
    first_weights,
)
from netstitch.optimization.problem import Genotype, InitialGenotypes, Solution, State, as_costs


@dataclass(frozen=True, eq=False)
class HeadStart:
    """Genotypes that a search evaluates before its first population.

    Attributes:
        genotypes: In the order in which they are evaluated; equal ones once.
        share: The share of the budget after which no further one is begun, more than 0 to 1; of
            both evaluations and seconds, that of which more is spent. The search then waits for
            those under way. Initial genotypes come before, and are evaluated in any case.

    Raises:
        SearchError: The share is none.
    """

    genotypes: InitialGenotypes
    share: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise SearchError(
                f"the head start's share of the budget is {self.share}: give more than 0 to 1"
            )


class WithHeadStart(Algorithm):
    """An algorithm that begins when a head start is evaluated, in three phases.

    1. All loops propose genotypes of the head start. The algorithm is made before, only to learn
       how many slots it has, and what is wrong with its settings; it is asked for nothing. Values
       of the head start all decide, so its evaluations never stop early.
    2. When the last result is there, the algorithm is made anew. As many slots as are half of the
       population, or all where there are fewer, begin with one genotype each: the best on the
       slot's weights that no slot before it has. The algorithm is given their results, and they
       cost nothing a second time. Failed ones are left out.
    3. All further proposals and results are the algorithm's.

    An algorithm draws from the generator where it is made, and need not hold in its state what it
    drew. So the state in the third phase tells where the generator was when the second began:
    `restore` makes the algorithm from there, as the second phase did, and then restores it.

    Args:
        setup: The parts that the algorithm is made of.
        build: Makes the algorithm.
        genotypes: Those of the head start, of different signatures.
        always: How many of these, the first ones, are proposed whatever is spent.
        share: That of the head start.
        spent: Returns the share of the budget that is spent.
    """

    learns_from_all = False  # `matters` says so where the other algorithm does

    def __init__(
        self,
        setup: Setup,
        build: Callable[[Setup], Algorithm],
        genotypes: list[Genotype],
        always: int,
        share: float,
        spent: Callable[[], float],
    ) -> None:
        self._setup, self._build = setup, build
        self._genotypes, self._always = genotypes, always
        self._share, self._spent = share, spent
        self._algorithm = build(setup)
        self.slots = self._algorithm.slots
        self._proposed = 0
        self._under_way: dict[int, int] = {}  # genotypes of the head start, by slot
        self._results: dict[int, tuple[float, ...] | None] = {}  # by number of the genotype
        self._drawn: dict[str, object] | None = None  # the generator when the algorithm began
        self._chosen: list[int] = []  # numbers of the genotypes that slots begin with
        self._held: dict[int, Genotype] = {}  # proposals of slots that began with something else

    def propose(self, slot: int) -> Genotype | None:
        """Return the next of the head start, and behind it what the algorithm proposes.

        None while the last ones of the head start are under way.
        """
        if self._drawn is None:
            more = self._proposed < self._always or self._spent() < self._share
            if more and self._proposed < len(self._genotypes):
                self._under_way[slot] = self._proposed
                self._proposed += 1
                return self._genotypes[self._under_way[slot]].copy()
            if self._under_way:
                return None
            self._begin()
        if slot in self._held:
            return self._held.pop(slot)
        return self._algorithm.propose(slot)

    def receive(self, slot: int, solution: Solution, entered: bool) -> None:
        """Keep a result of the head start; others are the algorithm's."""
        if slot in self._under_way:
            self._results[self._under_way.pop(slot)] = solution.objectives
        else:
            self._algorithm.receive(slot, solution, entered)

    def matters(self, slot: int, solution: Solution) -> bool:
        """Return whether it is one of the head start, or matters to the algorithm."""
        return (
            slot in self._under_way
            or self._algorithm.learns_from_all
            or self._algorithm.matters(slot, solution)
        )

    def origin(self, slot: int) -> Genotype | None:
        """Return the origin that the algorithm gives; None in the head start."""
        return None if slot in self._under_way else self._algorithm.origin(slot)

    def converged(self) -> bool:
        """Return whether the algorithm has begun and nothing is left to propose."""
        return self._drawn is not None and self._algorithm.converged()

    def state(self) -> State:
        """Return all that changes as plain data; of the algorithm, once it has begun."""
        return {
            "proposed": self._proposed,
            "under_way": list(self._under_way.items()),
            "results": list(self._results.items()),
            "drawn": self._drawn,
            "chosen": list(self._chosen),
            "held": list(self._held.items()),
            "algorithm": None if self._drawn is None else self._algorithm.state(),
        }

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        self._proposed = state["proposed"]
        self._under_way, self._results = dict(state["under_way"]), dict(state["results"])
        self._drawn, self._chosen = state["drawn"], list(state["chosen"])
        self._held = dict(state["held"])
        if self._drawn is not None:
            self._setup.generator.bit_generator.state = self._drawn
            self._algorithm = self._made(self._weights())
            self._algorithm.restore(state["algorithm"])

    def _begin(self) -> None:
        """Make the algorithm, and give the first slots what they begin with."""
        self._drawn = dict(self._setup.generator.bit_generator.state)
        weights = self._weights()
        self._chosen = self._best(weights[: min(self._setup.population // 2, self.slots)])
        self._algorithm = self._made(weights)
        identify = self._setup.problem.identify
        known: dict[Hashable, tuple[float, ...] | None] = {
            identify(self._genotypes[number]): self._results[number] for number in self._chosen
        }
        for slot in range(len(self._chosen)):
            first = self._algorithm.propose(slot)
            if first is None:
                continue
            signature = identify(first)
            if signature in known:
                self._algorithm.receive(slot, Solution(first, known[signature]), False)
            else:  # an algorithm that does not take initial genotypes for its first
                self._held[slot] = first

    def _weights(self) -> Floats:
        setup = self._setup
        return first_weights(setup.population, len(setup.problem.objectives), setup.generator)

    def _best(self, weights: Floats) -> list[int]:
        """Return the numbers of the best results, one for each vector of weights, (k, m)."""
        objectives, constraint = self._setup.problem.objectives, self._setup.constraint
        done = [(number, one) for number, one in sorted(self._results.items()) if one is not None]
        if not done:
            return []
        costs = np.array([as_costs(objectives, one) for _, one in done])
        violations = np.zeros(len(done))
        if constraint is not None:
            solutions = [Solution(self._genotypes[number], one) for number, one in done]
            violations = np.array([constraint.violation(solution) for solution in solutions])
        chosen = best_on_weights(costs, weights, Scale.of(costs), violations)
        return [done[index][0] for index in chosen]

    def _made(self, weights: Floats) -> Algorithm:
        """Return the algorithm with these weights, from what was chosen of what is known."""
        chosen = [self._genotypes[number] for number in self._chosen]
        initial = np.array(chosen, dtype=np.int64).reshape(-1, self._setup.problem.length)
        known = [
            Solution(self._genotypes[one], self._results[one]) for one in sorted(self._results)
        ]
        return self._build(replace(self._setup, initial=initial, weights=weights, known=known))
