"""The classification task: one class per sample."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from netstitch.errors import DataError
from netstitch.tasks.logits import average, reliability
from netstitch.tasks.samples import Samples, check_classes, check_labels, check_samples
from netstitch.tasks.task import EnsembleKind
from netstitch.tasks.task_outputs import Outputs, check_finite, select


@dataclass(frozen=True, eq=False, kw_only=True)
class Classification:
    """Classes 0 to classes - 1, measured by accuracy (the paper's section 6) and cross-entropy.

    training: for stitches; its labels are not used by fitting. validation: what the search sees.
    test: what it never sees. output: the key that is measured where networks put out dictionaries.
    ensemble: "logits" averages the networks' logits, "probabilities" their softmax (see `combine`).
    measure: what figures call the share of samples that are right.

    Raises DataError for labels out of range, or samples of different shapes.
    """

    validation: Samples
    classes: int
    training: Samples | None = None
    confirmation: Samples | None = None
    test: Samples | None = None
    output: str | None = None
    ensemble: EnsembleKind = "logits"
    measure: str = "accuracy"

    def __post_init__(self) -> None:
        check_classes(self.classes)
        check_samples(
            self.validation,
            training=self.training,
            confirmation=self.confirmation,
            test=self.test,
        )
        if self.ensemble not in ("logits", "probabilities"):
            raise DataError(
                f"ensemble {self.ensemble!r} is not known; give 'logits' or 'probabilities'"
            )
        for samples in (self.training, self.validation, self.confirmation, self.test):
            if samples is None:
                continue
            if samples.labels.ndim != 1:
                raise DataError(
                    f"{samples.name}: labels are maps {tuple(samples.labels.shape)}; expected one "
                    "class number per sample, (n,), or the kind 'segmentation'"
                )
            check_labels(samples, self.classes)

    def combine(self, outputs: Sequence[Tensor], weights: Sequence[float] | None = None) -> Tensor:
        """The ensemble's logits, (n, classes), from those of its networks; equal weights if None.

        Logits or probabilities are averaged, as `ensemble` says; see `average`.

        Raises DataError when there are no outputs, or not one weight for each.
        """
        return average(outputs, weights, self.ensemble)

    def loss(self, outputs: Outputs, labels: Tensor) -> float:
        """Mean cross-entropy in nats of (n, classes) logits against (n,) labels.

        Raises DataError as `correct` does.
        """
        return float(functional.cross_entropy(self._logits(outputs, labels).double(), labels))

    def cross_entropy(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """(n,) float64 nats: minus the logarithm of what each label's probability is.

        Raises DataError as `correct` does.
        """
        logits = self._logits(outputs, labels).double()
        return functional.cross_entropy(logits, labels, reduction="none")

    def accuracy(self, outputs: Outputs, labels: Tensor) -> float:
        """The share of samples whose highest logit is their label's, in [0, 1].

        Raises DataError as `correct` does.
        """
        return self.accuracy_of(int(self.correct(outputs, labels).sum()), len(labels))

    def accuracy_of(self, right: int, samples: int) -> float:
        """The accuracy where so many of all samples are right.

        It says that nothing else counts, so that evaluations may end early (see `Spread.early`).
        """
        # Not a float32 mean: equal counts must give the very same accuracy.
        return right / samples

    def margin(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """(n,) by how much each label's logit is over the highest other one.

        Raises DataError as `correct` does.
        """
        logits = self._logits(outputs, labels)
        own = logits.gather(1, labels[:, None])
        others = logits.scatter(1, labels[:, None], -torch.inf)
        return own[:, 0] - others.max(1).values

    def correct(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """(n, classes) logits and (n,) labels to (n,) bool; of equal logits the first counts.

        Raises DataError when the outputs are not (n, classes), lack the task's key, or are not
        finite.
        """
        return self._logits(outputs, labels).argmax(1) == labels

    def reliability(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """(bins, 3) sums by confidence; see `tasks.reliability`. Raises as `correct` does."""
        return reliability(self._logits(outputs, labels), labels)

    def _logits(self, outputs: Outputs, labels: Tensor) -> Tensor:
        logits = select(outputs, self.output)
        if tuple(logits.shape) != (len(labels), self.classes) or len(labels) == 0:
            raise DataError(
                f"outputs have shape {tuple(logits.shape)} for {len(labels)} labels; expected "
                f"({len(labels)}, {self.classes}) with at least one sample, check the number of "
                "classes and the task's output"
            )
        check_finite(logits)
        return logits
