"""NSGA-II with pymoo's operators, the usual generational algorithm to compare with.

Deb, Pratap, Agarwal and Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II"
(IEEE Transactions on Evolutionary Computation 6, 2002).
"""

from types import SimpleNamespace

import numpy as np

from netstitch.errors import SearchError
from netstitch.optimization.algorithms.algorithm import Algorithm, Setup
from netstitch.optimization.operators.scalarisation import Floats
from netstitch.optimization.operators.variation import checked_rate, mutation
from netstitch.optimization.problem import Genotype, Problem, Solution, State, as_costs

ATTEMPTS = 10
"""Times that offspring that are not new are made anew before they are taken as they are."""


def check_installed() -> None:
    """Raise SearchError when there is no pymoo, or one that has its own source of randomness."""
    try:
        import pymoo  # noqa: F401
        from pymoo.util import default_random_state  # noqa: F401
    except ImportError:
        raise SearchError(
            "algorithm 'nsga2' needs pymoo 0.6.1.6 or newer, which is not installed: "
            "pip install 'netstitch[nsga2]'"
        ) from None


class NSGA2(Algorithm):
    """Generations of n offspring, of which the loops evaluate one at a time.

    The first generation are the first genotypes. Parents are chosen by binary tournaments on rank
    and crowding, and offspring made by two-point crossover and mutation. When all n have their
    results, the n best of parents and offspring are the next parents: by fronts, and of the last
    one those that are crowded least. Solutions under the threshold come after all that are over
    it, by their violation of it as it is then, and failed ones last.

    Args:
        setup: The parts that it is made of.
        mutation_rate: Probability for each variable; None for 1 / l.
        crossover_rate: Probability for each pair of parents; others are copied before mutation.

    Attributes:
        parents: Genotypes of the last n survivors, shape (n, l); (0, l) in the first generation.
        costs: Their objectives with smaller better, shape (n, m), infinite where they failed.

    Raises:
        SearchError: When pymoo is not installed.
    """

    def __init__(
        self, setup: Setup, *, mutation_rate: float | None = None, crossover_rate: float = 0.9
    ) -> None:
        check_installed()
        if not 0 <= crossover_rate <= 1:
            raise SearchError(f"crossover_rate is {crossover_rate}: give 0 to 1")
        problem = setup.problem
        self.slots = setup.population
        self.parents: Genotype = np.empty((0, problem.length), dtype=np.int64)
        self.costs: Floats = np.empty((0, len(problem.objectives)))
        self._objectives = problem.objectives
        self._constraint = setup.constraint
        self._cardinalities = np.asarray(problem.cardinalities, dtype=np.int64)
        self._compact = np.min_scalar_type(max(problem.cardinalities) - 1)
        self._rate = checked_rate(mutation_rate, problem.length)
        self._generator = setup.generator
        self._load_pymoo(problem, crossover_rate)
        self._offspring: Genotype = setup.first_genotypes()
        self._results: Floats = np.full((self.slots, len(problem.objectives)), np.inf)
        self._evaluates = np.zeros(self.slots, dtype=np.int64)  # which offspring a slot has
        self._proposed = 0  # offspring of this generation
        self._received = 0

    def _load_pymoo(self, problem: Problem, crossover_rate: float) -> None:
        from pymoo.config import Config

        Config.warnings["not_compiled"] = False  # a hint that would go to stdout
        from pymoo.algorithms.moo.nsga2 import binary_tournament
        from pymoo.core.population import Population
        from pymoo.core.problem import Problem as PymooProblem
        from pymoo.operators.crossover.pntx import TwoPointCrossover
        from pymoo.operators.selection.tournament import TournamentSelection
        from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

        objectives = len(problem.objectives)
        self._pymoo_problem = PymooProblem(n_var=problem.length, n_obj=objectives, n_ieq_constr=1)
        self._individuals = Population.new
        self._survival = RankAndCrowding()
        self._selection = TournamentSelection(func_comp=binary_tournament)
        self._crossover = TwoPointCrossover(prob=crossover_rate)

    def propose(self, slot: int) -> Genotype | None:
        """Return the next offspring; None while the last ones of a generation are under way."""
        if self._proposed == self.slots:
            return None
        self._evaluates[slot] = self._proposed
        self._proposed += 1
        offspring: Genotype = self._offspring[self._evaluates[slot]].copy()
        return offspring

    def receive(self, slot: int, solution: Solution, entered: bool) -> None:
        """Keep the result; the last one of a generation begins the next."""
        if solution.objectives is not None:
            self._results[self._evaluates[slot]] = as_costs(self._objectives, solution.objectives)
        self._received += 1
        if self._received == self.slots:
            self._advance()

    def state(self) -> State:
        """Return all that changes as plain data."""
        return {
            "parents": self.parents.astype(self._compact),
            "costs": self.costs.copy(),
            "offspring": self._offspring.astype(self._compact),
            "results": self._results.copy(),
            "evaluates": self._evaluates.copy(),
            "proposed": self._proposed,
            "received": self._received,
        }

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        self.parents = state["parents"].astype(np.int64)
        self.costs = state["costs"].copy()
        self._offspring = state["offspring"].astype(np.int64)
        self._results = state["results"].copy()
        self._evaluates = state["evaluates"].copy()
        self._proposed = state["proposed"]
        self._received = state["received"]

    def _advance(self) -> None:
        """Choose the survivors of the generation, and make their offspring."""
        genotypes = np.concatenate([self.parents, self._offspring])
        costs = np.concatenate([self.costs, self._results])
        everyone = self._individuals(X=genotypes, F=costs, G=self._violations(costs)[:, None])
        survivors = self._survival.do(  # which get their rank and crowding
            self._pymoo_problem,
            everyone,
            n_survive=self.slots,
            random_state=self._generator,
            return_indices=True,
        )
        self.parents, self.costs = genotypes[survivors], costs[survivors]
        self._offspring = self._new_offspring(everyone[survivors])
        self._results = np.full_like(self._results, np.inf)
        self._proposed = self._received = 0

    def _violations(self, costs: Floats) -> Floats:
        """Return each solution's shortfall from the threshold, (k,), infinite if it failed."""
        if self._constraint is None:
            return np.where(np.isinf(costs[:, 0]), np.inf, 0.0)
        return np.maximum(0.0, self._constraint.value + costs[:, self._constraint.column])

    def _new_offspring(self, parents: object) -> Genotype:
        """Return one per slot, (n, l), different from the parents and each other if possible."""
        seen = {genotype.tobytes() for genotype in self.parents}
        offspring: list[Genotype] = []
        attempt = 0
        while len(offspring) < self.slots:
            attempt += 1
            for child in self._children(parents, self.slots - len(offspring)):
                key = child.tobytes()
                if key not in seen or attempt > ATTEMPTS:
                    seen.add(key)
                    offspring.append(child)
        return np.stack(offspring)

    def _children(self, parents: object, count: int) -> Genotype:
        """Return children of the parents after mutation, two of each pair, shape (count, l)."""
        tournament = SimpleNamespace(
            tournament_type="comp_by_rank_and_crowding", random_state=self._generator
        )
        pairs = self._selection.do(
            self._pymoo_problem,
            parents,
            -(-count // 2),
            n_parents=2,
            random_state=self._generator,
            algorithm=tournament,
        )
        made = self._crossover.do(self._pymoo_problem, pairs, random_state=self._generator)
        children: Genotype = made.get("X")[:count]
        cardinalities = np.tile(self._cardinalities, count)
        mutants = mutation(children.ravel(), cardinalities, self._rate, self._generator)
        return mutants.reshape(children.shape)
