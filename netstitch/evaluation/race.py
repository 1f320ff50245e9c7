"""Racing: after each part of the samples an evaluation goes on only while it may still get over.

The interval is of the accuracy on all samples, as it is expected from the first ones. Networks err
on the same samples, so it is one of differences to a network that is known on all of them: far
shorter than that of the accuracy itself.
"""

from dataclasses import dataclass
from math import sqrt

from scipy.stats import norm
from torch import Tensor

CONFIDENCE = 0.95
"""The confidence of the one-sided interval."""
DEVIATIONS = float(norm.ppf(CONFIDENCE))


@dataclass(frozen=True, eq=False)
class Race:
    """The parts of samples, in their order, after which evaluations are judged.

    Attributes:
        ends: The sizes of the parts, ascending, each with all that are in those before it; less
            than all samples.
        known: (r, n) `Task.correct` of r networks on all samples.
    """

    ends: tuple[int, ...]
    known: Tensor

    def most_right(self, right: Tensor) -> float:
        """Return the upper end of an interval of what all n values of `Task.correct` sum to.

        The first ones are taken for drawn without replacement from all; drawn in strata, as by
        `nested_order`, they are closer to all than that, so the interval is rather too long. The
        network that is known is the one whose differences vary least.

        Args:
            right: (m,) `Task.correct` of the first samples.
        """
        m, n = len(right), self.known.shape[1]
        known = self.known.double().numpy()  # sums do not depend on how many threads there are
        differences = right.double().numpy() - known[:, :m]
        sums = differences.sum(1)
        # Whole numbers where samples are right or wrong, so that equal ones are told as equal.
        squares = m * (differences**2).sum(1) - sums**2
        one = int(squares.argmin())
        # As if one more sample differed: where none does as yet, the others still may.
        variance = (squares[one] / m + 1) / m
        error = sqrt(variance / m * (1 - m / n))
        most = known[one].sum() + n * (sums[one] / m + DEVIATIONS * error)
        least = n * min(known.min(), right.min().item())  # no mean is under the least value
        return float(max(most, least))
