"""The settings of a search: each declared once, with its default, bounds and text."""

from collections.abc import Callable
from numbers import Integral
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from netstitch.errors import SearchError
from netstitch.files.settings import Settings, as_value_error
from netstitch.optimization.algorithms.algorithm import Algorithm
from netstitch.optimization.algorithms.registry import (
    ALGORITHMS,
    check_algorithm,
    check_settings,
    entry,
    name_of,
)
from netstitch.optimization.budget import Budget
from netstitch.optimization.linkage.gene_pool import Convergence
from netstitch.optimization.operators.scalarisation import Frame
from netstitch.text import expected_one_of

EVALUATIONS = 20_000
SMALLEST_POPULATION = 4
SWEEP_SIZES = (128, 256, 512, 1024, 2048)
"""The population sizes that a sweep tries, as the paper's section 7."""


class SearchSettings(Settings):
    """The settings of a search; the same names are keys of `[search]` in experiment files.

    Where neither `evaluations` nor `seconds` is given, there is a budget of 20,000 evaluations.
    """

    refusal = SearchError
    called = "search"

    algorithm: str | Callable[..., Algorithm] = Field(
        default="ga",
        description=f"One of {', '.join(ALGORITHMS)}; from Python also a function "
        "that makes an algorithm from a Setup and, by keyword, its settings.",
    )
    evaluations: int | None = Field(
        default=None,
        ge=1,
        description=f"Budget of evaluations; by default {EVALUATIONS:,}, none where there is a "
        "budget of seconds.",
    )
    seconds: float | None = Field(default=None, gt=0)
    """Budget of time; by default none; of two budgets the stricter counts. Evaluations that would
    take more than a twentieth longer are given up."""
    count_skipped: bool = True
    """Count proposals that are known already towards the budget."""
    population: int | Literal["sweep"] = Field(
        default=64,
        description="Genotypes that are improved side by side, or evaluations under way at most "
        "where the algorithm has no population ('surrogate'); 'sweep' for a search "
        f"of each of {', '.join(map(str, SWEEP_SIZES))}, of which the best is kept.",
    )
    threshold: float | None = Field(default=None, gt=0)
    """Least value of the first objective that is maximised, over which the search is steered; it is
    reached when half of the budget is spent; by default none."""
    settings: dict[str, object] = Field(default={})
    """Settings of the algorithm, by name, such as inactive = 'kept'; by default its own."""
    frame: Frame = "following"
    """Lower end of the frame in which 'ga', 'gomea' and 'lk-gomea' normalise objectives: it is
    'following' the best values seen, or 'frozen' whenever weights are assigned, as in the authors'
    code, where all that lies beyond it counts the same."""
    convergence: Convergence = "active"
    """The values that 'lk-gomea' compares to see that neighbourhoods converged: those 'active' in
    genotypes, or whole 'genotypes', though inactive values drift for ever."""
    patience: int | None = Field(default=None, ge=1)
    """Proposals in a row without a new solution after which the search ends, since a small space
    cannot spend its budget; by default 10,000 or 100 for each of the population, whichever is
    more."""

    @field_validator("algorithm", mode="before")
    @classmethod
    def _known(cls, algorithm: object) -> object:
        if not isinstance(algorithm, str) and not callable(algorithm):
            raise ValueError("expected an algorithm's name, such as 'lk-gomea'")
        if isinstance(algorithm, str) and algorithm not in ALGORITHMS:
            raise ValueError(expected_one_of(algorithm, ALGORITHMS))
        return algorithm

    @field_validator("population", mode="before")
    @classmethod
    def _size_or_sweep(cls, value: Any) -> object:
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if value != "sweep" and not (whole and value >= SMALLEST_POPULATION):
            raise ValueError(
                f"expected a whole number of {SMALLEST_POPULATION} or more, or 'sweep'"
            )
        return value

    @field_validator("settings", mode="before")
    @classmethod
    def _none_are_none(cls, value: object) -> object:
        return {} if value is None else value

    @model_validator(mode="before")
    @classmethod
    def _default_budget(cls, given: object) -> object:
        if isinstance(given, dict) and given.get("evaluations") is given.get("seconds") is None:
            return given | {"evaluations": EVALUATIONS}
        return given

    @model_validator(mode="after")
    def _usable(self) -> Self:
        has_population = entry(self.algorithm).has_population
        if self.population == "sweep":
            if not has_population:
                raise ValueError(
                    f"the population is 'sweep', and algorithm {name_of(self.algorithm)!r} has "
                    "none: give one that has, such as 'ga', or no population"
                )
            as_value_error(lambda: self.sizes)
        elif has_population:
            budget = self.budget.evaluations
            if budget is not None and budget < self.population:
                raise ValueError(
                    f"the budget of {budget} evaluations is smaller than the population of "
                    f"{self.population}: give a larger budget or a smaller population"
                )
        as_value_error(check_settings, self.algorithm, self.settings)
        return self

    @property
    def budget(self) -> Budget:
        """The end of the search."""
        return Budget(self.evaluations, self.seconds, self.count_skipped)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The population sizes to search with: one, or those of a sweep within the budget.

        Raises SearchError for a sweep whose smallest size is more than the budget.
        """
        if self.population != "sweep":
            return (self.population,)
        most = self.evaluations
        sizes = tuple(size for size in SWEEP_SIZES if most is None or size <= most)
        if not sizes:
            raise SearchError(
                f"a sweep of population sizes begins with {SWEEP_SIZES[0]}, and the budget is "
                f"{most} evaluations: give a larger budget, or a population size"
            )
        return sizes

    @property
    def size(self) -> int:
        """The one population size; raises SearchError for a sweep, which is several searches."""
        if self.population == "sweep":
            raise SearchError(
                "the population is 'sweep', which is a search of each size: give one size"
            )
        return self.population

    @property
    def unfruitful_proposals(self) -> int:
        """The patience, by default 10,000 or 100 for each slot."""
        return max(10_000, 100 * self.size) if self.patience is None else self.patience

    def check_installed(self) -> None:
        """Raise SearchError where what the algorithm needs is not installed."""
        check_algorithm(self.algorithm)
