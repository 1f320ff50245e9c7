import pytest
import torch
from fitting_examples import both_ways, features_of, networks, random_inputs
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.errors import FittingError
from netstitch.fitting.held_out import TargetVariance, held_out_errors
from netstitch.stitching.stitch import FeatureRef


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1000), size=st.integers(1, 30), offset=st.sampled_from([0.0, 1e4]))
def test_spread_equals_that_of_the_whole(seed: int, size: int, offset: float) -> None:
    values = random_inputs(30, width=3, seed=seed) + offset
    spread = TargetVariance()
    for batch in values.split(size):
        spread.add(batch)
    whole = values.double()
    torch.testing.assert_close(spread.mean, whole.mean(0))
    assert spread.deviation == pytest.approx(float(((whole - whole.mean(0)) ** 2).sum()), rel=1e-9)


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
