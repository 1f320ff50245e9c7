"""The classification task: one class per sample."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from netstitch.errors import DataError
from netstitch.tasks.labelled import LabelledTask
from netstitch.tasks.samples import Samples, check_labels
from netstitch.tasks.task_outputs import Outputs, reliability


@dataclass(frozen=True, eq=False, kw_only=True)
class Classification(LabelledTask):
    """Classes 0 to classes - 1, measured by accuracy (the paper's section 6) and cross-entropy.

    Attributes:
        validation: Samples that the search measures networks on.
        classes: Their number, 2 or more.
        training: Samples to fit stitches on; fitting does not use their labels.
        confirmation: Samples like those of validation that a search does not see.
        test: Samples that the front is measured on at the end.
        output: The key that is measured where networks put out dictionaries.
        ensemble: "logits" averages the networks' logits, "probabilities" their softmax.
        measure: The name of the share of samples that are right, in figures and tables.
        views: Random views of images that have the same class; refining sees training images so.

    Raises:
        DataError: For labels out of range, or samples of different shapes; and from the methods,
            for outputs that are not (n, classes), lack the task's key, or are not finite.
    """

    def _check_labels(self, samples: Samples) -> None:
        if samples.labels.ndim != 1:
            raise DataError(
                f"{samples.name}: labels are maps {tuple(samples.labels.shape)}; expected one "
                "class number per sample, (n,), or the kind 'segmentation'"
            )
        check_labels(samples, self.classes)

    def loss(self, outputs: Outputs, labels: Tensor) -> float:
        """Return the mean cross-entropy in nats."""
        return float(functional.cross_entropy(self._logits(outputs, labels).double(), labels))

    def cross_entropy(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return (n,) float64 nats: minus the logarithm of the probability of each label."""
        logits = self._logits(outputs, labels).double()
        return functional.cross_entropy(logits, labels, reduction="none")

    def margin(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return (n,) each label's logit less the highest other one."""
        logits = self._logits(outputs, labels)
        own = logits.gather(1, labels[:, None])
        others = logits.scatter(1, labels[:, None], -torch.inf)
        return own[:, 0] - others.max(1).values

    def correct(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return (n,) bool: which labels have the highest logit; of equal ones the first wins."""
        return self._logits(outputs, labels).argmax(1) == labels

    def likely(self, outputs: Outputs, others: Outputs, labels: Tensor) -> Tensor:
        """Return (n,) float64: the probability that other logits give to each class predicted."""
        found = self._logits(outputs, labels).argmax(1, keepdim=True)
        return self._logits(others, labels).softmax(1).gather(1, found)[:, 0].double()

    def guessed(self, labels: Tensor) -> Tensor:
        """Return (n,) float64: which labels are the commonest one."""
        return (labels == labels.mode().values).double()

    def reliability(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return (bins, 3) sums by confidence, see `task_outputs.reliability`."""
        return reliability(self._logits(outputs, labels), labels)
