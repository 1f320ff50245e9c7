"""The segmentation task: a class for each pixel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from netstitch.errors import DataError
from netstitch.tasks.logits import average, reliability
from netstitch.tasks.samples import Samples, check_classes, check_samples
from netstitch.tasks.task import EnsembleKind
from netstitch.tasks.task_outputs import Outputs, check_finite, select

VOID = 255
"""The class number of pixels that do not count."""
GRAIN = 2.0**32
"""Shares of an image are multiples of 1 / GRAIN, so that their sums are exact in any order."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Segmentation:
    """Classes 0 to classes - 1 of pixels; those of class 255 do not count.

    Measured by the pixel accuracy of an image, the mean over images (as the paper does, section 6),
    and by the mean intersection over union, over all pixels of all images. An image all of whose
    pixels do not count has accuracy 1.

    training, validation, test: with label maps (n, height, width) uint8. output: the key that is
    measured where networks put out dictionaries, such as "out" of torchvision's. ensemble: as of
    `Classification`, pixel by pixel.

    Raises DataError for labels that are no maps, out of range, or of another size than the images.
    """

    validation: Samples
    classes: int
    training: Samples | None = None
    confirmation: Samples | None = None
    test: Samples | None = None
    output: str | None = None
    ensemble: EnsembleKind = "logits"
    measure: str = "pixel accuracy"

    def __post_init__(self) -> None:
        check_classes(self.classes, VOID)
        check_samples(
            self.validation,
            training=self.training,
            confirmation=self.confirmation,
            test=self.test,
        )
        for samples in (self.training, self.validation, self.confirmation, self.test):
            if samples is not None:
                self._check(samples)

    def _check(self, samples: Samples) -> None:
        if samples.labels.ndim != 3:
            raise DataError(
                f"{samples.name}: labels have shape {tuple(samples.labels.shape)}; expected a "
                "class for each pixel, (n, height, width)"
            )
        if samples.labels.shape[1:] != samples.inputs.shape[-2:]:
            raise DataError(
                f"{samples.name}: label maps have {tuple(samples.labels.shape[1:])} pixels and "
                f"images {tuple(samples.inputs.shape[-2:])}; expected as many"
            )
        if samples.checked is not None and samples.checked <= self.classes:
            return
        for index, labels in enumerate(samples.labels):  # one by one: they may be mapped files
            strange = labels[(labels >= self.classes) & (labels != VOID)]
            if len(strange):
                raise DataError(
                    f"{samples.name}: the label map of sample {index} has the class "
                    f"{int(strange[0])}; expected 0 to {self.classes - 1}, or {VOID} for pixels "
                    "that do not count"
                )

    def combine(self, outputs: Sequence[Tensor], weights: Sequence[float] | None = None) -> Tensor:
        """The ensemble's logits, (n, classes, height, width); see `Classification.combine`."""
        return average(outputs, weights, self.ensemble)

    def loss(self, outputs: Outputs, labels: Tensor) -> float:
        """Mean cross-entropy in nats of the pixels that count; 0 where there are none.

        Raises DataError as `correct` does.
        """
        logits = self._logits(outputs, labels)
        if not (labels != VOID).any():
            return 0.0
        return float(functional.cross_entropy(logits, labels.long(), ignore_index=VOID))

    def cross_entropy(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """(n,) float64 nats: the mean over the pixels of each image that count; 0 without any.

        Raises DataError as `correct` does.
        """
        logits, counts = self._logits(outputs, labels), labels != VOID
        nats = functional.cross_entropy(
            logits, labels.long(), ignore_index=VOID, reduction="none"
        ).double()
        return nats.sum((1, 2)) / counts.sum((1, 2)).clamp(min=1)

    def accuracy(self, outputs: Outputs, labels: Tensor) -> float:
        """The mean over images of the share of pixels that are right, in [0, 1].

        Raises DataError as `correct` does.
        """
        return self.accuracy_of(float(self.correct(outputs, labels).sum()), len(labels))

    def accuracy_of(self, right: float, samples: int) -> float:
        """The accuracy where the shares of all samples add up to `right`."""
        return right / samples

    def correct(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """(n, classes, h, w) logits and (n, h, w) maps to (n,) float64, shares of right pixels.

        Raises DataError when outputs are of another shape, lack the task's key, or are not finite.
        """
        right, counted = self._pixels(outputs, labels)
        share = torch.where(counted > 0, right.double() / counted.clamp(min=1), 1.0)
        return (share * GRAIN).round() / GRAIN

    def tally(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """(classes, classes) int64: how many pixels of each class (row) are taken for which.

        Raises DataError as `correct` does.
        """
        found = self._logits(outputs, labels).argmax(1)
        counts = labels != VOID
        pairs = labels[counts].long() * self.classes + found[counts]
        return torch.bincount(pairs, minlength=self.classes**2).view(self.classes, self.classes)

    def reliability(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """(bins, 3) sums over the pixels that count; see `tasks.reliability`.

        Raises DataError as `correct` does.
        """
        logits = self._logits(outputs, labels).movedim(1, -1)
        counts = labels != VOID
        return reliability(logits[counts], labels[counts].long())

    def further(self, tally: Tensor) -> Mapping[str, float]:
        """Other measures, from the sum of `tally` over all samples.

        mean IoU: of the classes that are there or are found, intersection over union.
        """
        hits = tally.diagonal().double()
        union = tally.sum(0) + tally.sum(1) - tally.diagonal()
        seen = union > 0
        return {"mean IoU": float((hits[seen] / union[seen]).mean()) if seen.any() else 1.0}

    def _pixels(self, outputs: Outputs, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(n,) pixels that are right, and that count."""
        found = self._logits(outputs, labels).argmax(1)
        counts = labels != VOID
        return ((found == labels) & counts).sum((1, 2)), counts.sum((1, 2))

    def _logits(self, outputs: Outputs, labels: Tensor) -> Tensor:
        logits = select(outputs, self.output)
        expected = (len(labels), self.classes, *labels.shape[1:])
        if tuple(logits.shape) != expected or len(labels) == 0:
            raise DataError(
                f"outputs have shape {tuple(logits.shape)} for label maps {tuple(labels.shape)}; "
                f"expected {expected} with at least one sample, check the number of classes and "
                "the task's output"
            )
        check_finite(logits)
        return logits
