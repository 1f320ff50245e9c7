"""Evaluations that end before all samples are done, since their outcome is all but certain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from scipy.stats import hypergeom
from torch import Tensor

AccuracyOf = Callable[[float, int], float]
"""A task's `accuracy_of`."""


@dataclass(frozen=True)
class EarlyStopSettings:
    """When an evaluation of a genotype may end.

    error: 0 to end where the accuracy cannot get over the floor even if all samples to come are
        right. More than 0 to end too where, of samples in random order, so few would be right with
        no more than this probability, for all looks of an evaluation together, if the accuracy got
        over the floor; of samples that are right or wrong only, not right in part.
    """

    error: float = 0.0

    def bound(
        self, accuracy: AccuracyOf, right: float, seen: int, samples: int, floor: float, looks: int
    ) -> float | None:
        """The most that the accuracy can be, or is taken to be, where it is not over the floor.

        None where it may be over it. right: of the samples that were seen. looks: how often an
        evaluation is looked at before all are.
        """
        best = accuracy(right + samples - seen, samples)
        if best <= floor:
            return best
        if not self.error or not isinstance(right, int):
            return None
        low, high = 0, samples  # the fewest right ones that are over the floor
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if accuracy(middle, samples) > floor else (middle + 1, high)
        chance = hypergeom.cdf(right, samples, low, seen)
        return floor if chance <= self.error / max(1, looks) else None


def most_informative_order(sureness: Sequence[Tensor]) -> Tensor:
    """(n,) an order of the samples, those first that networks are least sure to get right.

    sureness: of some networks, (n,) each. A network that is not good enough shows it soonest on the
    samples that others find hard.
    """
    return torch.stack([each.double() for each in sureness]).mean(0).argsort(stable=True)
