"""The tensors that refining runs on: copies of the stitches' weights that take gradients."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from netstitch.alignment import aligned
from netstitch.fitting.layers import bias_of
from netstitch.fitting.refinement.gradients import Weights
from netstitch.fitting.refinement.joined import Joined


def leaves_of(layers: Sequence[nn.Linear | nn.Conv2d]) -> Weights:
    """Weight and bias of each layer as new leaves of the autograd graph."""
    return [(_leaf(layer.weight), _leaf(bias_of(layer))) for layer in layers]


def arranged(joined: Joined, leaves: Weights) -> dict[str, Tensor]:
    """All tensors by path, laid out like the activations, with the leaves for the stitches."""
    found = {path: _laid_out(tensor.detach()) for path, tensor in joined.tensors().items()}
    for path, (weight, bias) in zip(joined.stitch_paths(), leaves, strict=True):
        found[f"{path}.weight"], found[f"{path}.bias"] = weight, bias
    return found


def _leaf(tensor: Tensor) -> Tensor:
    return _laid_out(tensor.detach().clone()).requires_grad_(True)


def _laid_out(tensor: Tensor) -> Tensor:
    # Convolutions of small networks are several times faster so, on CPUs too.
    return aligned(tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor)
