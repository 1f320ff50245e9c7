"""How sure a difference of two accuracies on the same samples is.

The paired bootstrap: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13
(percentile intervals), over samples that carry both networks' outcomes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from netstitch.errors import DataError


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

    correct_a, correct_b: (n,) bool, whether each network is right on each of the same n samples.

    A resample draws n samples with replacement, and of each only a - b, one of +1, 0 and -1, adds
    to the difference. So the counts of the three are multinomial, and drawing them is the same as
    drawing the samples, in time that does not depend on n.

    Raises DataError for no samples, unequal lengths, or values other than true and false.
    """
    a, b = _outcomes(correct_a), _outcomes(correct_b)
    if a.shape != b.shape:
        raise DataError(
            f"outcomes of {len(a)} and {len(b)} samples cannot be paired; "
            "give both networks' outcomes on the same samples"
        )
    if resamples < 1 or not 0 < level < 1:
        raise DataError(
            f"{resamples} resamples at level {level} give no interval; expected 1 or more "
            "resamples and a level between 0 and 1"
        )
    size = len(a)
    better, worse = int((a & ~b).sum()), int((b & ~a).sum())
    shares = np.array([better, worse, size - better - worse]) / size
    drawn = np.random.default_rng(seed).multinomial(size, shares, size=resamples)
    tail = (1 - level) / 2
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / size, [tail, 1 - tail])
    return Interval((better - worse) / size, float(low), float(high), level)


def _outcomes(correct: ArrayLike) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    values = np.asarray(correct)
    if values.ndim != 1 or len(values) == 0:
        raise DataError(
            f"outcomes have shape {values.shape}; expected (n,), one or more, true where a network "
            "is right"
        )
    if not np.isin(values, (0, 1)).all():
        raise DataError("outcomes hold values other than 0 and 1; expected true or false each")
    outcomes: np.ndarray[tuple[int], np.dtype[np.bool_]] = values.astype(np.bool_)
    return outcomes
