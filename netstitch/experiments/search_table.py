"""The table of an experiment file that says how the supernet is searched."""

from collections.abc import Callable
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from netstitch.analysis import ObjectiveName
from netstitch.errors import SearchError
from netstitch.experiments.table import Count, Table
from netstitch.optimization import ALGORITHMS, Budget
from netstitch.optimization.algorithms import check_settings
from netstitch.optimization.search_settings import SMALLEST_POPULATION
from netstitch.searching.supernet_problem import INITIAL_STITCHES
from netstitch.searching.sweep import SIZES, sizes_within
from netstitch.text import did_you_mean

EVALUATIONS = 20_000


class SearchTable(Table):
    """How the supernet is searched (section 5 of the paper)."""

    objective: ObjectiveName = Field(
        default="accuracy",
        description="what is held against multiply-adds, 'accuracy' (the default) or "
        "'cross-entropy'; then a threshold is of exp(-cross-entropy)",
    )
    algorithm: str = Field(
        default="ga", description=f"one of {', '.join(ALGORITHMS)}; by default 'ga'"
    )
    evaluations: Count | None = Field(
        default=None,
        description=f"budget of evaluations; by default {EVALUATIONS:,}, none where there is a "
        "budget of seconds",
    )
    seconds: float | None = Field(
        default=None,
        gt=0,
        description="budget of time; by default none; of two budgets the stricter counts",
    )
    population: int | Literal["sweep"] = Field(
        default=64,
        description="genotypes that are improved side by side; by default 64; 'sweep' for a search "
        f"of each of {', '.join(map(str, SIZES))}, of which the best is kept",
    )
    settings: dict[str, bool | int | float | str] = Field(
        default={},
        description="of the algorithm, by name, such as inactive = 'kept'; by default its own",
    )
    threshold: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="accuracy in (0, 1) that the search is steered over; by default none",
    )
    initial_stitches: float = Field(
        default=INITIAL_STITCHES,
        gt=0,
        description="how many switches of a first genotype are expected to read a stitch; by "
        f"default {INITIAL_STITCHES}, as in the paper",
    )
    count_skipped: bool = Field(
        default=True,
        description="whether proposals that are known already count towards the budget; "
        "by default true",
    )

    patience: Count | None = Field(
        default=None,
        description="proposals in a row without a new subnetwork after which the search ends; by "
        "default 10,000 or 100 for each of the population, whichever is more",
    )

    @field_validator("algorithm")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in ALGORITHMS:
            known = ", ".join(map(repr, ALGORITHMS))
            raise ValueError(f"{did_you_mean(name, ALGORITHMS)}expected one of {known}")
        return name

    @field_validator("population", mode="before")
    @classmethod
    def _size_or_sweep(cls, value: Any) -> Any:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if value != "sweep" and not (whole and value >= SMALLEST_POPULATION):
            raise ValueError(
                f"expected a whole number of {SMALLEST_POPULATION} or more, or 'sweep'"
            )
        return value

    @model_validator(mode="before")
    @classmethod
    def _default_budget(cls, table: Any) -> Any:
        if isinstance(table, dict) and "evaluations" not in table and "seconds" not in table:
            return table | {"evaluations": EVALUATIONS}
        return table

    @model_validator(mode="after")
    def _large_enough(self) -> Self:
        if self.population == "sweep":
            _as_value_error(sizes_within, self.budget)
        elif self.evaluations is not None and self.evaluations < self.population:
            raise ValueError(
                f"evaluations is {self.evaluations}, less than the population of "
                f"{self.population}; give a larger budget or a smaller population"
            )
        _as_value_error(check_settings, self.algorithm, self.settings)
        return self

    @property
    def budget(self) -> Budget:
        """The budget for `netstitch.optimization.run_search`."""
        return Budget(self.evaluations, self.seconds, self.count_skipped)


def _as_value_error(check: Callable[..., Any], *given: Any) -> None:
    """Let what a check refuses be an error of the file, with its table's name."""
    try:
        check(*given)
    except SearchError as error:
        raise ValueError(str(error)) from None
