"""Greedy ensemble selection: the sets of networks that are the best for their cost.

Beginning with each network in turn, the one that makes the mean of the outputs score best is added
until all are in: Caruana et al., "Ensemble selection from libraries of models" (2004). Every
network is a start, since a cheap one need not be in the best set. For k networks that scores fewer
than k (k - 1) k / 2 sets instead of 2^k.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from netstitch.events import ProgressCallback
from netstitch.stitching.output_choices import OutputChoices
from netstitch.stitching.subgraph import Ensemble

Score = Callable[[Tensor], float]
"""Returns the score of a mean of outputs, the higher the better."""


@dataclass(frozen=True, eq=False)
class RunningMean:
    """A weighted mean of outputs (n, classes, ...), to which more can be added.

    Attributes:
        rule: What is averaged; see `netstitch.tasks.task_outputs.average`.
        total: The weighted sum of outputs, or the logarithm of that of probabilities.
        weight: The sum of the weights.
    """

    rule: Ensemble
    total: Tensor | None = None
    weight: float = 0.0

    def added(self, output: Tensor, weight: float) -> "RunningMean":
        """Return the mean that has one more output."""
        if self.rule == "logits":
            term = output * weight
            total = term if self.total is None else self.total + term
        else:
            term = output.log_softmax(1) + math.log(weight)
            total = term if self.total is None else torch.logaddexp(self.total, term)
        return RunningMean(self.rule, total, self.weight + weight)

    @property
    def value(self) -> Tensor:
        """The mean."""
        assert self.total is not None
        if self.rule == "logits":
            return self.total / self.weight
        return self.total - math.log(self.weight)


def greedy_sets(
    outputs: Sequence[Tensor],
    costs: Sequence[float],
    score: Score,
    *,
    rule: Ensemble,
    weights: Sequence[float],
    progress: ProgressCallback | None = None,
) -> OutputChoices:
    """Return each network, the sets that score more than every cheaper one tried, and all together.

    Args:
        outputs: The outputs (n, classes, ...) of each network.
        costs: The cost of each network; that of a set is their sum.
        score: Scores a mean of outputs.
        rule: What is averaged.
        weights: The positive weight of each network.
        progress: Called after each set that was scored.
    """
    count = len(outputs)
    scores: dict[frozenset[int], float] = {}

    def scored(subset: frozenset[int], mean: RunningMean) -> float:
        if subset not in scores:
            scores[subset] = score(mean.value)
            if progress is not None:
                progress(len(scores), None, "ensembles")
        return scores[subset]

    for start in range(count):
        subset = frozenset([start])
        mean = RunningMean(rule).added(outputs[start], weights[start])
        scored(subset, mean)
        while len(subset) < count:
            best: tuple[float, float, int] | None = None
            chosen = mean
            for one in sorted(set(range(count)) - subset):
                wider = mean.added(outputs[one], weights[one])
                found = (scored(subset | {one}, wider), -costs[one], -one)
                if best is None or found > best:
                    best, chosen = found, wider
            assert best is not None
            subset, mean = subset | {-best[2]}, chosen
    return _worth_it(scores, costs)


def _worth_it(scores: dict[frozenset[int], float], costs: Sequence[float]) -> OutputChoices:
    """Return each network, the Pareto-optimal sets of several by cost, and all together."""
    cost_of = {subset: math.fsum(costs[one] for one in subset) for subset in scores}
    order = sorted(scores, key=lambda one: (cost_of[one], -scores[one], len(one), sorted(one)))
    found, reached = [], -math.inf
    for subset in order:
        if scores[subset] > reached:
            reached = scores[subset]
            found.append(tuple(sorted(subset)))
    count = len(costs)
    several = [subset for subset in found if 1 < len(subset) < count]
    return (*((one,) for one in range(count)), *several, tuple(range(count)))
