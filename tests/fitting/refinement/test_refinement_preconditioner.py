"""Coordinates change how a map is written, not the map; gradients follow the chain rule."""

from collections.abc import Sequence
from weakref import WeakSet

import pytest
import torch
from refinement_examples import fitted, images
from torch import Tensor

from netstitch.errors import FittingError
from netstitch.fitting.feature_stream import image_bytes
from netstitch.fitting.refinement.preconditioner import Preconditioner, make_preconditioners
from netstitch.networks.feature_layout import VECTOR
from netstitch.stitching.stitch import FeatureRef, Stitch
from netstitch.supernet.supernet import Supernet


def frames(supernet: Supernet, budget: int) -> list[Preconditioner]:
    parts = images(96).split(20)
    return make_preconditioners(supernet.stitches, supernet.features, parts, memory_budget=budget)


@pytest.mark.parametrize("budget", [10**9, 300, 0])
def test_the_same_map_and_the_chain_rule(budget: int) -> None:
    supernet = fitted()
    found = frames(supernet, budget)
    kinds = {frame.whiten.ndim for frame in found}
    assert kinds == {10**9: {2}, 300: {1, 2}, 0: {1}}[budget]
    for frame, layer in zip(found, supernet._layers, strict=True):
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


def test_a_wide_source_takes_no_room_from_those_after_it() -> None:
    widths = [(2, 9), (3, 4)]
    places = [[FeatureRef(k, f"p{i}") for k in (0, 1)] for i in (0, 1)]
    stitches = [
        Stitch(i, ends[one], ends[1 - one], n[one], n[1 - one], VECTOR, 1)
        for i, (ends, n) in enumerate(zip(places, widths, strict=True))
        for one in (0, 1)
    ]
    width = {stitch.source: stitch.inputs for stitch in stitches}

    def features(values: Tensor, wanted: Sequence[FeatureRef]) -> list[Tensor]:
        return [values[:, : width[place]] for place in wanted]

    values = torch.randn(50, 9, generator=torch.Generator().manual_seed(0))
    budget = 16 * (2**2 + 3**2 + 4**2)
    found = make_preconditioners(stitches, features, [values], memory_budget=budget)
    assert [frame.whiten.ndim for frame in found] == [2, 1, 2, 2]


def test_features_are_held_within_the_budget_and_coordinates_stay() -> None:
    supernet = fitted()
    held: WeakSet[Tensor] = WeakSet()
    most = 0

    def watched(values: Tensor, places: Sequence[FeatureRef]) -> list[Tensor]:
        nonlocal most
        found = supernet.features(values, places)
        held.update(found)
        most = max(most, sum(tensor.nbytes for tensor in held))
        return found

    budget = 16 * sum(s.inputs**2 for s in supernet.stitches)
    assert budget < 96 * image_bytes(supernet.stitches)
    cut = make_preconditioners(supernet.stitches, watched, [images(96)], memory_budget=budget)
    whole = make_preconditioners(
        supernet.stitches, supernet.features, [images(96)], memory_budget=10**9
    )
    assert 0 < most <= budget
    for ours, other in zip(cut, whole, strict=True):
        torch.testing.assert_close(ours.centre, other.centre)
        torch.testing.assert_close(ours.scale, other.scale)
        # Principal directions have a sign of their own; their metric has none.
        torch.testing.assert_close(
            ours.whiten.T @ ours.whiten, other.whiten.T @ other.whiten, rtol=1e-4, atol=1e-4
        )


def test_images_that_are_not_finite_are_refused() -> None:
    supernet = fitted()
    bad = images(8)
    bad[3, 0, 0, 0] = float("inf")
    with pytest.raises(FittingError, match="batch 2 holds NaN or infinity"):
        make_preconditioners(
            supernet.stitches, supernet.features, [images(8), bad], memory_budget=10**9
        )
