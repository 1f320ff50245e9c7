import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from netstitch.fitting.moments import Moments
from netstitch.fitting.solve import LinearMap, relative_error, solve


def moments_of(x: Tensor, y: Tensor) -> Moments:
    moments = Moments([x.shape[1], y.shape[1]], [(0, 1)])
    for start in range(0, len(x), 37):
        moments.add([x[start : start + 37].clone(), y[start : start + 37].clone()])
    return moments


def solved(x: Tensor, y: Tensor, ridge: float) -> LinearMap:
    return solve(moments_of(x, y), 0, [1], ridge)[0]


def plain_ridge(x: Tensor, y: Tensor, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias by numpy.linalg.lstsq, the ridge written as extra rows of data."""
    a, b = x.double().numpy(), y.double().numpy()
    a0, b0 = a - a.mean(0), b - b.mean(0)
    strength = np.sqrt(ridge * (a0**2).sum(0).mean())
    rows = np.vstack([a0, strength * np.eye(a.shape[1])])
    targets = np.vstack([b0, np.zeros((a.shape[1], b.shape[1]))])
    weight = np.linalg.lstsq(rows, targets, rcond=None)[0].T
    return weight, b.mean(0) - weight @ a.mean(0)


def related(
    seed: int, n: int, m: int, count: int = 200, offset: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Two random feature sets, the second partly a linear map of the first."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, n, generator=generator)
    y = x @ torch.randn(n, m, generator=generator) + torch.randn(count, m, generator=generator)
    return x + offset, y - offset


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 8),
    m=st.integers(1, 8),
    ridge=st.sampled_from([0.0, 1e-4, 0.1, 3.0]),
    offset=st.sampled_from([0.0, 20.0]),
)
def test_equals_numpy(seed: int, n: int, m: int, ridge: float, offset: float) -> None:
    x, y = related(seed, n, m, offset=offset)
    found = solved(x, y, ridge)
    weight, bias = plain_ridge(x, y, ridge)
    np.testing.assert_allclose(found.weight.numpy(), weight, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.bias.numpy(), bias, rtol=1e-3, atol=1e-4 * (1 + offset))


def test_one_set_of_moments_serves_both_directions() -> None:
    x, y = related(0, 3, 5)
    moments = moments_of(x, y)
    np.testing.assert_allclose(
        solve(moments, 1, [0], 0.01)[0].weight, plain_ridge(y, x, 0.01)[0], 1e-3
    )


def test_the_ridge_means_the_same_at_every_scale_of_the_features() -> None:
    x, y = related(1, 4, 2)
    small = solved(x, y, 0.5).weight
    large = solved(1000 * x, y, 0.5).weight
    torch.testing.assert_close(1000 * large, small, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("ridge", [0.0, 1e-4])
def test_duplicate_features_share_their_weight(ridge: float) -> None:
    x, y = related(2, 3, 2)
    twice = solved(torch.cat([x, x], 1), y, ridge).weight
    once = solved(x, y, 0.0).weight
    torch.testing.assert_close(twice[:, :3], once / 2, rtol=1e-2, atol=1e-3)
    torch.testing.assert_close(twice[:, 3:], once / 2, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("ridge", [0.0, 1e-4])
@pytest.mark.parametrize("constant", [0.0, 0.1, -1e4])
def test_features_that_do_not_vary_get_no_weight(ridge: float, constant: float) -> None:
    x, y = related(3, 3, 2)
    still = torch.full((len(x), 2), constant)
    found = solved(torch.cat([still, x], 1), y, ridge)
    assert found.weight[:, :2].eq(0).all()
    torch.testing.assert_close(
        found.weight[:, 2:], solved(x, y, ridge).weight, rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("ridge", [0.0, 1e-4])
def test_a_constant_source_leaves_the_target_mean(ridge: float) -> None:
    _, y = related(4, 1, 3)
    moments = moments_of(torch.full((len(y), 2), 0.7), y)
    (found,) = solve(moments, 0, [1], ridge)
    assert found.weight.eq(0).all()
    torch.testing.assert_close(found.bias, y.double().mean(0), rtol=1e-6, atol=1e-7)
    error = relative_error(moments, 0, 1, found.weight, found.bias)
    assert error == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("ridge", [0.0, 1e-12, 1e-4])
def test_fewer_samples_than_features_still_gives_a_small_map(ridge: float) -> None:
    x, y = related(5, 40, 2, count=20)
    found = solved(x, y, ridge)
    shortest = plain_ridge(x, y, 0.0)[0]
    assert found.weight.norm() < 1.01 * np.linalg.norm(shortest)
    left = y.double() - x.double() @ found.weight.T - found.bias
    assert left.norm() < 0.01 * y.norm()


def test_large_offsets_and_small_variances_are_fitted() -> None:
    x, y = related(6, 4, 3, count=2000)
    x = x * 0.1 + 1e4
    found = solved(x, y, 0.0)
    np.testing.assert_allclose(found.weight, plain_ridge(x, y, 0.0)[0], rtol=1e-3, atol=1e-3)


def test_a_loud_feature_does_not_drown_the_others_under_a_ridge() -> None:
    x, y = related(7, 6, 2, count=1000)
    loud = torch.cat([1000 * torch.randn(1000, 1), x], 1)
    found = solved(loud, y, 1e-9)
    weight, _ = plain_ridge(loud, y, 1e-9)
    np.testing.assert_allclose(found.weight, weight, rtol=1e-2, atol=1e-2)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 6), m=st.integers(1, 6))
def test_the_closed_form_error_equals_the_direct_one(seed: int, n: int, m: int) -> None:
    x, y = related(seed, n, m, offset=3.0)
    generator = torch.Generator().manual_seed(seed + 1)
    weight, bias = torch.randn(m, n, generator=generator), torch.randn(m, generator=generator)
    left = y.double() - x.double() @ weight.double().T - bias
    direct = (left**2).sum() / ((y.double() - y.double().mean(0)) ** 2).sum()
    assert relative_error(moments_of(x, y), 0, 1, weight, bias) == pytest.approx(
        float(direct), rel=1e-3
    )


def test_a_perfect_map_has_no_error() -> None:
    x, _ = related(8, 3, 1)
    assert relative_error(moments_of(x, x), 0, 1, torch.eye(3), torch.zeros(3)) == pytest.approx(
        0, abs=1e-5
    )


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e4])
def test_no_error_is_given_where_the_target_does_not_vary(constant: float) -> None:
    x, _ = related(9, 3, 1)
    moments = moments_of(x, torch.full((len(x), 2), constant))
    assert relative_error(moments, 0, 1, torch.zeros(2, 3), torch.zeros(2)) is None
