"""The base class of tasks with one class per sample or per pixel: samples, ensemble, measures."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import ClassVar

from torch import Tensor

from netstitch.errors import DataError
from netstitch.fitting.refinement.behaviour_losses import against_labels
from netstitch.fitting.refinement.views import AS_THEY_ARE, Views
from netstitch.stitching.cascade import Confidence
from netstitch.tasks.confidence import CONFIDENCES, fit_temperature, sureness
from netstitch.tasks.datasets.given import is_count
from netstitch.tasks.samples import Samples, check_samples
from netstitch.tasks.task import Task
from netstitch.tasks.task_outputs import (
    EnsembleKind,
    Outputs,
    average,
    check_finite,
    select,
)


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelledTask(Task):
    """A task of logits, (n, classes, ...), against class numbers, (n, ...)."""

    validation: Samples
    classes: int
    training: Samples | None = None
    confirmation: Samples | None = None
    test: Samples | None = None
    output: str | None = None
    ensemble: EnsembleKind = "logits"
    measure: str = "accuracy"
    views: Views = AS_THEY_ARE

    confidences = CONFIDENCES
    most_classes: ClassVar[float] = inf

    def __post_init__(self) -> None:
        if not is_count(self.classes) or not 2 <= self.classes <= self.most_classes:
            expected = f"2 to {self.most_classes}" if self.most_classes < inf else "2 or more"
            raise DataError(f"classes is {self.classes!r:.60}; give their number, {expected}")
        check_samples(
            self.validation, training=self.training, confirmation=self.confirmation, test=self.test
        )
        if self.ensemble not in ("logits", "probabilities"):
            raise DataError(
                f"ensemble {self.ensemble!r} is not known; give 'logits' or 'probabilities'"
            )
        if not isinstance(self.views, Views):
            raise DataError(
                f"views are {self.views!r:.60}; expected netstitch.tasks.Views(padding=..., "
                "flip=...)"
            )
        for samples in (self.training, *self.measured.values()):
            if samples is not None:
                self._check_labels(samples)

    @abstractmethod
    def _check_labels(self, samples: Samples) -> None:
        """Raise DataError unless the labels of samples fit the task."""

    def combine(self, outputs: Sequence[Tensor], weights: Sequence[float] | None = None) -> Tensor:
        """Return the ensemble's logits from those of its networks, see `task_outputs.average`."""
        return average(outputs, weights, self.ensemble)

    def accuracy(self, outputs: Outputs, labels: Tensor) -> float:
        """Return the mean of `correct` over samples, in [0, 1]."""
        return self.accuracy_of(self.correct(outputs, labels).sum().item(), len(labels))

    def accuracy_of(self, right: float, samples: int) -> float:
        """Return the accuracy where the values of `correct` of all samples sum to `right`."""
        # Not a float32 mean: equal counts must give the very same accuracy.
        return right / samples

    def sureness(
        self, outputs: Outputs, kind: Confidence = "probability", before: Outputs | None = None
    ) -> Tensor:
        """Return (n,) how sure logits are, see `Confidence`; of maps, the mean over pixels."""
        probabilities, other = (
            None if one is None else select(one, self.output).float().softmax(1)
            for one in (outputs, before)
        )
        assert probabilities is not None
        sure = sureness(probabilities, kind, other)
        return sure.reshape(len(sure), -1).mean(1)

    def temperature(self, outputs: Outputs, labels: Tensor) -> float:
        """Return the temperature that makes labels the likeliest; see `fit_temperature`."""
        logits = self._logits(outputs, labels).movedim(1, -1)
        return fit_temperature(logits.reshape(-1, self.classes), labels.reshape(-1))

    def training_loss(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return the mean cross-entropy, a scalar with a gradient; see `against_labels`."""
        return against_labels({self.output: select(outputs, self.output)}, labels)

    def _logits(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return the logits, (n, classes, ...); DataError for others."""
        logits = select(outputs, self.output)
        expected = (len(labels), self.classes, *labels.shape[1:])
        if tuple(logits.shape) != expected or len(labels) == 0:
            maps = f"label maps {tuple(labels.shape)}"
            raise DataError(
                f"outputs have shape {tuple(logits.shape)} for "
                f"{f'{len(labels)} labels' if labels.ndim == 1 else maps}; expected {expected} "
                "with at least one sample, check the number of classes and the task's output"
            )
        check_finite(logits)
        return logits
