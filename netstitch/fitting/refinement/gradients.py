"""Gradients of many subnetworks' losses with respect to the stitches they use."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from netstitch.fitting.refinement.branches import Branch, Branches
from netstitch.fitting.refinement.examples import Examples

Weights = Sequence[tuple[Tensor, Tensor]]
"""Weight (outputs, inputs, ...) and bias (outputs,) of every stitch; leaves that take gradients."""

Gradients = dict[int, tuple[Tensor, Tensor]]
"""Gradients of weight (outputs, inputs) and bias (outputs,) by stitch."""


@dataclass(frozen=True)
class Passed:
    """What one batch through some subnetworks gave.

    losses: per subnetwork, NaN where it or its gradient is not finite. gradients: summed over the
    subnetworks whose loss is finite.
    """

    losses: tuple[float, ...]
    gradients: Gradients


def gradients_of(
    branches: Branches,
    chosen: Sequence[Branch],
    weights: Weights,
    examples: Examples,
    *,
    micro: int,
) -> Passed:
    """Losses of subnetworks on a batch, and their gradients.

    micro: images run together; more are run one part after the other, which bounds the memory.
    """
    losses = [0.0] * len(chosen)
    total: Gradients = {}
    with torch.inference_mode(False), torch.enable_grad():
        for part in examples.batches(micro):
            share = len(part) / len(examples)
            originals = branches.originals(part.inputs, chosen)
            for index, branch in enumerate(chosen):
                leaves = [tensor for stitch in branch.stitches for tensor in weights[stitch]]
                loss = branches.loss_of(branch, part, originals)
                losses[index] += float(loss.detach()) * share
                found = torch.autograd.grad(loss * share, leaves)
                if not all(bool(gradient.isfinite().all()) for gradient in found):
                    losses[index] = float("nan")
                if losses[index] == losses[index]:
                    for stitch, w, b in zip(branch.stitches, found[::2], found[1::2], strict=True):
                        add(total, stitch, (w.flatten(1), b))
    return Passed(tuple(losses), total)


def add(total: Gradients, stitch: int, found: tuple[Tensor, Tensor]) -> None:
    """Add one stitch's gradients to a sum."""
    if stitch in total:
        total[stitch] = (total[stitch][0] + found[0], total[stitch][1] + found[1])
    else:
        total[stitch] = found
