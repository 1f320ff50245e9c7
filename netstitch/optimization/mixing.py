"""Gene-pool optimal mixing: a solution takes over what donors have, subset by subset.

Section 5.2 of the paper. A pass is taken a step at a time, since each of its changes waits for an
evaluation of its own.
"""

from dataclasses import dataclass

import numpy as np

from netstitch.optimization.linkage import Genotypes, Subset
from netstitch.optimization.problem import Genotype
from netstitch.optimization.solution import Solution


@dataclass
class Mixing:
    """A pass over subsets of variables for one solution.

    solution: as changed so far. subsets: those still to come, the next one last.
    donors: (n, l) genotypes, as they were when the pass began.
    forced: the archive member that is the only donor of a forced improvement, which ends with its
        first change; None in an ordinary pass.
    changed: whether a change was kept. improved: whether one was better than what it changed, or
        new in the archive.
    """

    solution: Solution
    subsets: list[Subset]
    donors: Genotypes
    forced: Solution | None = None
    changed: bool = False
    improved: bool = False

    def next(self, generator: np.random.Generator) -> Genotype | None:
        """The solution with the values of a random donor that differs, for the next subset.

        Subsets in which no donor differs are passed over; None when there are no more.
        """
        if self.forced is not None and self.changed:
            return None
        own = self.solution.genotype
        while self.subsets:
            subset = self.subsets.pop()
            differing = np.flatnonzero((self.donors[:, subset] != own[subset]).any(axis=1))
            if len(differing):
                child = own.copy()
                child[subset] = self.donors[differing[generator.integers(len(differing))], subset]
                return child
        return None

    def keep(self, solution: Solution, *, improved: bool) -> None:
        """Go on from a changed solution."""
        self.solution = solution
        self.changed = True
        self.improved = self.improved or improved
