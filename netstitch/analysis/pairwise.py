"""Every two of several ways to search, compared by a number of each of their runs.

Wilcoxon (1945), Individual Comparisons by Ranking Methods: the signed-rank test where both have
runs of the same seeds, the rank-sum test where they have not. Effect sizes are rank-biserial
correlations (Kerby, 2014, The Simple Difference Formula).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from statistics import median

import numpy as np
from scipy.stats import mannwhitneyu, rankdata, wilcoxon

from netstitch.analysis.correction import holm
from netstitch.errors import DataError


@dataclass(frozen=True)
class Pair:
    """Two ways and how sure their difference is.

    difference: the median of the first minus that of the second; of paired runs, of differences.
    p: two-sided; corrected: for the number of pairs (Holm). effect: -1 to 1, how much more of the
    ranks speaks for the first than for the second. paired: by seeds. runs: of both.
    """

    first: str
    second: str
    difference: float
    p: float
    corrected: float
    effect: float
    paired: bool
    runs: tuple[int, int]


def pairwise(values: Mapping[str, Mapping[int, float]]) -> tuple[Pair, ...]:
    """Every two ways, in the order given.

    values: of each way one number of each run, by its seed; higher is better.

    Raises DataError where a way has no runs, or a number that is not finite.
    """
    for name, runs in values.items():
        if not runs or not np.isfinite(list(runs.values())).all():
            raise DataError(f"{name} has no runs, or one whose number is not finite; give some")
    found = []
    for first, second in combinations(values, 2):
        a, b = values[first], values[second]
        paired = a.keys() == b.keys()
        if paired:
            difference, p, effect = _signed_ranks(np.array([a[seed] - b[seed] for seed in a]))
        else:
            difference, p, effect = _rank_sums(np.array([*a.values()]), np.array([*b.values()]))
        found.append((first, second, difference, p, effect, paired, (len(a), len(b))))
    corrected = holm([p for _, _, _, p, _, _, _ in found])
    return tuple(
        Pair(first, second, difference, p, adjusted, effect, paired, runs)
        for (first, second, difference, p, effect, paired, runs), adjusted in zip(
            found, corrected, strict=True
        )
    )


def _signed_ranks(differences: np.ndarray) -> tuple[float, float, float]:
    """Median, p and effect; without any difference nothing speaks for either."""
    other = differences[differences != 0]
    if not len(other):
        return 0.0, 1.0, 0.0
    ranks = rankdata(np.abs(other))
    effect = float((ranks * np.sign(other)).sum() / ranks.sum())
    return float(median(differences)), float(wilcoxon(differences).pvalue), effect


def _rank_sums(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    tested = mannwhitneyu(a, b)
    effect = 2 * float(tested.statistic) / (len(a) * len(b)) - 1
    return float(median(a) - median(b)), float(tested.pvalue), effect
