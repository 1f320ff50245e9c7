"""Writing fitted maps into the stitches' layers, all of them or none."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def write_layers(
    layers: Sequence[nn.Linear | nn.Conv2d], maps: Sequence[tuple[Tensor, Tensor]]
) -> None:
    """Copy a (weight, bias) pair into each layer, and freeze the layers.

    weight: (outputs, inputs), or (outputs, inputs, 1, 1). When the writing is cut short, by Ctrl-C
    for example, the layers get their old values back.
    """
    old = [(layer.weight.detach().clone(), bias_of(layer).detach().clone()) for layer in layers]
    try:
        _copy(layers, maps)
    except BaseException:
        _copy(layers, old)
        raise
    for layer in layers:
        layer.requires_grad_(False)
        layer.weight.grad = None
        bias_of(layer).grad = None


def bias_of(layer: nn.Linear | nn.Conv2d) -> Tensor:
    """The bias, which every stitch has."""
    assert layer.bias is not None
    return layer.bias


def _copy(layers: Sequence[nn.Linear | nn.Conv2d], maps: Sequence[tuple[Tensor, Tensor]]) -> None:
    with torch.no_grad():
        for layer, (weight, bias) in zip(layers, maps, strict=True):
            layer.weight.copy_(weight.reshape(layer.weight.shape))
            bias_of(layer).copy_(bias)
