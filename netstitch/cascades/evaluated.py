"""Results of a search, from which stages of cascades are chosen."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Genotypes and their scores, n of them.

    Attributes:
        genotypes: (n, l).
        scores: (n,), the score that the search made large; of those that ended early, the best
            that it can be; NaN where an evaluation failed.
    """

    genotypes: NDArray[np.integer[Any]]
    scores: NDArray[np.float64]
