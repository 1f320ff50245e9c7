import pytest
import torch
from fitting_examples import state
from torch import nn

from netstitch.fitting.stitch_layers import write_layers


def test_layers_are_written_and_frozen() -> None:
    layers = [nn.Linear(2, 3), nn.Conv2d(2, 3, 1)]
    layers[0].weight.grad = torch.ones(3, 2)
    weight, bias = torch.arange(6.0).reshape(3, 2), torch.arange(3.0)
    write_layers(layers, [(weight, bias), (weight, bias)])
    for layer in layers:
        assert layer.weight.flatten().tolist() == weight.flatten().tolist()
        assert layer.bias is not None
        assert layer.bias.tolist() == [0, 1, 2]
        assert not layer.weight.requires_grad
        assert not layer.bias.requires_grad
        assert layer.weight.grad is None


def test_a_write_that_is_cut_short_is_undone() -> None:
    layers = [nn.Linear(2, 3), nn.Linear(2, 3)]
    before = state(layers)
    with pytest.raises(RuntimeError):
        write_layers(layers, [(torch.ones(3, 2), torch.ones(3)), (torch.ones(5), torch.ones(3))])
    assert all(map(torch.equal, before, state(layers)))
    assert layers[0].weight.requires_grad
