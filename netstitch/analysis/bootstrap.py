"""How sure a difference of two accuracies on the same samples is.

The paired bootstrap: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13
(percentile intervals), over samples that carry both networks' outcomes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netstitch.errors import DataError

TOGETHER = 500
"""Resamples drawn in one go, where samples may be right in part."""


@dataclass(frozen=True)
class Interval:
    """A difference of accuracies, and the interval that holds it at the given level."""

    difference: float
    low: float
    high: float
    level: float = 0.95

    def __post_init__(self) -> None:
        if not (self.low <= self.high and 0 < self.level < 1 and np.isfinite(self.difference)):
            raise ValueError(f"{self} is no interval: expected low <= high and a level in (0, 1)")


def paired_difference(
    correct_a: ArrayLike,
    correct_b: ArrayLike,
    *,
    resamples: int = 10_000,
    seed: int,
    level: float = 0.95,
) -> Interval:
    """Accuracy of a minus accuracy of b, with its paired percentile-bootstrap interval.

    correct_a, correct_b: (n,) bool, whether each network is right on each of the same n samples; or
        shares in [0, 1], such as of an image's pixels.

    A resample draws n samples with replacement, and of each only a - b adds to the difference. So
    the counts of its distinct values (+1, 0 and -1 where samples are right or wrong) are
    multinomial, and drawing them is the same as drawing the samples.

    Raises DataError for no samples, unequal lengths, or values outside [0, 1].
    """
    a, b = _outcomes(correct_a), _outcomes(correct_b)
    if a.shape != b.shape:
        raise DataError(
            f"outcomes of {len(a)} and {len(b)} samples cannot be paired; "
            "give both networks' outcomes on the same samples"
        )
    _check(resamples, level)
    tail = (1 - level) / 2
    random = np.random.default_rng(seed)
    size, difference = len(a), a - b
    if np.isin(difference, (-1, 0, 1)).all():
        better, worse = int((difference == 1).sum()), int((difference == -1).sum())
        shares = np.array([better, worse, size - better - worse]) / size
        drawn = random.multinomial(size, shares, size=resamples)
        differences, found = (drawn[:, 0] - drawn[:, 1]) / size, (better - worse) / size
    else:
        differences = _resampled_means(difference, resamples, random)
        found = float(difference.mean())
    low, high = np.quantile(differences, [tail, 1 - tail])
    return Interval(found, float(low), float(high), level)


def independent_difference(
    correct_a: ArrayLike,
    correct_b: ArrayLike,
    *,
    resamples: int = 10_000,
    seed: int,
    level: float = 0.95,
) -> Interval:
    """Accuracy on samples a minus accuracy on other samples b, with its bootstrap interval.

    correct_a: (n,), correct_b: (m,), as of `paired_difference`. Both are resampled, each for
    itself: such as one network's outcomes on validation and on test samples.

    Raises DataError as `paired_difference` does, but for unequal lengths.
    """
    a, b = _outcomes(correct_a), _outcomes(correct_b)
    _check(resamples, level)
    random, tail = np.random.default_rng(seed), (1 - level) / 2
    drawn = _resampled_means(a, resamples, random) - _resampled_means(b, resamples, random)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(float(a.mean() - b.mean()), float(low), float(high), level)


def _resampled_means(
    values: NDArray[np.float64], resamples: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """(resamples,) means of as many values drawn with replacement, by counts of distinct ones."""
    size = len(values)
    distinct, counts = np.unique(values, return_counts=True)
    return np.concatenate(
        [
            random.multinomial(size, counts / size, size=len(part)) @ distinct / size
            for part in np.array_split(np.arange(resamples), -(-resamples // TOGETHER))
        ]
    )


def _check(resamples: int, level: float) -> None:
    if resamples < 1 or not 0 < level < 1:
        raise DataError(
            f"{resamples} resamples at level {level} give no interval; expected 1 or more "
            "resamples and a level between 0 and 1"
        )


def _outcomes(correct: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(correct)
    if values.ndim != 1 or len(values) == 0:
        raise DataError(
            f"outcomes have shape {values.shape}; expected (n,), one or more, true where a network "
            "is right"
        )
    outcomes = values.astype(np.float64)
    if not ((outcomes >= 0) & (outcomes <= 1)).all():
        raise DataError(
            "outcomes hold values outside [0, 1]; expected true or false, or shares, each"
        )
    return outcomes
