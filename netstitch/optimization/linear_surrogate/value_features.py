"""Features of genotypes for a surrogate: the values other than 0 that solutions depend on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from netstitch.optimization.operators.scalarisation import Floats
from netstitch.optimization.problem import Genotype, Problem

Indices = npt.NDArray[np.int64]

MODE, EACH, SHARED, OWN = 2.5, 0.25, 0.15, 0.1
"""Prior standard deviations of coefficients, in units of what matters (see `SurrogateSearch`): of a
mode's value, of any value other than 0, of each such value, and of it in a mode beside that."""


@dataclass(frozen=True)
class ValueFeatures:
    """The features of an additive model.

    Variables are of two kinds. *Modes*, such as a supernet's output switch, have a feature for each
    value. Of the others each value other than 0 has one, and another for each value of a mode; they
    are 0 where the solution does not depend on the variable. One more counts these values. Without
    modes all solutions are of one.

    Attributes:
        problem: The problem of the search.
        modes: Indices of variables; negative ones count from the end.
    """

    problem: Problem
    modes: Sequence[int]

    @property
    def prior(self) -> Floats:
        """The prior variances (d,) of the coefficients."""
        modes, values = self._mode_starts[-1], self._starts[-1]
        deviations = ((MODE, modes), (EACH, 1), (SHARED, values), (OWN, values * modes))
        return np.concatenate([np.full(count, one**2) for one, count in deviations])

    def of(self, genotypes: Sequence[Genotype]) -> Floats:
        """Return the features (m, d) of m genotypes."""
        stacked = np.stack(genotypes)
        modes, others = self._indices
        there = stacked[:, others] > 0
        if self.problem.active is not None:
            there &= np.stack([self.problem.active(one) for one in genotypes])[:, others]
        rows, variables = np.nonzero(there)
        values = self._starts[variables] + stacked[rows, others[variables]] - 1
        at = self._mode_starts[:-1] + (stacked[:, modes] if len(modes) else 0)
        at = np.broadcast_to(at, (len(stacked), max(1, len(modes))))
        count, width = self._mode_starts[-1], self._starts[-1]
        found = np.zeros((len(stacked), count + 1 + width * (1 + count)))
        np.put_along_axis(found, at, 1.0, axis=1)
        found[:, count] = there.sum(axis=1)
        found[rows, count + 1 + values] = 1.0
        for mode in at.T:
            found[rows, count + 1 + width * (1 + mode[rows]) + values] = 1.0
        return found

    @cached_property
    def _indices(self) -> tuple[Indices, Indices]:
        length = self.problem.length
        modes = sorted({index % length for index in self.modes})
        others = [index for index in range(length) if index not in modes]
        return np.array(modes, np.int64), np.array(others, np.int64)

    @cached_property
    def _mode_starts(self) -> Indices:
        """The first feature of each mode, and the end of the last."""
        modes = self._indices[0]
        return _starts(self._counts[modes] if len(modes) else np.ones(1, np.int64))

    @cached_property
    def _starts(self) -> Indices:
        """The first value of each other variable, and the end of the last."""
        return _starts(self._counts[self._indices[1]] - 1)

    @property
    def _counts(self) -> Indices:
        return np.array(self.problem.cardinalities, np.int64)


def _starts(counts: Indices) -> Indices:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
