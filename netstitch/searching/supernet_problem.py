"""The search of a supernet, as a search that knows nothing of networks sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from netstitch.analysis.dominance import ObjectiveName
from netstitch.analysis.front import ACCURACY
from netstitch.optimization import (
    Budget,
    Engine,
    Evaluation,
    Executor,
    Initialisation,
    Objective,
    Problem,
    Progress,
    RejectionRule,
    SearchSettings,
    prepare_search,
)
from netstitch.optimization.algorithms import Build
from netstitch.optimization.operators.initialisation import EXPECTED_NONZEROS, nonzero_probability
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet

OBJECTIVES = (Objective(ACCURACY, maximise=True), Objective("multiply_adds"))
INITIAL_STITCHES = EXPECTED_NONZEROS
"""Stitches expected in a first genotype (section 5 of the paper, p = 6.18 / l)."""


@dataclass(frozen=True)
class SupernetSearch:
    """What is searched, and how; each population size is a search of its own.

    The fields are the settings of `netstitch.searching.supernet_search.run`. bounded: whether
    evaluations end where their outcome is certain.
    """

    supernet: Supernet
    algorithm: str | Build
    budget: Budget
    seed: int
    threshold: float | None
    initial_stitches: float
    settings: Mapping[str, Any]
    patience: int | None
    bounded: bool = False
    floor: float = 0.0
    objective: ObjectiveName = ACCURACY

    @property
    def problem(self) -> Problem:
        """The scores by the objective, and multiply-adds, of genotypes."""
        return Problem(
            self.supernet.cardinalities,
            (Objective(self.objective, maximise=True), OBJECTIVES[1]),
            signature=self.supernet.wiring.digest,
            active=self.supernet.wiring.active,
        )

    @property
    def ensemble(self) -> int:
        """Multiply-adds of the ensemble, or of the dearest reference where there is none."""
        supernet = self.supernet
        return max(supernet.macs(genotype) for genotype in supernet.references().values())

    def engine(
        self,
        population: int,
        executor: Executor,
        *,
        on_evaluation: Callable[[Evaluation], None],
        on_progress: Callable[[Progress], None],
    ) -> Engine:
        """A search of this size that is not run yet; the reference networks come first."""
        length = len(self.supernet.cardinalities)
        return prepare_search(
            self.problem,
            executor,
            SearchSettings.of(
                algorithm=self.algorithm,
                evaluations=self.budget.evaluations,
                seconds=self.budget.seconds,
                count_skipped=self.budget.count_skipped,
                population=population,
                threshold=self.threshold,
                settings=dict(self.settings),
                patience=self.patience,
            ),
            seed=self.seed,
            initial=list(self.supernet.references().values()),
            initialisation=Initialisation(
                probability=nonzero_probability(length, self.initial_stitches), uniform=(-1,)
            ),
            on_evaluation=on_evaluation,
            on_progress=on_progress,
            rejection=RejectionRule(self.objective, self._best) if self.bounded else None,
        )

    def _best(self, genotype: Genotype) -> tuple[float, float]:
        """Objectives of a genotype that gets all samples right."""
        return 1.0, float(self.supernet.macs(genotype))
