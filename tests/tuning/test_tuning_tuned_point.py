"""`ns.finetune`: a network of a front, trained in a supernet of its own."""

from typing import Any

import pytest
import torch
from small_supernets import random_task, small_supernet

import netstitch as ns
from netstitch import tuning
from netstitch.analysis import FrontPoint
from netstitch.errors import FittingError
from netstitch.stitching.exit import Exit
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Classification
from netstitch.tuning import FineTuneSettings, finetune_genotype

SETTINGS: dict[str, Any] = {"trained": "all", "batch_size": 8, "learning_rate": 1e-2}


@pytest.fixture
def supernet() -> Supernet:
    return small_supernet()


@pytest.fixture
def task() -> Classification:
    return random_task()


def point_of(supernet: Supernet, genotype: Any) -> FrontPoint:
    return FrontPoint("P1", tuple(genotype.tolist()), supernet.macs(genotype), 0, 0.5)


def test_a_point_is_trained_in_a_copy(supernet: Supernet, task: Classification) -> None:
    genotype = supernet.genotype("wide")
    before = {key: tensor.clone() for key, tensor in supernet.tensors().items()}
    tuned = ns.finetune(
        supernet, point_of(supernet, genotype), task, teacher="ensemble", epochs=9, **SETTINGS
    )
    own, others = supernet.tensors(), tuned.supernet.tensors()
    assert all(torch.equal(tensor, before[key]) for key, tensor in own.items())
    assert {tensor.data_ptr() for tensor in own.values()}.isdisjoint(
        tensor.data_ptr() for tensor in others.values()
    )
    changed = {key for key, tensor in others.items() if not torch.equal(tensor, before[key])}
    assert changed
    assert changed <= set(tuned.trainings[0].weights)
    assert tuned.held_out == tuned.trainings[0].held_out
    inputs = task.validation.inputs
    with torch.no_grad():
        found = tuned.module(inputs)
        assert torch.equal(found, tuned.supernet(inputs, tuned.subnetwork))
        assert not torch.equal(found, supernet(inputs, genotype))


def test_without_a_teacher_labels_are_learned(supernet: Supernet, task: Classification) -> None:
    genotype = supernet.genotype("wide")
    tuned = ns.finetune(supernet, genotype, task, **SETTINGS)
    expected = finetune_genotype(supernet, task, genotype, FineTuneSettings(**SETTINGS))
    assert tuned.trainings[0].losses == expected.losses
    assert tuned.held_out is None


def test_one_name_has_one_meaning() -> None:
    assert tuning.finetune is ns.finetune


def test_what_is_no_network_of_a_front(supernet: Supernet, task: Classification) -> None:
    with pytest.raises(FittingError, match=r"give one of a front, such as front\.pick"):
        ns.finetune(supernet, "P3", task)  # type: ignore[arg-type]
    with pytest.raises(FittingError, match="the point is an exit, and only networks and cascades"):
        ns.finetune(supernet, Exit(0, ("relu",)), task)  # type: ignore[arg-type]
    with pytest.raises(FittingError, match="finetune has no setting 'epoch'; did you mean"):
        ns.finetune(supernet, supernet.genotype("wide"), task, epoch=3)  # type: ignore[call-arg]
