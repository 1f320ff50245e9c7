"""Gradients of many subnetworks' losses with respect to the stitches they use."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from netstitch.fitting.refinement.branch_subnetworks import BranchSubnetwork, BranchSubnetworks
from netstitch.fitting.refinement.refine_images import Examples

Gradients = dict[int, tuple[Tensor, Tensor]]
"""Gradients of weight (outputs, inputs) and bias (outputs,) by stitch."""

Passed = tuple[list[float], Gradients]
"""The losses of some subnetworks on a batch, not finite where one or its gradient is not, and the
gradients, summed over the subnetworks whose loss is finite."""


def gradients_of(
    branches: BranchSubnetworks,
    chosen: Sequence[BranchSubnetwork],
    examples: Examples,
    *,
    micro: int,
) -> Passed:
    """Return losses of subnetworks on a batch, and their gradients.

    More than `micro` images are run one part after the other, which bounds the memory.
    """
    losses = [0.0] * len(chosen)
    found: list[Gradients] = [{} for _ in chosen]
    with torch.inference_mode(False), torch.enable_grad():
        for given in examples.batches(micro):
            part = Examples(branches.arrange(given.inputs), given.labels)
            share = len(part) / len(examples)
            originals = branches.originals(part.inputs, chosen)
            for index, branch in enumerate(chosen):
                if not math.isfinite(losses[index]):
                    continue
                loss = branches.loss_of(branch, part, originals)
                losses[index] += float(loss.detach()) * share
                derivatives = _derivatives(branches, branch, loss * share)
                if not all(bool(g.isfinite().all()) for pair in derivatives.values() for g in pair):
                    losses[index] = math.nan
                add_gradients(found[index], derivatives)
    total: Gradients = {}
    for loss_value, gradients in zip(losses, found, strict=True):
        if math.isfinite(loss_value):
            add_gradients(total, gradients)
    return losses, total


def _derivatives(branches: BranchSubnetworks, branch: BranchSubnetwork, loss: Tensor) -> Gradients:
    """Return a loss's gradients; stitches that it does not depend on are left out.

    A function of labels may look at some of the outputs only.
    """
    if not loss.requires_grad:
        return {}
    leaves = [tensor for stitch in branch.stitches for tensor in branches.leaves[stitch]]
    found = torch.autograd.grad(loss, leaves, allow_unused=True)
    return {
        stitch: (weight.flatten(1), bias)
        for stitch, weight, bias in zip(branch.stitches, found[::2], found[1::2], strict=True)
        if weight is not None and bias is not None
    }


def add_gradients(total: Gradients, found: Gradients) -> None:
    """Add gradients to a sum."""
    for stitch, (weight, bias) in found.items():
        old = total.get(stitch)
        total[stitch] = (weight, bias) if old is None else (old[0] + weight, old[1] + bias)
