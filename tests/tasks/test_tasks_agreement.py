"""Agreement with the ensemble: what it labels, and that it needs no labels."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from netstitch.errors import DataError
from netstitch.tasks import EnsembleKind, Samples, Views, agreement, unlabelled
from netstitch.tasks.agreement import AGREEMENT


def networks(count: int = 2, classes: int = 5) -> list[nn.Module]:
    torch.manual_seed(0)
    return [nn.Linear(4, classes).eval() for _ in range(count)]


def inputs(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 7, 100])
def test_samples_are_labelled_by_the_ensemble(count: int, batch: int) -> None:
    made = networks(count)
    task = agreement(
        made,
        validation=unlabelled(inputs(23)),
        training=unlabelled(inputs(9, 1), "training"),
        test=unlabelled(inputs(11, 2), "test"),
        batch=batch,
    )
    assert task.classes == 5
    assert task.measure == AGREEMENT
    for samples in (task.validation, task.training, task.test):
        assert samples is not None
        mean = torch.stack([network(samples.inputs) for network in made]).mean(0)
        assert torch.equal(samples.labels, mean.argmax(1))
    outputs = [network(task.validation.inputs).detach() for network in made]
    assert task.accuracy(task.combine(outputs), task.validation.labels) == 1.0
    if count > 1:
        assert task.accuracy(outputs[0], task.validation.labels) < 1.0


def test_labels_that_are_there_do_not_count() -> None:
    values = inputs(23)
    one = agreement(networks(), validation=unlabelled(values))
    other = agreement(networks(), validation=Samples(values, torch.full((23,), 400)))
    assert torch.equal(one.validation.labels, other.validation.labels)


def test_views_are_those_that_are_given() -> None:
    views = Views(padding=1)
    assert agreement(networks(), validation=unlabelled(inputs(3)), views=views).views == views
    assert not agreement(networks(), validation=unlabelled(inputs(3))).views.some


def test_probabilities_may_be_averaged() -> None:
    def sure(x: Tensor) -> Tensor:
        return torch.tensor([[9.0, 0.0, 8.0]]).repeat(len(x), 1)

    def other(x: Tensor) -> Tensor:
        return torch.tensor([[-20.0, 0.0, -9.0]]).repeat(len(x), 1)

    expected: dict[EnsembleKind, int] = {"logits": 2, "probabilities": 0}
    for ensemble, label in expected.items():
        task = agreement([sure, sure, other], validation=unlabelled(inputs(3)), ensemble=ensemble)
        assert task.validation.labels.tolist() == [label] * 3


def test_of_dictionaries_the_key_is_measured() -> None:
    [network] = networks(1)
    task = agreement(
        [lambda x: {"out": network(x), "aux": network(x)[:, :2]}],
        validation=unlabelled(inputs(8)),
        output="out",
    )
    assert torch.equal(task.validation.labels, network(inputs(8)).argmax(1))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([nn.Linear(4, 5), nn.Linear(4, 6)], "give networks of one task"),
        ([nn.Linear(4, 1)], "expected \\(samples, classes\\)"),
        ([nn.Unflatten(1, (2, 2))], "expected \\(samples, classes\\)"),
        ([lambda x: x / 0], "not finite for 8 of 8 samples"),
        ([lambda x: {"a": x, "b": x}], "set the task's output"),
    ],
)
def test_networks_that_have_no_ensemble(
    made: list[Callable[[Tensor], Tensor]], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        agreement(made, validation=unlabelled(inputs(8)))
    assert "\n" not in str(caught.value)


def test_softmax_and_sigmoid_are_both_probabilities_and_logits_are_not() -> None:
    one, other = networks()
    soft, rounded = nn.Sequential(one, nn.Softmax(1)), nn.Sequential(other, nn.Sigmoid())
    assert agreement([soft, rounded], validation=unlabelled(inputs(23))).classes == 5
    with pytest.raises(DataError, match="network 2 of 2 ends in probabilities and others in logit"):
        agreement([other, soft], validation=unlabelled(inputs(23)))
