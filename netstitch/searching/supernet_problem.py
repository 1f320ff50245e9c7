"""The search of a supernet, as a search that knows nothing of networks sees it."""

from collections.abc import Callable
from dataclasses import dataclass

from netstitch.analysis.front_point import ACCURACY
from netstitch.costs import MULTIPLY_ADDS, Cost, find_cost
from netstitch.optimization import (
    Engine,
    Evaluation,
    Executor,
    Initialisation,
    Objective,
    Problem,
    Progress,
    RejectionRule,
    prepare_search,
)
from netstitch.optimization.operators.initialisation import nonzero_probability
from netstitch.searching.supernet_search_settings import SupernetSearchSettings
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet

OBJECTIVES = (Objective(ACCURACY, maximise=True), Objective(MULTIPLY_ADDS.name))


@dataclass(frozen=True)
class SupernetSearch:
    """A supernet as a search problem; each population size is a search of its own.

    Attributes:
        supernet: What is searched.
        settings: How; the population counts for nothing here.
        seed: Of all random choices.
        bounded: Whether evaluations end where their outcome is certain.
        floor: The accuracy that hypervolumes of a sweep count from.
    """

    supernet: Supernet
    settings: SupernetSearchSettings
    seed: int
    bounded: bool = False
    floor: float = 0.0

    @property
    def cost(self) -> Cost:
        """The cost that is held against the objective."""
        return find_cost(self.settings.cost)

    @property
    def problem(self) -> Problem:
        """The scores by the objective, and the costs, of genotypes."""
        return Problem(
            self.supernet.cardinalities,
            (Objective(self.settings.objective, maximise=True), Objective(self.cost.name)),
            signature=self.supernet.wiring.digest,
            active=self.supernet.wiring.active,
        )

    @property
    def ensemble(self) -> float:
        """The cost of the ensemble, or of the dearest reference where there is none."""
        references = self.supernet.references().values()
        return max(self.cost.of(self.supernet, genotype) for genotype in references)

    def engine(
        self,
        population: int,
        executor: Executor,
        *,
        on_evaluation: Callable[[Evaluation], None],
        on_progress: Callable[[Progress], None],
    ) -> Engine:
        """Return a search of this size that is not run yet; the reference networks come first."""
        settings, length = self.settings, len(self.supernet.cardinalities)
        return prepare_search(
            self.problem,
            executor,
            settings.changed(population=population),
            seed=self.seed,
            initial=list(self.supernet.references().values()),
            initialisation=Initialisation(
                probability=nonzero_probability(length, settings.initial_stitches), uniform=(-1,)
            ),
            on_evaluation=on_evaluation,
            on_progress=on_progress,
            rejection=RejectionRule(self.settings.objective, self._best) if self.bounded else None,
        )

    def _best(self, genotype: Genotype) -> tuple[float, float]:
        """Return the objectives of a genotype that gets all samples right."""
        return 1.0, float(self.cost.of(self.supernet, genotype))
