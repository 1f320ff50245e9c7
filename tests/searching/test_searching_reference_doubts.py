"""Basis networks and ensembles that look broken are told of."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import netstitch as ns
from netstitch.matching.matches import Matching
from netstitch.searching.reference_doubts import doubts
from netstitch.stitching import Averaging
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Classification, Samples, Segmentation, agreement
from netstitch.tasks.agreement import AGREEMENT

CLASSES, COUNT = 3, 90


class Gives(nn.Module):
    """Inputs (n, 3) or (n, 3, h, w) are the logits, which are turned and multiplied."""

    def __init__(self, turn: int = 0, factor: float = 1.0, shift: float = 0.0) -> None:
        super().__init__()
        self.turn, self.factor, self.shift = turn, factor, shift

    def forward(self, x: Tensor) -> Tensor:
        logits = x.roll(self.turn, 1) * self.factor
        return torch.cat([logits[:, :1] + self.shift, logits[:, 1:]], 1)


def linear(turn: int = 0) -> nn.Module:
    """As `Gives`, of multiply-adds."""
    made = nn.Linear(CLASSES, CLASSES)
    with torch.no_grad():
        made.weight.copy_(torch.eye(CLASSES).roll(turn, 0))
        made.bias.zero_()
    return made


def supernet(*models: nn.Module, inputs: Tensor, **settings: Any) -> Supernet:
    networks = [ns.capture(m, inputs[:2], name="abc"[i]) for i, m in enumerate(models)]
    return Supernet(networks, Matching((), 0, 0, "none"), **settings)


def classification(noise: float = 0.3, **settings: Any) -> Classification:
    labels = torch.arange(COUNT) % CLASSES
    inputs = nn.functional.one_hot(labels, CLASSES).float()
    inputs += noise * torch.randn(inputs.shape, generator=torch.Generator().manual_seed(1))
    return Classification(
        validation=Samples(inputs, labels, "validation"), classes=CLASSES, **settings
    )


def told(task: Classification | Segmentation, *models: nn.Module, **settings: Any) -> list[str]:
    found = list(doubts(supernet(*models, inputs=task.validation.inputs, **settings), task))
    assert not any("\n" in line for line in found)
    return found


def test_networks_that_work_are_not_told_of() -> None:
    assert told(classification(), Gives(), Gives(factor=2.0)) == []
    assert told(classification(noise=0.9), Gives(), Gives(factor=2.0)) == []


def test_networks_of_another_order_of_classes_are_told_of() -> None:
    [line] = told(classification(), Gives(1), Gives(1, 2.0))
    assert line.startswith("every network is at chance on 90 validation samples (a 1.1 %, b 1.1 %")
    assert "33.3 % have the commonest class" in line
    for reason in ("normalised", "order", "softmax"):
        assert reason in line


def test_one_class_for_all_is_chance_however_common_it_is() -> None:
    labels = (torch.arange(COUNT) % 10 == 0).long()  # nine in ten have class 0
    inputs = torch.randn(COUNT, CLASSES, generator=torch.Generator().manual_seed(2))
    task = Classification(validation=Samples(inputs, labels, "validation"), classes=CLASSES)
    [line] = told(task, Gives(shift=99.0), Gives(shift=88.0))
    assert "a 90.0 %, b 90.0 %; 90.0 % have the commonest class" in line


def test_networks_that_agree_on_samples_of_one_class_are_not_at_chance() -> None:
    inputs = 2.0 * nn.functional.one_hot(torch.ones(COUNT, dtype=torch.int64), CLASSES)
    samples = Samples(inputs, torch.ones(COUNT, dtype=torch.int64), "validation")
    task = agreement([Gives(), Gives(factor=2.0)], validation=samples)
    assert told(task, Gives(), Gives(factor=2.0)) == []
    assert told(Classification(validation=samples, classes=CLASSES), Gives(), Gives()) == []


def test_few_samples_of_networks_that_work_are_not_told_of() -> None:
    task = classification()
    few = replace(task, validation=task.validation.first(4))
    assert told(few, Gives(), Gives(factor=2.0)) == []
    [line] = told(few, Gives(1), Gives(1))
    assert "at chance" in line


def test_networks_that_find_a_rare_class_are_not_told_of() -> None:
    # Right less often than who gives the commonest class always; but four of nine are found.
    labels = (torch.arange(COUNT) % 10 == 0).long()
    given = labels.clone()
    given[::20], given[1::20] = 0, 1
    inputs = 2.0 * nn.functional.one_hot(given, CLASSES)
    task = Classification(validation=Samples(inputs, labels, "validation"), classes=CLASSES)
    assert (given == labels).sum() < (labels == 0).sum()
    assert told(task, Gives(), Gives(factor=2.0)) == []
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(0))
    turned = Samples(inputs[order], labels)
    [line] = told(replace(task, validation=turned), Gives(), Gives(factor=2.0))
    assert "at chance" in line


def test_one_network_that_works_is_enough() -> None:
    assert told(classification(), Gives(), Gives(1, 0.1)) == []


def test_an_ensemble_that_is_worse_than_each_of_its_networks_is_told_of() -> None:
    # Each network is right where the other is not quite, and their mean is of neither.
    labels = torch.zeros(COUNT, dtype=torch.int64)
    labels[::3], labels[1::3] = 1, 2
    inputs = nn.functional.one_hot(labels, CLASSES).float()

    class Sure(nn.Module):
        """Wrong on one sample in ten, so sure of it that nothing counts beside it."""

        def __init__(self, wrong: int) -> None:
            super().__init__()
            self.wrong = wrong

        def forward(self, x: Tensor) -> Tensor:
            tag = (x[:, 3:] == self.wrong).float()
            return x[:, :3] + 1000 * tag * x[:, :3].roll(1, 1)

    tags = (torch.arange(COUNT) % 4).float()[:, None]
    task = Classification(
        validation=Samples(torch.cat([inputs, tags], 1), labels, "validation"), classes=CLASSES
    )
    [line] = told(task, Sure(0), Sure(1))
    assert line.startswith("the ensemble is worse than each of its networks on 90 validation")
    assert "softmax" in line
    # By agreement the ensemble is what is right.
    assert told(replace(task, measure=AGREEMENT), Sure(0), Sure(1)) == []
    assert told(task, Sure(0), Sure(1), outputs=[(0,), (1,)]) == []
    assert told(task, Sure(0), Sure(1), outputs=[(0, 1)]) == [line]


def test_networks_that_are_no_output_are_looked_at_too() -> None:
    [line] = told(classification(), Gives(1), Gives(1, 2.0), outputs=[(0, 1)])
    assert line.startswith("every network is at chance on 90 validation samples (a 1.1 %, b 1.1 %")


def test_weights_of_the_ensemble_count() -> None:
    task = classification()
    assert told(task, Gives(), Gives(1), averaging=Averaging(weights=(9.0, 1.0))) == []


def test_maps_are_at_chance_where_they_are_all_background() -> None:
    random = np.random.default_rng(0)
    labels = torch.from_numpy((random.random((40, 4, 4)) < 0.3).astype(np.uint8))
    labels[:, 0] = 255
    shown = labels.clone()
    shown[labels == 255] = 0
    inputs = nn.functional.one_hot(shown.long(), CLASSES).float().movedim(-1, 1).contiguous()
    task = Segmentation(validation=Samples(inputs, labels, "validation"), classes=CLASSES)
    assert told(task, Gives(), Gives(factor=2.0)) == []
    [line] = told(task, Gives(shift=99.0), Gives(shift=88.0))
    assert line.startswith("every network is at chance on 40 validation samples")


def test_a_search_warns_once_before_it_begins() -> None:
    task = classification()
    joined = supernet(linear(1), linear(1), inputs=task.validation.inputs)
    with pytest.warns(UserWarning, match="every network is at chance") as caught:
        ns.search(joined, task, budget=4, population=4, algorithm="random")
    assert [one.filename for one in caught if "chance" in str(one.message)] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        healthy = supernet(linear(), linear(), inputs=task.validation.inputs)
        ns.search(healthy, task, budget=4, population=4, algorithm="random")


def test_networks_that_cannot_be_measured_are_left_to_the_search() -> None:
    task = classification()
    joined = supernet(nn.Linear(3, 3), Gives(), inputs=task.validation.inputs)
    with torch.no_grad():
        for tensor in joined.tensors().values():
            tensor.fill_(float("nan"))
    assert list(doubts(joined, task)) == []
