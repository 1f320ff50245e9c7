import pytest
import torch
from fitting_examples import both_ways, features_of, networks, random_inputs, state
from torch import nn

from netstitch.errors import FittingError
from netstitch.fitting.stitch_layers import held_out_errors, write_layers
from netstitch.stitching.stitch import FeatureRef


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


@torch.no_grad()
def test_errors_are_those_of_all_the_data_at_once() -> None:
    stitches, points = networks([(3, 2)])
    layers = [stitch.layer() for stitch in stitches]
    x = random_inputs(20)
    errors = held_out_errors(stitches, layers, features_of(points), x.split(6))
    for stitch, layer, error in zip(stitches, layers, errors, strict=True):
        source, target = points[stitch.source](x), points[stitch.target](x)
        expected = ((layer(source) - target) ** 2).sum() / ((target - target.mean(0)) ** 2).sum()
        assert error == pytest.approx(float(expected), rel=1e-4)


def test_no_error_is_given_where_the_target_does_not_vary() -> None:
    a, b = FeatureRef(0, "a"), FeatureRef(1, "b")
    points = {a: lambda x: x, b: lambda x: torch.full((len(x), 2), 0.1)}
    stitches = both_ways(0, a, b, 6, 2)
    layers = [stitch.layer() for stitch in stitches]
    errors = held_out_errors(stitches, layers, features_of(points), random_inputs(20).split(6))
    assert errors[0] is None
    assert errors[1] is not None


def test_features_that_are_not_finite_are_named() -> None:
    stitches, points = networks([(3, 2)])
    points[FeatureRef(1, "b0")] = lambda x: torch.full((len(x), 2), float("nan"))
    layers = [stitch.layer() for stitch in stitches]
    with pytest.raises(FittingError, match=r"'b0' of network 1 gives NaN .* held-out batch 1"):
        held_out_errors(stitches, layers, features_of(points), [random_inputs(4)])
