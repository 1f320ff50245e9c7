"""The first genotypes: few variables away from 0, so that few stitches add up their errors.

The paper's section 5 chooses the probability of a nonzero value so that their expected number is
the same for every length of the genotype.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netstitch.errors import SearchError
from netstitch.optimization.problem import Genotype, Problem

EXPECTED_NONZEROS = 6.18
"""0.02 of the 309 variables of the paper's pair ImageNet (a)."""

MOST = 0.5
"""The largest probability of a nonzero value; short genotypes would have more than one."""


@dataclass(frozen=True)
class Initialisation:
    """The distribution of first genotypes.

    Attributes:
        probability: Of a nonzero value; None for that of `nonzero_probability`.
        uniform: Indices of the variables that are uniform over all of their values, by default the
            last (a supernet's output switch); negative ones count from the end.

    Raises:
        SearchError: When the probability is not between 0 and 1.
    """

    probability: float | None = None
    uniform: tuple[int, ...] = (-1,)

    def __post_init__(self) -> None:
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise SearchError(
                f"the probability of a nonzero value is {self.probability}: give 0 to 1"
            )

    def check(self, problem: Problem) -> None:
        """Raise SearchError for a variable that the problem does not have."""
        for variable in self.uniform:
            if not -problem.length <= variable < problem.length:
                raise SearchError(
                    f"the initialisation names variable {variable}: the problem has "
                    f"{problem.length}"
                )


def nonzero_probability(length: int, expected: float = EXPECTED_NONZEROS) -> float:
    """Return expected / l, at most 0.5, for genotypes of l variables; 6.18 / l in section 5."""
    return min(MOST, expected / length)


def initial_population(
    cardinalities: Sequence[int],
    n: int,
    probability: float,
    uniform: Sequence[int],
    generator: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Return n genotypes, (n, l), with as many nonzeros in every variable's column.

    That number is n - floor((1 - probability) n); which genotypes have them is shuffled per
    variable. Nonzero values are uniform over 1 .. c - 1. The variables of `uniform` are drawn
    independently instead.
    """
    zeros = math.floor((1 - probability) * n + 1e-9)  # 0.1 * 10 must not round to 0.999...
    column = np.arange(n) >= zeros
    nonzero = generator.permuted(np.repeat(column[:, None], len(cardinalities), axis=1), axis=0)
    return _filled(nonzero, cardinalities, uniform, generator)


def random_genotype(
    cardinalities: Sequence[int],
    probability: float,
    uniform: Sequence[int],
    generator: np.random.Generator,
) -> Genotype:
    """Return one genotype of the same distribution, its variables independent of each other."""
    nonzero = generator.random((1, len(cardinalities))) < probability
    genotype: Genotype = _filled(nonzero, cardinalities, uniform, generator)[0]
    return genotype


def _filled(
    nonzero: npt.NDArray[np.bool_],
    cardinalities: Sequence[int],
    uniform: Sequence[int],
    generator: np.random.Generator,
) -> npt.NDArray[np.int64]:
    counts = np.asarray(cardinalities, dtype=np.int64)
    values = 1 + generator.integers(np.maximum(counts - 1, 1), size=nonzero.shape)
    genotypes = np.where(nonzero & (counts > 1), values, 0)
    for variable in uniform:
        genotypes[:, variable] = generator.integers(counts[variable], size=len(genotypes))
    return genotypes
