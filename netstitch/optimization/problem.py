"""The problem of a search, and the solutions of it that are evaluated."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from netstitch.errors import SearchError

Genotype = npt.NDArray[np.int64]
"""One value per variable, shape (l,); variable i takes 0 .. cardinalities[i] - 1."""

InitialGenotypes = Sequence[Sequence[int] | npt.NDArray[np.integer]]
"""Genotypes as they come from outside; see `Problem.checked`."""

State = dict[str, Any]
"""All that changes of a part of a search, by name: what `save_state` can write."""


@dataclass(frozen=True)
class Objective:
    """A number that every evaluation gives, to be made large or small."""

    name: str
    maximise: bool = False


@dataclass(frozen=True)
class Problem:
    """The space of a search.

    Attributes:
        cardinalities: Number of values of each variable, shape (l,); 1 for one that cannot change.
        objectives: In the order in which an evaluation gives them.
        signature: Genotypes of equal signature are the same solution and are evaluated once. Every
            signature is kept for the whole search, so short ones (a digest, bytes) save memory.
            Without it every genotype is a solution of its own.
        active: Returns which variables a genotype's solution depends on, boolean of shape (l,);
            without it, all of them.
        computed: Objectives that need no evaluation, by name, each of a genotype.

    Raises:
        SearchError: When there is no variable or objective, a cardinality is under 1, two
            objectives share a name, or one that is computed is none.
    """

    cardinalities: tuple[int, ...]
    objectives: tuple[Objective, ...]
    signature: Callable[[Genotype], Hashable] | None = None
    active: Callable[[Genotype], npt.NDArray[np.bool_]] | None = None
    computed: Mapping[str, Callable[[Genotype], float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.cardinalities:
            raise SearchError("the problem has no variables: give at least one cardinality")
        for variable, cardinality in enumerate(self.cardinalities):
            if not isinstance(cardinality, int | np.integer) or cardinality < 1:
                raise SearchError(
                    f"variable {variable} has cardinality {cardinality}: give a whole number "
                    "of at least 1"
                )
        if not self.objectives:
            raise SearchError("the problem has no objectives: give at least one")
        names = [objective.name for objective in self.objectives]
        if len(set(names)) < len(names):
            raise SearchError(f"objectives share a name ({', '.join(names)}): make them distinct")
        for name in self.computed:
            self.column(name)

    @property
    def length(self) -> int:
        """Number of variables, l."""
        return len(self.cardinalities)

    @cached_property
    def _compact(self) -> np.dtype[np.unsignedinteger]:
        return np.min_scalar_type(max(self.cardinalities) - 1)

    def identify(self, genotype: Genotype) -> Hashable:
        """Return the signature of a genotype; without `signature`, its values as bytes."""
        if self.signature is not None:
            return self.signature(genotype)
        return genotype.astype(self._compact).tobytes()

    def column(self, objective: str) -> int:
        """Return the index of an objective; raise SearchError when there is none of the name."""
        names = [known.name for known in self.objectives]
        if objective not in names:
            raise SearchError(
                f"unknown objective {objective!r}: the problem has {', '.join(names)}"
            )
        return names.index(objective)

    def checked(self, genotype: Sequence[int] | npt.NDArray[np.integer]) -> Genotype:
        """Return a genotype from outside as an own array; raise SearchError if it does not fit."""
        values = np.asarray(genotype)
        if values.shape != (self.length,) or not np.issubdtype(values.dtype, np.integer):
            raise SearchError(
                f"a genotype has shape {values.shape} and type {values.dtype}: "
                f"give {self.length} integers"
            )
        outside = np.flatnonzero((values < 0) | (values >= np.asarray(self.cardinalities)))
        if outside.size:
            variable = int(outside[0])
            raise SearchError(
                f"a genotype has value {values[variable]} at variable {variable}: "
                f"expected 0 to {self.cardinalities[variable] - 1}"
            )
        return values.astype(np.int64)


def as_costs(objectives: Sequence[Objective], values: Sequence[float]) -> tuple[float, ...]:
    """Return objective values in the form where smaller is better, in the same order."""
    return tuple(
        -value if objective.maximise else value
        for objective, value in zip(objectives, values, strict=True)
    )


@dataclass(frozen=True, eq=False)
class Solution:
    """A genotype and its objective values, None where its evaluation failed."""

    genotype: Genotype
    objectives: tuple[float, ...] | None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The record of one distinct evaluation.

    Attributes:
        ordinal: 1 for the first that completed.
        genotype: The first one of its signature.
        signature: As the problem's.
        objectives: Their values; None where the evaluation failed, and `failure` says why.
        seconds: The time that the evaluation took, as measured by its executor.
        worker: What evaluated it.
        round: Results of one round arrived together; the search proposes nothing between them.
        skipped: Proposals so far that needed no evaluation.
        elapsed: Seconds since the search began.
        stopped_early: Whether it stopped early since its outcome was certain, or in a race likely;
            the objectives are then the best that they can be.
    """

    ordinal: int
    genotype: Genotype
    signature: Hashable
    objectives: tuple[float, ...] | None
    seconds: float
    failure: str | None
    worker: str = ""
    round: int = 0
    skipped: int = 0
    elapsed: float = 0.0
    stopped_early: bool = False
