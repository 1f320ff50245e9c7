"""Bootstrap intervals of a difference of two accuracies.

Percentile intervals (Efron and Tibshirani, 1993, An Introduction to the Bootstrap, chapter 13),
over samples that carry each network's outcomes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netstitch.errors import DataError

RESAMPLES, LEVEL = 10_000, 0.95
TOGETHER = 500
"""Resamples drawn in one go, where samples may be right in part."""


@dataclass(frozen=True)
class Interval:
    """A difference of accuracies, and the interval that holds it at the given level."""

    difference: float
    low: float
    high: float
    level: float = LEVEL

    def __post_init__(self) -> None:
        if not (self.low <= self.high and 0 < self.level < 1 and np.isfinite(self.difference)):
            raise ValueError(f"{self} is no interval: expected low <= high and a level in (0, 1)")

    def columns(self, name: str) -> dict[str, object]:
        """Return the difference and its ends by the names of their columns in a table."""
        return {name: self.difference, f"{name}_low": self.low, f"{name}_high": self.high}


def paired_difference(correct_a: ArrayLike, correct_b: ArrayLike, *, seed: int) -> Interval:
    """Return the accuracy of a minus that of b, with its paired bootstrap interval.

    A resample draws n samples with replacement, and of each only a - b adds to the difference. So
    the counts of its distinct values (+1, 0 and -1 where samples are right or wrong) are
    multinomial, and drawing them is the same as drawing the samples.

    Outcomes are (n,) bool, where a network is right on the same samples; or shares in [0, 1], such
    as of an image's pixels.

    Raises:
        DataError: There are no samples, lengths differ, or values lie outside [0, 1].
    """
    a, b = _outcomes(correct_a), _outcomes(correct_b)
    if a.shape != b.shape:
        raise DataError(
            f"outcomes of {len(a)} and {len(b)} samples cannot be paired; "
            "give both networks' outcomes on the same samples"
        )
    random = np.random.default_rng(seed)
    size, difference = len(a), a - b
    if not np.isin(difference, (-1, 0, 1)).all():
        return _interval(float(difference.mean()), _resampled_means(difference, random))
    better, worse = int((difference == 1).sum()), int((difference == -1).sum())
    shares = np.array([better, worse, size - better - worse]) / size
    drawn = random.multinomial(size, shares, size=RESAMPLES)
    return _interval((better - worse) / size, (drawn[:, 0] - drawn[:, 1]) / size)


def independent_difference(correct_a: ArrayLike, correct_b: ArrayLike, *, seed: int) -> Interval:
    """Return the accuracy on samples a minus that on other samples b, with its interval.

    Both are resampled, each for itself: such as one network's outcomes on validation and on test
    samples. Arguments and errors are those of `paired_difference`, but lengths may differ.
    """
    a, b = _outcomes(correct_a), _outcomes(correct_b)
    random = np.random.default_rng(seed)
    means = _resampled_means(a, random) - _resampled_means(b, random)
    return _interval(float(a.mean() - b.mean()), means)


def _interval(found: float, drawn: NDArray[np.float64]) -> Interval:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(found, float(low), float(high))


def _resampled_means(
    values: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.float64]:
    """Return (RESAMPLES,) means of as many values drawn again, by counts of distinct ones."""
    size = len(values)
    distinct, counts = np.unique(values, return_counts=True)
    return np.concatenate(
        [
            random.multinomial(size, counts / size, size=TOGETHER) @ distinct / size
            for _ in range(RESAMPLES // TOGETHER)
        ]
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
