"""Losses and gradients are those of the plain subnetwork by ordinary autograd."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from refinement_examples import images, maps, three, unfitted
from torch import Tensor

from netstitch.fitting.refinement.behaviour_losses import LabelLoss
from netstitch.fitting.refinement.branch_subnetworks import (
    BranchSubnetworks,
    Gradients,
    gradients_of,
)
from netstitch.fitting.refinement.refine_images import Examples
from netstitch.fitting.refinement.refine_settings import RefineSettings
from netstitch.fitting.refinement.sampler import SubnetworkSampler
from netstitch.supernet.supernet import Supernet

MAKERS: dict[str, Callable[[], Supernet]] = {
    "two": unfitted,
    "three": three,
    "keys": lambda: unfitted(keys=True),
    "maps": maps,
}


def plain_loss(student: Any, teacher: Any) -> Tensor:
    """KL(teacher || student), the mean over images and pixels, summed over outputs."""
    if isinstance(student, Tensor):
        student, teacher = {None: student}, {None: teacher}
    losses = []
    for key in student:
        ours, theirs = student[key].softmax(1), teacher[key].softmax(1)
        losses.append((theirs * (theirs.log() - ours.log())).sum(1).mean())
    return torch.stack(losses).sum()


def plain_gradients(
    supernet: Supernet, genotype: Any, inputs: Tensor, taught: Any
) -> tuple[float, Gradients]:
    """The same from the subnetwork as a module, `taught` being the teacher's genotype."""
    student = supernet.subnetwork(genotype)
    with torch.no_grad():
        teacher = supernet(inputs, taught)
    loss = plain_loss(student(inputs), teacher)
    loss.backward()
    parameters = dict(student.named_parameters())
    found: Gradients = {}
    for stitch in supernet.active_stitches(genotype):
        path = supernet.stitch_paths()[stitch]
        weight, bias = (parameters[f"{path}.{part}"].grad for part in ("weight", "bias"))
        assert weight is not None
        assert bias is not None
        found[stitch] = weight.flatten(1), bias
    return loss.item(), found


def assert_equal(found: Gradients, expected: Gradients) -> None:
    assert found.keys() == expected.keys()
    for stitch, pair in expected.items():
        for ours, theirs in zip(found[stitch], pair, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=2e-6)


@settings(deadline=None, max_examples=10)
@given(
    st.sampled_from(sorted(MAKERS)),
    st.integers(0, 10_000),
    st.sampled_from(["own", "ensemble"]),
    st.sampled_from([16, 5, 1]),
)
def test_as_the_plain_subnetwork_by_autograd(
    kind: str, seed: int, teacher: str, micro: int
) -> None:
    supernet = MAKERS[kind]()
    branches = BranchSubnetworks(supernet, RefineSettings(teacher=teacher))
    draws, generator = SubnetworkSampler(supernet), np.random.default_rng(seed)
    genotypes = [draws.draw(generator, 1.0)[0] for _ in range(2)]
    chosen = [branches.branch(genotype) for genotype in genotypes]
    inputs = images(16, seed)
    losses, found = gradients_of(branches, chosen, Examples(inputs), micro=micro)

    expected: Gradients = {}
    for genotype, ours in zip(genotypes, losses, strict=True):
        taught = supernet.genotype(int(genotype[-1]) if teacher == "own" else teacher)
        loss, gradients = plain_gradients(supernet, genotype, inputs, taught)
        assert ours == pytest.approx(loss, rel=1e-3, abs=1e-6)
        for stitch, (weight, bias) in gradients.items():
            before = expected.get(stitch, (0, 0))
            expected[stitch] = before[0] + weight, before[1] + bias
    assert_equal(found, expected)


def test_a_subnetwork_without_a_finite_loss_adds_nothing() -> None:
    supernet = unfitted()
    branches = BranchSubnetworks(supernet, RefineSettings())
    sampler = SubnetworkSampler(supernet)
    good, bad = (branches.branch(sampler.singles[i]) for i in (0, 1))  # type: ignore[arg-type]
    real = branches.loss_of

    def broken(branch: Any, examples: Examples, *rest: Any) -> Tensor:
        loss = real(branch, examples, *rest)
        last = bool((examples.inputs[-1] == inputs[-1]).all())
        return loss * float("inf") if branch is bad and last else loss

    inputs = images()
    branches.loss_of = broken  # type: ignore[method-assign]
    for micro in (16, 4):  # the bad part comes last, after three good ones
        losses, found = gradients_of(branches, [good, bad], Examples(inputs), micro=micro)
        assert np.isfinite(losses[0])
        assert not np.isfinite(losses[1])
        assert found.keys() == {0}


def test_a_loss_of_some_outputs_trains_the_stitches_that_these_depend_on() -> None:
    supernet, examples = unfitted(keys=True), Examples(images(), torch.zeros(16, dtype=torch.int64))
    singles = [genotype for genotype in SubnetworkSampler(supernet).singles if genotype is not None]

    def trained(loss: LabelLoss) -> set[int]:
        branches = BranchSubnetworks(supernet, RefineSettings(loss=loss))
        chosen = [branches.branch(genotype) for genotype in singles]
        return set(gradients_of(branches, chosen, examples, micro=16)[1])

    everything = set(range(len(supernet.stitches)))
    assert trained(lambda outputs, labels: outputs["out"].mean()) == everything
    assert not trained(lambda outputs, labels: torch.tensor(1.0))
