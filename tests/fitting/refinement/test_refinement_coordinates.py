"""Coordinates change how a map is written, not the map; gradients follow the chain rule."""

import pytest
import torch
from refinement_examples import fitted, images

from netstitch.errors import FittingError
from netstitch.fitting.refinement.coordinates import Coordinates, make_coordinates
from netstitch.supernet import Supernet


def frames(supernet: Supernet, budget: int) -> list[Coordinates]:
    parts = images(96).split(20)
    return make_coordinates(supernet.stitches, supernet.features, parts, memory_budget=budget)


@pytest.mark.parametrize("budget", [10**9, 300, 0])
def test_the_same_map_and_the_chain_rule(budget: int) -> None:
    supernet = fitted()
    found = frames(supernet, budget)
    kinds = {frame.whiten.ndim for frame in found}
    assert kinds == {10**9: {2}, 300: {1, 2}, 0: {1}}[budget]
    for frame, layer in zip(found, supernet._layers(), strict=True):
        weight, bias = layer.weight.flatten(1), layer.bias
        assert bias is not None
        inner = [tensor.detach().requires_grad_() for tensor in frame.inner(weight, bias)]
        back = frame.weights(inner[0], inner[1])
        torch.testing.assert_close(back[0], weight, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(back[1], bias, rtol=1e-3, atol=1e-4)
        ends = [torch.randn_like(weight), torch.randn_like(bias)]
        torch.autograd.backward(list(back), ends)
        for tensor, gradient in zip(inner, frame.gradients(ends[0], ends[1]), strict=True):
            assert tensor.grad is not None
            torch.testing.assert_close(gradient, tensor.grad, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("budget", [10**9, 0])
def test_features_are_centred_and_about_one_in_size(budget: int) -> None:
    supernet = fitted()
    for frame, stitch in zip(frames(supernet, budget), supernet.stitches, strict=True):
        (values,) = supernet.features(images(96), [stitch.source])
        rows = values.movedim(1, -1).flatten(0, -2) - frame.centre
        seen = rows @ (frame.whiten.T if frame.whiten.ndim == 2 else torch.diag(frame.whiten))
        torch.testing.assert_close(seen.mean(0), torch.zeros(stitch.inputs), rtol=0, atol=1e-4)
        assert seen.std(0).max() < 1.01
        if budget:
            apart = seen.T @ seen / len(seen)
            apart.fill_diagonal_(0)
            assert apart.abs().max() < 1e-3


def test_images_that_are_not_finite_are_refused() -> None:
    supernet = fitted()
    bad = images(8)
    bad[3, 0, 0, 0] = float("inf")
    with pytest.raises(FittingError, match="batch 2 holds NaN or infinity"):
        make_coordinates(
            supernet.stitches, supernet.features, [images(8), bad], memory_budget=10**9
        )
