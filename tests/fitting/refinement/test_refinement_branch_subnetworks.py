"""Nodes behind a stitch are computed for it alone; all others once for all."""

from typing import Any

import numpy as np
import pytest
import torch
from refinement_examples import images, maps, three, unfitted
from torch import Tensor

from netstitch.errors import FittingError
from netstitch.fitting import RefineSettings, check_refining
from netstitch.fitting.refinement.branch_subnetworks import (
    BranchSubnetwork,
    BranchSubnetworks,
    gradients_of,
)
from netstitch.fitting.refinement.refine_images import Examples
from netstitch.fitting.refinement.sampler import SubnetworkSampler, even, scattered
from netstitch.networks.content import content_keys
from netstitch.networks.interpreter import Interpreter
from netstitch.supernet.supernet import Supernet


def made(supernet: Supernet, **settings: Any) -> tuple[BranchSubnetworks, list[BranchSubnetwork]]:
    """The branches of a supernet, and those with a single stitch each."""
    found = BranchSubnetworks(supernet, RefineSettings(**settings))
    sampler = SubnetworkSampler(supernet)
    return found, [found.branch(g) for g in sampler.singles if g is not None]


def computed(branch: BranchSubnetwork) -> set[str]:
    return set(branch.interpreter.names[branch.interpreter.inputs :])


def test_originals_are_computed_once_for_all_subnetworks(monkeypatch: pytest.MonkeyPatch) -> None:
    supernet = unfitted()
    branches, singles = made(supernet)
    run: list[Interpreter] = []
    compute = Interpreter.compute

    def counted(interpreter: Interpreter, *rest: Any) -> dict[str, Any]:
        run.append(interpreter)
        return compute(interpreter, *rest)

    monkeypatch.setattr(Interpreter, "compute", counted)
    gradients_of(branches, singles, Examples(images()), micro=8)
    own = [branch.interpreter for branch in singles]
    assert sum(one not in own for one in run) == 2  # one a micro-batch
    assert len(run) == 2 * (1 + len(singles))


def test_only_what_follows_a_stitch_is_computed_for_it() -> None:
    supernet = unfitted()
    branches, _ = made(supernet)
    generator = np.random.default_rng(0)
    shares = even(len(supernet.stitches), range(len(supernet.stitches)))
    originals = {
        key
        for genotype in supernet.references().values()
        for key in content_keys(supernet.subnetwork_graph(genotype)[0]).values()
    }
    for _ in range(20):
        genotype = scattered(supernet, generator, 4.0, shares)
        branch = branches.branch(genotype)
        keys = content_keys(supernet.subnetwork_graph(genotype)[0]).values()
        assert computed(branch) == set(keys) - originals
        assert branch.needed <= originals
        found = branches.originals(images(), [branch])
        assert not any(value.requires_grad for value in found.values())


def test_the_network_behind_a_branch_has_nothing_left_to_compute_and_no_loss() -> None:
    branches, singles = made(three())
    reference = branches.reference(singles[0])
    assert not reference.stitches
    assert not computed(reference)
    assert reference.genotype[-1] == singles[0].genotype[-1]
    originals = branches.originals(images(), [reference])
    assert branches.loss_of(reference, Examples(images()), originals).item() == 0


def test_memory_is_that_of_shared_originals_and_of_one_subnetwork() -> None:
    branches, singles = made(unfitted())
    alone = [branches.image_bytes([branch]) for branch in singles]
    together = branches.image_bytes(singles)
    assert max(alone) <= together < sum(alone)
    assert all(size > branch.image_bytes > 0 for size, branch in zip(alone, singles, strict=True))


def test_a_teacher_that_is_not_there() -> None:
    expected = "no teacher 'nobody': expected 'own' .* one of wide, deep, ens"
    with pytest.raises(FittingError, match=expected):
        made(unfitted(), teacher="nobody")


def test_one_number_per_pixel_has_no_divergence() -> None:
    with pytest.raises(FittingError, match=r"shape .*, 1, 6, 6\): loss 'outputs' compares two or"):
        made(maps(classes=1))
    branches, singles = made(maps(classes=1), loss=lambda outputs, labels: outputs.mean())
    assert len(singles) == len(branches.union.stitches)


@pytest.mark.parametrize(
    "loss, labels, message",
    [
        (lambda outputs, labels: 3.0, torch.zeros(8), "gives 3.0: expected a scalar tensor"),
        (lambda outputs, labels: outputs, torch.zeros(8), r"shape \(8, 3\): expected a scalar"),
        (lambda outputs, labels: outputs.detach().sum(), torch.zeros(8), "gives no gradient"),
        ("labels", torch.zeros(8), r"labels float32 \(8,\) do not fit outputs \(8, 3\)"),
        ("labels", torch.full((8,), 9), r"labels int64 \(8,\) do not fit .*out of bounds"),
    ],
)
def test_losses_of_labels_that_cannot_train(loss: Any, labels: Tensor, message: str) -> None:
    branches, _ = made(unfitted(), loss=loss)
    with pytest.raises(FittingError, match=message) as found:
        branches.check(Examples(images(8), labels))
    assert "\n" not in str(found.value)


def test_what_can_be_refined_passes() -> None:
    supernet = unfitted()
    check_refining(supernet, RefineSettings())
    check_refining(supernet, RefineSettings(loss="labels", teacher="ensemble"))


def test_what_cannot_be_refined_is_told_before() -> None:
    with pytest.raises(FittingError, match="compares two or more classes"):
        check_refining(maps(classes=1), RefineSettings())
    with pytest.raises(FittingError, match="there is no teacher 'resnet18'"):
        check_refining(unfitted(), RefineSettings(teacher="resnet18"))
