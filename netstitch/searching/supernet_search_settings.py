"""Settings of a supernet's search: keywords of `ns.search`, and the table [search] of a file."""

from typing import Any, Literal, TypedDict

from pydantic import (
    Field,
    InstanceOf,
    SerializerFunctionWrapHandler,
    field_serializer,
    field_validator,
    model_serializer,
)

from netstitch.analysis import ObjectiveName
from netstitch.costs import COSTS, MULTIPLY_ADDS, Cost, find_cost
from netstitch.optimization.algorithms.registry import Build, name_of
from netstitch.optimization.operators.initialisation import EXPECTED_NONZEROS
from netstitch.optimization.search_settings import SearchSettings
from netstitch.text import expected_one_of


class SupernetSearchSettings(SearchSettings):
    """The settings of a supernet's search (section 5 of the paper)."""

    objective: ObjectiveName = "accuracy"
    """The measure that is held against the cost, 'accuracy' or 'cross-entropy'; then a threshold is
    of exp(-cross-entropy), the geometric mean of the probabilities of what is right."""
    cost: str | InstanceOf[Cost] = Field(
        default=MULTIPLY_ADDS.name,
        description=f"What networks are to need little of, one of {', '.join(map(repr, COSTS))}.",
    )
    threshold: float | None = Field(default=None, gt=0, lt=1)
    """Accuracy in (0, 1) over which the search is steered, in full from half of the budget on; by
    default none."""
    initial_stitches: float = Field(default=EXPECTED_NONZEROS, gt=0)
    """The number of switches of a first genotype that are expected to read a stitch, by default as
    in the paper; each has at least one in the first population."""

    @field_validator("cost")
    @classmethod
    def _known_cost(cls, cost: str | Cost) -> str | Cost:
        if isinstance(cost, str) and cost not in COSTS:
            raise ValueError(expected_one_of(cost, COSTS))
        return cost

    @field_serializer("cost")
    def _name_of_cost(self, cost: str | Cost) -> str:
        return find_cost(cost).name

    @model_serializer(mode="wrap")
    def _by_name(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # An algorithm of a user's own is a function.
        written: dict[str, Any] = write(self)
        return written | {"algorithm": name_of(self.algorithm)}


class SearchKeywords(TypedDict, total=False):
    """Keywords of `ns.search` that are fields of `SupernetSearchSettings`."""

    objective: ObjectiveName
    cost: str | Cost
    algorithm: str | Build
    seconds: float | None
    population: int | Literal["sweep"]
    threshold: float | None
    initial_stitches: float
    settings: Any
    patience: int | None
