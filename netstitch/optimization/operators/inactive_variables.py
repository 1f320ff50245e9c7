"""Treatments of variables that a solution does not depend on, in variation.

Nothing selects the values of inactive variables, so they drift; once a change makes them active
they decide what becomes of it (the paper's section 8, which asks for a remedy). Two are offered.
"""

from typing import Literal, get_args

import numpy as np

from netstitch.errors import SearchError
from netstitch.optimization.linkage.linkage_model import Genotypes
from netstitch.optimization.problem import Genotype, Problem

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
    """Return what a parent offers in crossover: where that is nothing, the other one's own."""
    if inactive != "kept":
        return donor
    assert problem.active is not None
    return np.where(problem.active(donor), donor, own)


def offered_by_all(problem: Problem, inactive: Inactive, donors: Genotypes) -> Genotypes:
    """Return what donors offer in mixing, (n, l), with `nothing` where that is nothing.

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
