"""What a run does, checked before it does anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from netstitch.analysis import ObjectiveName
from netstitch.errors import SearchError
from netstitch.evaluation import ExecutionConfig
from netstitch.matching.objectives import COUNT, DISTINCT, check_choices
from netstitch.optimization import Budget
from netstitch.optimization.algorithms import check_algorithm, check_settings
from netstitch.optimization.search_settings import check_population
from netstitch.searching.supernet_problem import INITIAL_STITCHES
from netstitch.searching.sweep import sizes_within

POINTS, OBJECTIVE = DISTINCT, COUNT
"""What is matched, and what is maximised, unless a plan says otherwise."""


@dataclass(frozen=True)
class RunPlan:
    """What a run does; `asked` is the same as plain data, to be kept in the run folder.

    points, matching_objective: which points are matched, and what is maximised; see `match`.
    fit, refine: settings of `Supernet.fit` and `Supernet.refine`; without the latter, stitches stay
        as they were fitted. fit_batch: samples of a batch in which fit and refine read them.
    objective: what is held against multiply-adds; see `search`.
    population: slots of the search; "sweep" for a search of each of the paper's sizes.
    settings: of the algorithm, by name. patience: proposals in a row without a new subnetwork that
        end the search; None for the default of `run_search`.
    seed: of the search, and of the order in which training samples are read, so that the first
        ones stand for all. Those of fit and refine are among their settings.
    spread: the processes, threads, devices and memory of evaluations.
    recalibrate: training samples, the first in that order, that the batch norms behind each
        subnetwork's stitches take their statistics from; 0 to keep those of the basis networks.
    floor: the accuracy from which the hypervolumes of a sweep count.

    Raises SearchError when the search is not possible, and MatchingError when the matching is not
    known, so that it is known before the work.
    """

    name: str
    fit: Mapping[str, Any] = field(default_factory=lambda: {"method": "least-squares"})
    fit_batch: int = 64
    refine: Mapping[str, Any] | None = field(default_factory=dict)
    points: str = POINTS
    matching_objective: str = OBJECTIVE
    objective: ObjectiveName = "accuracy"
    algorithm: str = "ga"
    budget: Budget = field(default_factory=lambda: Budget(20_000))
    population: int | Literal["sweep"] = 64
    settings: Mapping[str, Any] = field(default_factory=dict)
    patience: int | None = None
    seed: int = 1
    threshold: float | None = None
    initial_stitches: float = INITIAL_STITCHES
    spread: ExecutionConfig = field(default_factory=ExecutionConfig)
    recalibrate: int = 0
    floor: float = 0.0
    asked: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choices(self.points, self.matching_objective)
        check_algorithm(self.algorithm)
        check_settings(self.algorithm, self.settings)
        if self.seed < 0:
            raise SearchError(f"the seed is {self.seed}: give 0 or more")
        if self.population == "sweep":
            sizes_within(self.budget)
        else:
            check_population(self.population, self.budget)
        self.spread.check()
