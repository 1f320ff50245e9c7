"""Tests of significance: of networks on the same samples, and of searches by their runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest, mannwhitneyu, rankdata, wilcoxon

from netstitch.errors import DataError


def p_better(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    """Return the one-sided p-value for a being right more often than b; 1 where they never differ.

    Both are (n,) bool, right or wrong on the same samples, or shares in [0, 1]. McNemar's test
    (1947) in its exact form; of shares, such as of pixels, Wilcoxon's signed ranks.
    """
    differences = np.asarray(correct_a, dtype=np.float64) - np.asarray(correct_b, dtype=np.float64)
    other = differences[differences != 0]
    if not len(other):
        return 1.0
    if np.isin(other, (-1, 1)).all():
        wins = int((other > 0).sum())
        return float(binomtest(wins, len(other), alternative="greater").pvalue)
    return float(wilcoxon(other, alternative="greater").pvalue)


@dataclass(frozen=True)
class AgainstBest:
    """The runs of an algorithm, held against those of the best one.

    Attributes:
        median: Of its runs' values, as `least` and `most`.
        p: That the best algorithm's runs differ only by chance, by a two-sided Mann-Whitney U test,
            corrected for the number of tests (Holm); None for the best.
    """

    name: str
    median: float
    least: float
    most: float
    p: float | None


def compare_with_best(values: Mapping[str, Sequence[float]]) -> list[AgainstBest]:
    """Compare each algorithm's values, higher is better, with those of the highest median."""
    best = max(values, key=lambda name: median(values[name]))
    others = [name for name in values if name != best]
    raw = [float(mannwhitneyu(values[best], values[name]).pvalue) for name in others]
    corrected = dict(zip(others, holm(raw), strict=True))
    return [
        AgainstBest(name, median(found), min(found), max(found), corrected.get(name))
        for name, found in values.items()
    ]


@dataclass(frozen=True)
class Pair:
    """Two groups of runs, and how sure their difference is.

    Attributes:
        difference: The median of the first minus that of the second; of paired runs, the median of
            differences.
        p: Two-sided, and `corrected` for the number of pairs (Holm).
        effect: -1 to 1, how much more of the ranks speaks for the first than for the second.
        paired: By seeds.
        runs: How many each group has.
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
    """Compare every two groups of runs: a number by each run's seed, higher is better.

    Wilcoxon's signed-rank test (1945) where both have runs of the same seeds, the rank-sum test
    where they have not. Effect sizes are rank-biserial correlations (Kerby, 2014, The Simple
    Difference Formula).

    Raises:
        DataError: A group has no runs, or a number that is not finite.
    """
    for name, runs in values.items():
        if not runs or not np.isfinite(list(runs.values())).all():
            raise DataError(f"{name} has no runs, or one whose number is not finite; give some")
    pairs = []
    for first, second in combinations(values, 2):
        a, b = values[first], values[second]
        paired = a.keys() == b.keys()
        if paired:
            difference, p, effect = _signed_ranks(np.array([a[seed] - b[seed] for seed in a]))
        else:
            difference, p, effect = _rank_sums(np.array([*a.values()]), np.array([*b.values()]))
        pairs.append(Pair(first, second, difference, p, p, effect, paired, (len(a), len(b))))
    corrected = holm([pair.p for pair in pairs])
    return tuple(replace(pair, corrected=p) for pair, p in zip(pairs, corrected, strict=True))


def _signed_ranks(differences: np.ndarray) -> tuple[float, float, float]:
    """Return median, p and effect; without any difference nothing speaks for either."""
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


def holm(values: Sequence[float]) -> list[float]:
    """Return p values of several tests, in their order, by Holm's step-down procedure (1979)."""
    corrected, highest = [0.0] * len(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = highest
    return corrected
