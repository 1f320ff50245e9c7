"""The segmentation task: a class for each pixel."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from netstitch.errors import DataError
from netstitch.tasks.confidence import fit_temperature, fitted_on
from netstitch.tasks.datasets.sample_selection import spaced
from netstitch.tasks.labelled import LabelledTask
from netstitch.tasks.samples import VOID, Samples, unknown_class
from netstitch.tasks.task_outputs import Outputs, reliability

GRAIN = 2.0**32
"""Shares of an image are multiples of 1 / GRAIN, so that their sums are exact in any order."""
IMAGES = 64
"""Images whose pixels a temperature is fitted on, at most."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Segmentation(LabelledTask):
    """Classes 0 to classes - 1 of pixels; those of class 255 do not count.

    Measured by the pixel accuracy of an image, the mean over images (as the paper does, section 6),
    and by the mean intersection over union, over all pixels of all images. An image all of whose
    pixels do not count has accuracy 1.

    Attributes are those of `Classification`; labels are maps, (n, height, width) uint8, of at most
    255 classes, `output` is such as "out" of torchvision's networks, and the ensemble is averaged
    pixel by pixel.

    Raises:
        DataError: For labels that are no maps, out of range, or of another size than the images;
            and from the methods, for outputs of another shape, without the task's key, or not
            finite.
    """

    measure: str = "pixel accuracy"

    most_classes = VOID

    def _check_labels(self, samples: Samples) -> None:
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
            if (found := unknown_class(labels, self.classes)) is not None:
                raise DataError(
                    f"{samples.name}: the label map of sample {index} has the class "
                    f"{found}; expected 0 to {self.classes - 1}, or {VOID} for pixels "
                    "that do not count"
                )

    def loss(self, outputs: Outputs, labels: Tensor) -> float:
        """Return the mean cross-entropy in nats of the pixels that count; 0 without any."""
        logits = self._logits(outputs, labels)
        if not (labels != VOID).any():
            return 0.0
        return float(functional.cross_entropy(logits, labels.long(), ignore_index=VOID))

    def cross_entropy(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return (n,) float64 nats: each image's mean over the pixels that count; 0 without any."""
        logits, counts = self._logits(outputs, labels), labels != VOID
        nats = functional.cross_entropy(
            logits, labels.long(), ignore_index=VOID, reduction="none"
        ).double()
        return nats.sum((1, 2)) / counts.sum((1, 2)).clamp(min=1)

    def correct(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return (n,) float64 shares of right pixels, of (n, classes, h, w) and (n, h, w)."""
        found = self._logits(outputs, labels).argmax(1)
        counts = labels != VOID
        right, counted = ((found == labels) & counts).sum((1, 2)), counts.sum((1, 2))
        share = torch.where(counted > 0, right.double() / counted.clamp(min=1), 1.0)
        return (share * GRAIN).round() / GRAIN

    def temperature(self, outputs: Outputs, labels: Tensor) -> float:
        """Return the temperature that makes the labels of pixels that count the likeliest."""
        some = spaced(len(labels), min(IMAGES, len(labels)))
        logits, labels = self._logits(outputs, labels), labels[some]
        counts = labels != VOID
        taken = fitted_on(int(counts.sum()), self.classes)
        # Only their logits are copied: all of an image may be many.
        rows, before = [logits.new_empty(0, self.classes)], 0
        for image, counted in zip(some, counts, strict=True):
            pixels = counted.flatten().nonzero()[:, 0]
            own = taken[(taken >= before) & (taken < before + len(pixels))] - before
            rows.append(logits[image].flatten(1)[:, pixels[own]].T)
            before += len(pixels)
        return fit_temperature(torch.cat(rows), labels[counts][taken])

    def likely(self, outputs: Outputs, others: Outputs, labels: Tensor) -> Tensor:
        """Return (n,) float64: the mean probability that other logits give to classes predicted.

        Over the pixels that count; 1 without any.
        """
        found = self._logits(outputs, labels).argmax(1, keepdim=True)
        shares = self._logits(others, labels).softmax(1).gather(1, found)[:, 0].double()
        counts = labels != VOID
        counted = counts.sum((1, 2))
        mean = (shares * counts).sum((1, 2)) / counted.clamp(min=1)
        return torch.where(counted > 0, mean, 1.0)

    def guessed(self, labels: Tensor) -> Tensor:
        """Return (n,) float64: the share of each map's pixels that are of the commonest class."""
        counted = (labels != VOID).flatten(1).sum(1).clamp(min=1)
        shares = torch.stack(
            [(labels == each).flatten(1).sum(1) / counted for each in range(self.classes)]
        ).double()
        return shares[shares.mean(1).argmax()]

    def tally(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return (classes, classes) int64: how many pixels of a class (row) are taken for which."""
        found = self._logits(outputs, labels).argmax(1)
        counts = labels != VOID
        pairs = labels[counts].long() * self.classes + found[counts]
        return torch.bincount(pairs, minlength=self.classes**2).view(self.classes, self.classes)

    def reliability(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return (bins, 3) sums over the pixels that count, see `task_outputs.reliability`."""
        logits = self._logits(outputs, labels).movedim(1, -1)
        counts = labels != VOID
        return reliability(logits[counts], labels[counts].long())

    def further(self, tally: Tensor) -> Mapping[str, float]:
        """Return the mean IoU, of the classes that are there or are found, from sums of `tally`."""
        hits = tally.diagonal().double()
        union = tally.sum(0) + tally.sum(1) - tally.diagonal()
        seen = union > 0
        return {"mean IoU": float((hits[seen] / union[seen]).mean()) if seen.any() else 1.0}
