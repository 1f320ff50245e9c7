"""Whether one network is right more often than another on the same samples.

McNemar (1947), Note on the sampling error of the difference between correlated proportions, in its
exact form; and where samples are right in part, such as shares of pixels, Wilcoxon's signed ranks.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest, wilcoxon


def p_better(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    """The one-sided p-value for a being right more often than b; 1 where they never differ.

    correct_a, correct_b: (n,) bool, whether each is right on each of the same samples; or shares
        in [0, 1].
    """
    differences = np.asarray(correct_a, dtype=np.float64) - np.asarray(correct_b, dtype=np.float64)
    other = differences[differences != 0]
    if not len(other):
        return 1.0
    if np.isin(other, (-1, 1)).all():
        wins = int((other > 0).sum())
        return float(binomtest(wins, len(other), alternative="greater").pvalue)
    return float(wilcoxon(other, alternative="greater").pvalue)
