"""What a search asks of an evaluator."""

from collections.abc import Sequence

from netstitch.evaluation.evaluator import Evaluated, Evaluator
from netstitch.optimization.executors.attempts import BatchEvaluation, StoppedEarly, Thresholds
from netstitch.optimization.problem import Genotype

Values = tuple[float, float]
"""Accuracy and multiply-adds."""


class SearchedObjectives(BatchEvaluation):
    """Accuracy and multiply-adds of genotypes, one by one or some together."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator

    def __call__(self, genotype: Genotype) -> Values:
        return _values(self.evaluator.evaluate(genotype))

    def together(
        self, genotypes: Sequence[Genotype], thresholds: Thresholds | None = None
    ) -> list[Values | StoppedEarly | Exception]:
        """Of each genotype its objectives, or what is wrong with it.

        thresholds: accuracies that evaluations must get over to go on to their end.
        """
        found = self.evaluator.evaluate_together(genotypes, thresholds)
        return [_found(one) if isinstance(one, Evaluated) else one for one in found]


def _found(measured: Evaluated) -> Values | StoppedEarly:
    return StoppedEarly(_values(measured)) if measured.bounded else _values(measured)


def _values(measured: Evaluated) -> Values:
    return measured.accuracy, float(measured.multiply_adds)
