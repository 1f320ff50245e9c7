"""Tasks of one's own: what has defaults, and objects that only look like one."""

import pickle
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

import netstitch as ns
from netstitch.errors import DataError
from netstitch.tasks import Outputs, as_task, select


class Closeness(ns.Task):
    """A task with only what every task has."""

    measure = "closeness"

    def __init__(self, validation: ns.Samples, test: ns.Samples | None = None) -> None:
        self.validation, self.test = validation, test

    def combine(self, outputs: Sequence[Tensor], weights: Sequence[float] | None = None) -> Tensor:
        return torch.stack(list(outputs)).mean(0)

    def loss(self, outputs: Outputs, labels: Tensor) -> float:
        return -self.accuracy(outputs, labels)

    def accuracy(self, outputs: Outputs, labels: Tensor) -> float:
        return float(self.correct(outputs, labels).median())

    def correct(self, outputs: Outputs, labels: Tensor) -> Tensor:
        return 1 / (1 + (select(outputs, None)[:, 0] - labels).abs())


class LooksLikeOne:
    """An object with the attributes and methods of a task, of no class of netstitch's."""

    training = test = output = None
    ensemble = "logits"

    def __init__(self, validation: ns.Samples) -> None:
        self.validation = validation

    combine, loss = Closeness.combine, Closeness.loss
    accuracy, correct = Closeness.accuracy, Closeness.correct

    def accuracy_of(self, right: float, samples: int) -> float:
        return right / samples


class Inherited(LooksLikeOne):
    """One whose accuracy is another than the inherited `accuracy_of` says."""

    def accuracy(self, outputs: Outputs, labels: Tensor) -> float:
        return 0.5


SAMPLES = ns.Samples(torch.rand(4, 2), torch.tensor([0, 1, 2, 3]))
OUTPUTS = torch.tensor([[0.0], [1.0], [2.0], [4.0]])


def test_what_a_task_does_not_say_has_a_default() -> None:
    task = as_task(Closeness(SAMPLES, SAMPLES.first(2)))
    assert (task.training, task.confirmation, task.output) == (None, None, None)
    assert (task.ensemble, task.measure) == ("logits", "closeness")
    assert not task.views.some
    assert list(task.measured) == ["validation", "test"]
    abilities = (
        "accuracy_of",
        "cross_entropy",
        "training_loss",
        "sureness",
        "likely",
        "reliability",
    )
    assert [getattr(task, name) for name in (*abilities, "reliability")] == [None] * 7
    assert task.confidences == ()
    assert task.margin(OUTPUTS, SAMPLES.labels).tolist() == [1, 1, 1, 0.5]
    assert task.further(torch.ones(1)) == {}


def test_a_task_is_told_what_it_lacks() -> None:
    class Half(ns.Task):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Half()  # type: ignore[abstract]
    with pytest.raises(DataError, match=r"is the class Closeness; give an instance"):
        as_task(Closeness)
    with pytest.raises(DataError, match="without training, test, output, ensemble"):
        as_task(type("Quarter", (), dict.fromkeys(("validation", "combine")))())


def test_without_samples_it_measures_the_same() -> None:
    task = Closeness(SAMPLES, SAMPLES)
    alone = task.without_samples()
    assert (len(alone.validation), alone.test, len(task.validation)) == (1, None, 4)
    assert alone.accuracy(OUTPUTS, SAMPLES.labels) == task.accuracy(OUTPUTS, SAMPLES.labels)
    plain = ns.Classification(validation=SAMPLES, training=SAMPLES, classes=4)
    assert (len(plain.without_samples().validation), plain.without_samples().training) == (1, None)


def test_what_is_sent_to_workers_holds_no_samples() -> None:
    many = ns.Samples(torch.rand(4_000, 50), torch.zeros(4_000, dtype=torch.int64))
    for task in (LooksLikeOne(many), ns.Classification(validation=many, training=many, classes=4)):
        assert len(pickle.dumps(as_task(task).without_samples())) < 10_000


def test_an_object_that_has_all_of_a_task_becomes_one() -> None:
    task = as_task(LooksLikeOne(SAMPLES))
    labels = SAMPLES.labels
    assert task.validation is SAMPLES
    assert (task.measure, task.kind) == ("accuracy", "LooksLikeOne")
    assert task.accuracy(OUTPUTS, labels) == Closeness(SAMPLES).accuracy(OUTPUTS, labels)
    assert task.accuracy_of is not None
    assert task.accuracy_of(1, 4) == 0.25
    again = pickle.loads(pickle.dumps(task.without_samples()))  # noqa: S301
    assert again.loss(OUTPUTS, labels) == task.loss(OUTPUTS, labels)


def test_an_accuracy_that_is_inherited_is_not_taken_for_one_of_its_own() -> None:
    assert as_task(Inherited(SAMPLES)).accuracy_of is None


def test_an_object_with_slots_is_a_task_too() -> None:
    fields = {name: getattr(LooksLikeOne, name) for name in dir(LooksLikeOne) if name[:2] != "__"}
    kind = type("Tight", (), fields | {"__slots__": ("validation",)})
    made = kind()
    made.validation = SAMPLES
    alone = as_task(made).without_samples()
    assert alone.accuracy(OUTPUTS, SAMPLES.labels) == Closeness(SAMPLES).accuracy(
        OUTPUTS, SAMPLES.labels
    )
