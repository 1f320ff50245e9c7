"""The base class of tasks: samples, measures, and optional abilities with their defaults."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from netstitch.errors import DataError
from netstitch.fitting.refinement.views import AS_THEY_ARE, Views
from netstitch.stitching.cascade import Confidence
from netstitch.tasks.datasets.given import described
from netstitch.tasks.samples import Samples, check_samples
from netstitch.tasks.task_outputs import EnsembleKind, Outputs

MeasuredSplit = Literal["validation", "confirmation", "test"]
Measure = Callable[[Outputs, Tensor], Tensor]
"""Values (n, ...) of the outputs and labels of n samples."""


class Task(ABC):
    """Measures of outputs against labels, and the samples that networks are measured on.

    A task of your own subclasses it, sets `validation`, and defines `combine`, `loss`, `accuracy`
    and `correct`. Everything else has a default; an optional ability that is None says "not for
    this task".

    Attributes:
        validation: Samples that a search measures networks on.
        training: Samples that stitches are fitted on and networks are fine-tuned on.
        confirmation: Samples like those of validation that a search does not see, and that decide
            which of its networks stay.
        test: Samples that the front is measured on at the end.
        output: The key that is measured where networks put out dictionaries.
        ensemble: What the ensemble averages.
        measure: The accuracy's name in figures and tables.
        views: Random views of training images that keep what the task asks for; refining sees
            them.
        accuracy_of: ``accuracy_of(right, samples)`` returns the accuracy where the values of
            `correct` of so many samples sum to ``right``. Evaluations may then end early. A class
            that overrides `accuracy` without this is taken to have none.
        cross_entropy: The cross-entropy of each sample in nats, (n,).
        training_loss: The loss as a scalar tensor with a gradient, for fine-tuning.
        confidences: Kinds of `sureness` that the task has; none where cascades are not for it.
        sureness: ``sureness(outputs, kind, before)`` returns from 0 to 1 how sure outputs, or
            logits of one tensor, are of each sample, (n,), without labels; ``before`` are those
            that the kind "agreement" is with.
        temperature: ``temperature(outputs, labels)`` returns the number that outputs are divided
            by so that their confidence is honest; None where they stay as they are.
        likely: ``likely(outputs, others, labels)`` returns `correct` of outputs as it is expected
            where labels are drawn from the probabilities of other outputs, (n,); of labels it
            reads where they count. None where choices are by labels alone.
        reliability: Sums by confidence, (bins, 3), for calibration, as those of `Classification`.
        tally: Counts that add up over batches, from which `further` computes other measures.
        guessed: ``guessed(labels)`` returns `correct` of a network that gives the commonest class
            always, (n,): what is no better is at chance.
    """

    validation: Samples
    training: Samples | None = None
    confirmation: Samples | None = None
    test: Samples | None = None
    output: str | None = None
    ensemble: EnsembleKind = "logits"
    measure: str = "accuracy"
    views: Views = AS_THEY_ARE
    accuracy_of: Callable[[float, int], float] | None = None
    cross_entropy: Measure | None = None
    training_loss: Measure | None = None
    confidences: tuple[Confidence, ...] = ()
    sureness: Callable[[Outputs, Confidence, Outputs | None], Tensor] | None = None
    temperature: Callable[[Outputs, Tensor], float] | None = None
    likely: Callable[[Outputs, Outputs, Tensor], Tensor] | None = None
    reliability: Measure | None = None
    tally: Measure | None = None
    guessed: Callable[[Tensor], Tensor] | None = None

    _counted: ClassVar[Callable[..., float] | None] = None
    # The `accuracy` that `accuracy_of` is of: a class that overrides one of them is another.

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "accuracy_of" in vars(cls):
            cls._counted = cls.accuracy
        elif cls.accuracy is not cls._counted:
            cls.accuracy_of = None

    @abstractmethod
    def combine(self, outputs: Sequence[Tensor], weights: Sequence[float] | None = None) -> Tensor:
        """Return the ensemble's output from those of its networks, all of one shape."""

    @abstractmethod
    def loss(self, outputs: Outputs, labels: Tensor) -> float:
        """Return the mean loss; lower is better. Raise DataError on outputs that are not finite."""

    @abstractmethod
    def accuracy(self, outputs: Outputs, labels: Tensor) -> float:
        """Return the accuracy in [0, 1]. Raise DataError on outputs that are not finite."""

    @abstractmethod
    def correct(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return (n,) bool, or shares in [0, 1]: how right each sample's output is."""

    def margin(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return (n,) how certain the network is to get each sample right; by default `correct`."""
        return self.correct(outputs, labels)

    def further(self, tally: Tensor) -> Mapping[str, float]:
        """Return other measures by name, from the sum of `tally` over all samples."""
        return {}

    @property
    def kind(self) -> str:
        """The name of the task's class, for messages."""
        return type(self).__name__

    @property
    def measured(self) -> dict[MeasuredSplit, Samples]:
        """The samples that networks are measured on, those of validation first."""
        found: dict[MeasuredSplit, Samples | None] = {
            "validation": self.validation,
            "confirmation": self.confirmation,
            "test": self.test,
        }
        return {name: samples for name, samples in found.items() if samples is not None}

    def without_samples(self) -> Self:
        """Return a copy that measures the same, of one sample, for workers that have their own."""
        alone = copy(self)
        vars(alone).update(
            # Taken, not a view: what is sent holds all that a view is of.
            validation=self.validation.taken(torch.tensor([0])),
            training=None,
            confirmation=None,
            test=None,
        )
        return alone


_CALLED = ("combine", "loss", "accuracy", "correct")
_REQUIRED = ("training", "validation", "test", "output", "ensemble", *_CALLED)
_OPTIONAL = (
    "confirmation", "measure", "views", "cross_entropy", "training_loss", "confidences",
    "sureness", "temperature", "likely", "reliability", "tally", "guessed", "further", "margin",
)  # fmt: skip
_EXAMPLE = "ns.Classification(validation=ns.Samples(inputs, labels), classes=10)"


class AdaptedTask(Task):
    """A task of the attributes and methods of an object whose class does not subclass `Task`.

    Its `accuracy_of` counts where the object's own class defines it: one that is inherited may be
    of another accuracy.
    """

    def __init__(self, task: Any) -> None:
        self._task = task
        found = _read(task)
        vars(self).update({name: found[name] for name in found.keys() - {*_CALLED}})

    @property
    def kind(self) -> str:
        """The name of the object's class."""
        return type(self._task).__name__

    def without_samples(self) -> Self:
        """Return the same of a copy of the object that has lost its samples, where it can."""
        alone = copy(self._task)
        with suppress(TypeError):  # of slots
            held = vars(alone)
            held.update(dict.fromkeys(held.keys() & {"training", "confirmation", "test"}))
            held["validation"] = self.validation.taken(torch.tensor([0]))
        return type(self)(alone)

    def combine(self, outputs: Sequence[Tensor], weights: Sequence[float] | None = None) -> Tensor:
        """Return what the object's own method does, as the following ones do."""
        combined: Tensor = self._task.combine(outputs, weights)
        return combined

    def loss(self, outputs: Outputs, labels: Tensor) -> float:
        """Return the mean loss."""
        return float(self._task.loss(outputs, labels))

    def accuracy(self, outputs: Outputs, labels: Tensor) -> float:
        """Return the accuracy in [0, 1]."""
        return float(self._task.accuracy(outputs, labels))

    def correct(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return the accuracy of each sample's output, (n,)."""
        correct: Tensor = self._task.correct(outputs, labels)
        return correct


def _read(task: object) -> dict[str, object]:
    """Return the attributes of an object that a task may have; nothing else looks at one."""
    known = [name for name in _REQUIRED + _OPTIONAL if name in dir(task)]
    if "accuracy_of" in vars(type(task)):
        known.append("accuracy_of")
    return {name: getattr(task, name) for name in known}


def as_task(task: object) -> Task:
    """Return the task, or an `AdaptedTask` of an object that has all that a task must have.

    Raises:
        DataError: For anything else, with what to give instead.
    """
    if isinstance(task, type):
        raise DataError(f"the task is the class {task.__name__}; give an instance, {_EXAMPLE}")
    if not isinstance(task, Task):
        found = _read(task)
        missing = [name for name in _REQUIRED if name not in found]
        if missing:
            known = "" if len(missing) == len(_REQUIRED) else f" without {', '.join(missing)}"
            raise DataError(f"the task is {described(task)}{known}; give one, {_EXAMPLE}")
        task = AdaptedTask(task)
    check_samples(task.validation)
    return task
