"""The table of an experiment file that says what its protocol runs (section 7 of the paper)."""

from pydantic import Field, field_validator

from netstitch.experiments.table import Count, Table
from netstitch.optimization import ALGORITHMS
from netstitch.text import did_you_mean

PAPER = ("ga", "gomea", "lk-gomea")


class ProtocolTable(Table):
    """Algorithms, population sizes and seeds of a protocol; a sweep tries 128 to 2,048."""

    populations: dict[str, Count] = Field(
        default={},
        description="the population size of each algorithm, by name, for protocols without a "
        "sweep; by default those that a sweep finds",
    )
    algorithms: list[str] = Field(
        default=[],
        description="that are run; by default those of 'populations', or the paper's",
    )
    seeds: Count = Field(default=5, description="runs of each algorithm; by default 5")
    accuracy: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="that fronts are drawn and hypervolumes counted from, those of a sweep of "
        "population sizes too; by default 0",
    )

    @field_validator("algorithms", "populations")
    @classmethod
    def _known(cls, names: list[str] | dict[str, int]) -> list[str] | dict[str, int]:
        for name in names:
            if name not in ALGORITHMS:
                known = ", ".join(map(repr, ALGORITHMS))
                raise ValueError(
                    f"{name!r}: {did_you_mean(name, ALGORITHMS)}expected some of {known}"
                )
        return names

    @property
    def chosen(self) -> tuple[str, ...]:
        """The algorithms that are run."""
        return tuple(self.algorithms or self.populations or PAPER)
