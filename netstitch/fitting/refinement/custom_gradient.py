"""Gradients of many subnetworks' losses with respect to the stitches they use."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from netstitch.files.alignment import aligned
from netstitch.fitting.feature_stream import Layer
from netstitch.fitting.refinement.branch_subnetworks import BranchSubnetwork, BranchSubnetworks
from netstitch.fitting.refinement.refine_images import Examples
from netstitch.fitting.refinement.union_graph import UnionGraph
from netstitch.fitting.stitch_layers import bias_of

Weights = Sequence[tuple[Tensor, Tensor]]
"""Weight (outputs, inputs, ...) and bias (outputs,) of every stitch; leaves that take gradients."""

Gradients = dict[int, tuple[Tensor, Tensor]]
"""Gradients of weight (outputs, inputs) and bias (outputs,) by stitch."""


@dataclass(frozen=True)
class PassedGradient:
    """The result of one batch through some subnetworks.

    Attributes:
        losses: Per subnetwork, not finite where it or its gradient is not.
        gradients: Summed over the subnetworks whose loss is finite.
    """

    losses: tuple[float, ...]
    gradients: Gradients


def gradients_of(
    branches: BranchSubnetworks,
    chosen: Sequence[BranchSubnetwork],
    weights: Weights,
    examples: Examples,
    *,
    micro: int,
) -> PassedGradient:
    """Return losses of subnetworks on a batch, and their gradients.

    Args:
        branches: Runs them.
        chosen: The subnetworks.
        weights: Of all stitches, as `branches` reads them.
        examples: The batch.
        micro: Images run together; more are run one part after the other, which bounds the memory.
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
                derivatives = _derivatives(loss * share, branch.stitches, weights)
                if not all(bool(g.isfinite().all()) for pair in derivatives.values() for g in pair):
                    losses[index] = math.nan
                add_gradients(found[index], derivatives)
    total: Gradients = {}
    for loss_value, gradients in zip(losses, found, strict=True):
        if math.isfinite(loss_value):
            add_gradients(total, gradients)
    return PassedGradient(tuple(losses), total)


def _derivatives(loss: Tensor, stitches: Sequence[int], weights: Weights) -> Gradients:
    """Return a loss's gradients; stitches that it does not depend on are left out.

    A function of labels may look at some of the outputs only.
    """
    if not loss.requires_grad:
        return {}
    leaves = [tensor for stitch in stitches for tensor in weights[stitch]]
    found = torch.autograd.grad(loss, leaves, allow_unused=True)
    return {
        stitch: (weight.flatten(1), bias)
        for stitch, weight, bias in zip(stitches, found[::2], found[1::2], strict=True)
        if weight is not None and bias is not None
    }


def add_gradients(total: Gradients, found: Gradients) -> None:
    """Add gradients to a sum."""
    for stitch, (weight, bias) in found.items():
        old = total.get(stitch)
        total[stitch] = (weight, bias) if old is None else (old[0] + weight, old[1] + bias)


def leaves_of(layers: Sequence[Layer]) -> Weights:
    """Return weight and bias of each layer as new leaves of the autograd graph."""
    return [(_leaf(layer.weight), _leaf(bias_of(layer))) for layer in layers]


def with_leaves(union: UnionGraph, leaves: Weights) -> dict[str, Tensor]:
    """Return all tensors by path, laid out like the activations, the leaves for the stitches."""
    found = {path: _laid_out(tensor.detach()) for path, tensor in union.tensors().items()}
    for path, (weight, bias) in zip(union.stitch_paths(), leaves, strict=True):
        found[f"{path}.weight"], found[f"{path}.bias"] = weight, bias
    return found


def _leaf(tensor: Tensor) -> Tensor:
    return _laid_out(tensor.detach().clone()).requires_grad_(True)


def _laid_out(tensor: Tensor) -> Tensor:
    # Convolutions of small networks are several times faster so, on CPUs too.
    return aligned(tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor)
