"""Exits that a supernet is given: which weights it takes, and what it says of them."""

import copy
import pickle

import pytest
import torch
from exit_examples import exit_outputs, random_weights, with_exits
from small_supernets import SIZE, small_supernet

from netstitch.errors import StitchingError
from netstitch.stitching.exit import Exit
from netstitch.supernet.supernet import Supernet

INPUTS = torch.randn(3, 2, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def test_a_supernet_has_no_exits_at_first() -> None:
    supernet = small_supernet()
    one = Exit(0, (supernet.graphs[0].points[0].name,))
    assert supernet.exits == ()
    assert exit_outputs(supernet, INPUTS) == []
    with pytest.raises(StitchingError, match=r"it has none: call fit_exits\(batches\) first"):
        supernet.macs(one)


def test_an_exit_is_run_like_a_genotype() -> None:
    supernet = with_exits(small_supernet())
    for one, found in zip(supernet.exits, exit_outputs(supernet, INPUTS), strict=True):
        assert torch.equal(supernet(INPUTS, one), found)
        assert supernet.active_stitches(one) == ()
    chosen = supernet.exits[3:1:-1]
    some = exit_outputs(supernet, INPUTS, chosen)
    assert [torch.equal(supernet(INPUTS, one), x) for one, x in zip(chosen, some, strict=True)]
    assert set(supernet.exit_weights()) <= set(supernet.tensors())


def test_a_module_of_an_exit_is_its_own_and_trains() -> None:
    supernet = with_exits(small_supernet())
    one = supernet.exits[2]
    module = supernet.subnetwork(one)
    before = supernet(INPUTS, one)
    module(INPUTS).sum().backward()
    with torch.no_grad():
        for parameter in module.parameters():
            assert parameter.grad is not None
            parameter.zero_()
    assert torch.equal(supernet(INPUTS, one), before)


def test_copies_and_pickles_have_the_same_exits() -> None:
    supernet = with_exits(small_supernet())
    expected = exit_outputs(supernet, INPUTS)
    for other in (copy.deepcopy(supernet), pickle.loads(pickle.dumps(supernet))):  # noqa: S301
        assert other.exits == supernet.exits
        found = exit_outputs(other, INPUTS)
        assert all(map(torch.equal, found, expected))


def test_exits_move_with_the_supernet() -> None:
    supernet = with_exits(small_supernet())
    expected = exit_outputs(supernet, INPUTS)
    found = exit_outputs(supernet.double(), INPUTS.double())
    assert {x.dtype for x in found} == {torch.float64}
    assert all(x.float().allclose(y, atol=1e-5) for x, y in zip(found, expected, strict=True))


def test_fitted_stitches_leave_exits_as_they_are() -> None:
    supernet = with_exits(small_supernet())
    expected = exit_outputs(supernet, INPUTS)
    supernet.fit([torch.randn(32, 2, SIZE, SIZE)])
    assert all(map(torch.equal, exit_outputs(supernet, INPUTS), expected))


def two_exits() -> tuple[Supernet, list[Exit], dict[str, torch.Tensor]]:
    supernet = small_supernet()
    exits = [Exit(index, (graph.points[0].name,)) for index, graph in enumerate(supernet.graphs)]
    return supernet, exits, random_weights(supernet, exits)


def test_weights_that_do_not_fit_are_named() -> None:
    supernet, exits, weights = two_exits()
    key = next(iter(weights))
    for changes, message in (
        ({key: weights[key][:, 1:]}, rf"{key} has shape \(3, 3\) and not \(3, 4\)"),
        ({key: weights[key].int()}, "expected dense floats"),
        ({key: weights[key] / 0}, "hold NaN or infinity"),
        ({"exits.wide.other.weight": weights[key]}, "of these exits: exits.wide.other.weight is"),
    ):
        with pytest.raises(StitchingError, match=message):
            supernet.set_exits(exits, weights | changes)
    with pytest.raises(StitchingError, match=r"shapes of exit_weights\(\)"):
        supernet.set_exits(exits[:1], weights)
    assert supernet.exits == ()


def test_exits_that_are_none_are_named() -> None:
    supernet, exits, weights = two_exits()
    with pytest.raises(StitchingError, match="the exits hold a str; expected"):
        supernet.set_exits(["relu"], weights)  # type: ignore[list-item]
    with pytest.raises(StitchingError, match="stands twice among the exits"):
        supernet.set_exits([*exits, exits[0]], weights)
    supernet.set_exits(exits, weights)
    other = Exit(0, (supernet.graphs[0].points[1].name,))
    for call in (supernet.macs, supernet.subnetwork, supernet.parameters_of):
        with pytest.raises(StitchingError, match=r"it has 2: choose one of s\.exits"):
            call(other)
    with pytest.raises(StitchingError, match="is no exit of this supernet"):
        exit_outputs(supernet, INPUTS, [other])
    with pytest.raises(StitchingError, match="the inputs are"):
        supernet(INPUTS.double(), exits[0])
