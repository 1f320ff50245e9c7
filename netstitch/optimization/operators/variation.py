"""Variation: new genotypes from old ones by crossover and mutation (section 5.1 of the paper).

Nothing selects the values of variables that a solution does not depend on, so they drift; once a
change makes them active they decide what becomes of it (the paper's section 8, which asks for a
remedy). `Inactive` offers two.
"""

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from netstitch.errors import SearchError
from netstitch.optimization.linkage.linkage_model import Genotypes
from netstitch.optimization.problem import Genotype, Problem


def two_point_crossover(
    first: Genotype, second: Genotype, generator: np.random.Generator
) -> Genotype:
    """Return the first parent with one segment of the second, shape (l,).

    The segment lies between two different boundaries out of the l + 1 around the variables, each
    pair as likely.
    """
    length = len(first)
    start = int(generator.integers(length + 1))
    end = int(generator.integers(length))
    if end >= start:
        end += 1
    low, high = min(start, end), max(start, end)
    child = first.copy()
    child[low:high] = second[low:high]
    return child


def one_point_crossover(
    first: Genotype, second: Genotype, generator: np.random.Generator
) -> Genotype:
    """Return the first parent up to a boundary and the second behind it, shape (l,).

    The boundary is one of the l before a variable, each as likely.
    """
    child = first.copy()
    start = int(generator.integers(len(first)))
    child[start:] = second[start:]
    return child


def uniform_crossover(
    first: Genotype, second: Genotype, generator: np.random.Generator
) -> Genotype:
    """Return each variable of either parent, as likely, shape (l,)."""
    return np.where(generator.random(len(first)) < 0.5, first, second)


Crossover = Callable[[Genotype, Genotype, np.random.Generator], Genotype]

TWO_POINT = "two-point"
CROSSOVERS: Mapping[str, Crossover] = {
    TWO_POINT: two_point_crossover,
    "one-point": one_point_crossover,
    "uniform": uniform_crossover,
}


def checked_rate(given: float | None, length: int) -> float:
    """Return a mutation rate, by default 1 / l; raise SearchError when it is no probability."""
    if given is not None and not 0 <= given <= 1:
        raise SearchError(f"mutation_rate is {given}: give 0 to 1")
    return 1 / length if given is None else given


def mutation(
    genotype: Genotype,
    cardinalities: npt.NDArray[np.int64],
    rate: float | npt.NDArray[np.float64],
    generator: np.random.Generator,
) -> Genotype:
    """Return a copy in which each variable has, with probability `rate`, another value.

    The rate is one for all variables, or of each, (l,). Other values are as likely. Variables of
    cardinality 1 have none and stay.
    """
    chosen = np.flatnonzero((generator.random(len(genotype)) < rate) & (cardinalities > 1))
    mutant = genotype.copy()
    counts = cardinalities[chosen]
    mutant[chosen] = (genotype[chosen] + 1 + generator.integers(counts - 1)) % counts
    return mutant


Inactive = Literal["copied", "kept", "reset"]
"""Inactive values are "copied" from donors like others, as in the paper; "kept", so that only
values that are active in the donor are taken over; or "reset" to 0 in every new genotype."""


def check_inactive(inactive: str, problem: Problem) -> None:
    """Raise SearchError when a way is not known, or the problem does not tell what is active."""
    ways = get_args(Inactive)
    if inactive not in ways:
        known = ", ".join(map(repr, ways))
        raise SearchError(f"unknown value {inactive!r} of inactive: expected one of {known}")
    if inactive != "copied" and problem.active is None:
        raise SearchError(
            f"inactive is {inactive!r}, but the problem does not say which variables are active: "
            "give it `active`, or leave inactive out"
        )


def offered(problem: Problem, inactive: Inactive, donor: Genotype, own: Genotype) -> Genotype:
    """Return the values that a parent offers in crossover; for inactive ones the other's own."""
    if inactive != "kept":
        return donor
    assert problem.active is not None
    return np.where(problem.active(donor), donor, own)


def offered_by_all(problem: Problem, inactive: Inactive, donors: Genotypes) -> Genotypes:
    """Return the values (n, l) that donors offer in mixing, `nothing` for inactive ones.

    Donors are in a type whose largest value, which stands for `nothing`, no variable has.
    """
    if inactive != "kept":
        return donors
    assert problem.active is not None
    active = np.array([problem.active(donor.astype(np.int64)) for donor in donors])
    return np.where(active, donors, nothing(donors)).astype(donors.dtype)


def nothing(donors: Genotypes) -> int:
    """Return the value that stands for none, the largest of the type."""
    return int(np.iinfo(donors.dtype).max)


def settled(problem: Problem, inactive: Inactive, genotype: Genotype) -> Genotype:
    """Return a new genotype as it is proposed; it may be changed in place."""
    if inactive == "reset":
        assert problem.active is not None
        genotype[~problem.active(genotype)] = 0
    return genotype
