"""What a search asks of an evaluator."""

from collections.abc import Sequence

from netstitch.evaluation.evaluator import Evaluated, Evaluator
from netstitch.optimization.executors.executor import Bounded, Floors
from netstitch.optimization.problem import Genotype

Values = tuple[float, float]
"""Accuracy and multiply-adds."""


class SearchedObjectives:
    """Accuracy and multiply-adds of genotypes, one by one or some together."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator

    def __call__(self, genotype: Genotype) -> Values:
        return _values(self.evaluator.evaluate(genotype))

    def together(
        self, genotypes: Sequence[Genotype], floors: Floors | None = None
    ) -> list[Values | Bounded | Exception]:
        """Of each genotype its objectives, or what is wrong with it.

        floors: accuracies that evaluations must get over to go on to their end.
        """
        found = self.evaluator.evaluate_together(genotypes, floors)
        return [_found(one) if isinstance(one, Evaluated) else one for one in found]


def _found(measured: Evaluated) -> Values | Bounded:
    return Bounded(_values(measured)) if measured.bounded else _values(measured)


def _values(measured: Evaluated) -> Values:
    return measured.accuracy, float(measured.multiply_adds)
