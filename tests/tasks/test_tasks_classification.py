import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_accuracy

from netstitch.errors import DataError
from netstitch.tasks import Classification, Samples, Task


def task(classes: int = 3, **others) -> Classification:
    return Classification(validation=samples(classes), classes=classes, **others)


def samples(classes: int, shape: tuple[int, ...] = (2,), name: str = "validation") -> Samples:
    return Samples(torch.zeros(classes, *shape), torch.arange(classes), name)


@st.composite
def logits_and_labels(draw):
    classes, count = draw(st.integers(2, 6)), draw(st.integers(1, 30))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    # Few distinct values, so that the highest logit is often tied.
    logits = torch.randint(-3, 4, (count, classes), generator=generator).float()
    return logits, torch.randint(0, classes, (count,), generator=generator)


def counted(logits: torch.Tensor, labels: torch.Tensor) -> list[bool]:
    """The slow twin: the first highest logit of each row, in plain Python."""
    rows = zip(logits.tolist(), labels.tolist(), strict=True)
    return [row.index(max(row)) == label for row, label in rows]


@settings(deadline=None)
@given(logits_and_labels())
def test_accuracy_is_the_share_of_samples_that_are_right(case):
    logits, labels = case
    classification = task(logits.shape[1])
    right = counted(logits, labels)
    assert classification.correct(logits, labels).tolist() == right
    assert classification.accuracy(logits, labels) == sum(right) / len(right)


@settings(deadline=None)
@given(logits_and_labels())
def test_accuracy_agrees_with_torchmetrics(case):
    logits, labels = case
    theirs = multiclass_accuracy(logits, labels, num_classes=logits.shape[1], average="micro")
    assert task(logits.shape[1]).accuracy(logits, labels) == pytest.approx(float(theirs), abs=1e-6)


def test_equal_counts_are_equal_accuracies():
    labels = torch.zeros(10_000, dtype=torch.int64)
    logits = torch.zeros(10_000, 3)
    logits[:896, 1] = 1
    assert task().accuracy(logits, labels) == 0.9104


@settings(deadline=None)
@given(logits_and_labels())
def test_loss_is_the_mean_surprise_at_the_label(case):
    logits, labels = case
    surprise = [
        math.log(sum(math.exp(value) for value in row)) - row[label]
        for row, label in zip(logits.tolist(), labels.tolist(), strict=True)
    ]
    assert task(logits.shape[1]).loss(logits, labels) == pytest.approx(
        sum(surprise) / len(surprise)
    )


def test_the_measured_key_of_dictionaries():
    labels = torch.arange(3)
    outputs = {"out": torch.eye(3), "aux": torch.zeros(3, 3)}
    assert task(output="out").accuracy(outputs, labels) == 1
    assert task(output="aux").accuracy(outputs, labels) == pytest.approx(1 / 3)


@pytest.mark.parametrize("method", ["loss", "accuracy", "correct"])
def test_outputs_that_are_not_finite_are_refused(method):
    logits = torch.zeros(3, 3)
    logits[1, 2] = float("nan")
    with pytest.raises(DataError, match="the first is sample 1"):
        getattr(task(), method)(logits, torch.arange(3))


def test_outputs_of_another_number_of_classes_are_refused():
    with pytest.raises(DataError, match=r"\(3, 10\) for 3 labels; expected \(3, 3\)"):
        task().accuracy(torch.zeros(3, 10), torch.arange(3))


def test_ensemble_of_logits_is_their_mean():
    one, other = torch.tensor([[1.0, 5.0]]), torch.tensor([[3.0, 1.0]])
    assert torch.allclose(task().combine([one, other]), torch.tensor([[2.0, 3.0]]))
    weighted = task().combine([one, other], [0.75, 0.25])
    assert torch.allclose(weighted, torch.tensor([[1.5, 4.0]]))


def test_ensemble_of_probabilities_averages_the_softmax():
    outputs = list(torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(1)))
    combined = task(ensemble="probabilities").combine(outputs)
    expected = sum(output.softmax(1) for output in outputs) / 3
    assert torch.allclose(combined.softmax(1), expected, atol=1e-6)


def test_a_network_of_weight_zero_has_no_say():
    one, other = torch.tensor([[1.0, 5.0]]), torch.tensor([[3.0, 1.0]])
    for kind in ("logits", "probabilities"):
        combined = task(ensemble=kind).combine([one, other], [1.0, 0.0])
        assert torch.allclose(combined.softmax(1), one.softmax(1))


def test_ensembles_that_cannot_be_formed():
    with pytest.raises(DataError, match="no networks"):
        task().combine([])
    with pytest.raises(DataError, match="1 ensemble weights for 2 networks"):
        task().combine([torch.zeros(1, 3)] * 2, [1.0])


def test_labels_out_of_range_name_the_first():
    with pytest.raises(DataError, match=r"test: label 3 of sample 3 .* expected 0 to 2"):
        task(3, test=samples(4, name="test"))


def test_all_samples_have_one_shape():
    with pytest.raises(DataError, match=r"training: inputs have shape \(5,\)"):
        task(3, training=samples(3, (5,), "training"))


def test_settings_that_make_no_sense():
    with pytest.raises(DataError, match="classes is 1; give their number"):
        Classification(validation=samples(1), classes=1)
    with pytest.raises(DataError, match="'votes' is not known"):
        task(ensemble="votes")
    with pytest.raises(DataError, match=r"views are 4; expected netstitch.tasks.Views\(padding"):
        task(views=4)


def test_it_is_a_task():
    def name_of(given: Task) -> str:
        return given.validation.name

    assert name_of(task()) == "validation"
