"""A trial of an exit: fitted on some samples, with the penalty that others, held out, choose."""

from dataclasses import replace

from torch import Tensor, nn

from netstitch.fitting.exit_samples import ExitSamples
from netstitch.fitting.softmax_regression import LinearClassifier, Regression, cross_entropies
from netstitch.stitching.exit import Exit

STRENGTHS = (10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4)
"""Strengths of the penalty, of which one is chosen."""
FIRST = 2
"""The index of the one that is tried first; then weaker and stronger ones, while these gain."""

COARSE = 1e-2
"""Tolerance with which strengths are compared."""


class ExitTrial:
    """An exit with the strength that is best for it, and about the classifier of that strength.

    Args:
        samples: Those that it is fitted on, and those held out.
        one: The exit.
        first: Index of the strength to begin with.
        start: A classifier of its last features, to begin with.

    Attributes:
        exit: What it reads.
        strength: Index of the strength.
        nats: The mean cross-entropy of samples held out.
        classifier: Of the samples that are not.
    """

    def __init__(
        self, samples: ExitSamples, one: Exit, first: int, start: LinearClassifier | None = None
    ) -> None:
        features = samples.joined([(one.network, name) for name in one.points])
        held = samples.held
        self.exit = one
        self._regression = Regression(features[~held], samples.targets[~held])
        self._rows, self._targets = features[held], samples.targets[held]
        if start is not None:
            before = features.shape[1] - len(start.weight)
            start = replace(start, weight=nn.functional.pad(start.weight, (0, 0, before, 0)))
        self.strength = first
        self.nats, self.classifier = self._after(first, start)
        for step in (1, -1):
            while 0 <= self.strength + step < len(STRENGTHS):
                nats, classifier = self._after(self.strength + step, self.classifier)
                if nats >= self.nats:
                    break
                self.strength += step
                self.nats, self.classifier = nats, classifier
            if self.strength != first:
                break

    def _after(
        self, strength: int, start: LinearClassifier | None
    ) -> tuple[float, LinearClassifier]:
        found = self._regression.solve(STRENGTHS[strength], start, COARSE)
        return float(cross_entropies(found, self._rows, self._targets).mean()), found

    def finish(self) -> tuple[Tensor, float]:
        """Solve for good, and return each held-out sample's nats, and how many agree.

        That is the share of them whose likeliest class is the teacher's.
        """
        self.classifier = self._regression.solve(STRENGTHS[self.strength], self.classifier)
        nats = cross_entropies(self.classifier, self._rows, self._targets)
        likeliest = self.classifier.logits(self._rows).argmax(1)
        return nats, float((likeliest == self._targets.argmax(1)).double().mean())
