"""The objectives that a search asks of an evaluator."""

from collections.abc import Sequence

from netstitch.evaluation.evaluator import Evaluated, Evaluator
from netstitch.optimization.executors.attempts import BatchEvaluation, StoppedEarly, Thresholds
from netstitch.optimization.problem import Genotype

Values = tuple[float, float]
"""Accuracy and cost."""


class SearchedObjectives(BatchEvaluation):
    """Accuracy and cost of genotypes, one by one or some together."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator

    def __call__(self, genotype: Genotype) -> Values:
        """Return the objectives of one genotype."""
        measured = self.evaluator.evaluate(genotype)
        return measured.accuracy, measured.cost

    def together(
        self, genotypes: Sequence[Genotype], thresholds: Thresholds | None = None
    ) -> list[Values | StoppedEarly | Exception]:
        """Return the objectives of each genotype, or its error.

        Args:
            genotypes: Evaluated in one go.
            thresholds: Accuracies that evaluations must get over to go on to their end.
        """
        found: list[Values | StoppedEarly | Exception] = []
        for one in self.evaluator.evaluate_together(genotypes, thresholds):
            if isinstance(one, Evaluated):
                values = one.accuracy, one.cost
                found.append(StoppedEarly(values) if one.bounded else values)
            else:
                found.append(one)
        return found
