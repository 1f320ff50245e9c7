from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from netstitch.fitting.moments import SINGLE_PRODUCTS, MeanVariance, Moments
from netstitch.fitting.solve import relative_error, solve
from netstitch.networks.feature_layout import MAP


def plain_moments(sets: list[Tensor], i: int, j: int) -> Tensor:
    """Centred products, in float64 and all at once."""
    x, y = sets[i].double(), sets[j].double()
    return (x - x.mean(0)).T @ (y - y.mean(0))


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(0, 50), max_size=4),
    offset=st.sampled_from([0.0, 1.0, -300.0]),
)
def test_batches_give_the_moments_of_the_whole(seed: int, cuts: list[int], offset: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    sets = [torch.randn(50, width, generator=generator) + offset for width in (3, 1, 4)]
    moments = Moments([3, 1, 4], [(2, 0), (0, 1)])
    bounds = [0, *sorted(cuts), 50]
    for start, end in pairwise(bounds):
        moments.add([values[start:end].clone() for values in sets])
    assert moments.count == 50
    for i, j in [(0, 0), (1, 1), (2, 2), (0, 2), (2, 0), (1, 0)]:
        torch.testing.assert_close(
            moments.product(i, j), plain_moments(sets, i, j), rtol=1e-4, atol=1e-3
        )
    for mean, values in zip(moments.means, sets, strict=True):
        torch.testing.assert_close(mean, values.double().mean(0), rtol=1e-9, atol=1e-7)


def test_precise_products_keep_what_float32_loses() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1000, 1, generator=generator)
    nearly = torch.cat([x, x + 1e-4 * torch.randn(1000, 1, generator=generator)], 1)
    expected = plain_moments([nearly], 0, 0).logdet()
    gaps = []
    for precise in (False, True):
        moments = Moments([2], [], precise=precise)
        for batch in nearly.split(100):
            moments.add([batch.clone()])
        gaps.append(abs(float(moments.product(0, 0).logdet() - expected)))
    assert gaps[1] < 1e-6
    assert not gaps[0] < 1e-2


def test_float32_products_are_enough_down_to_the_ridge_from_which_they_are_used() -> None:
    # The target is in the direction of the least variance, 1e-8 of the largest.
    generator = torch.Generator().manual_seed(0)
    mixing = torch.linalg.qr(torch.randn(8, 8, generator=generator))[0]
    latent = torch.randn(4000, 8, generator=generator)
    sets = [(latent * torch.logspace(0, -4, 8)) @ mixing, latent[:, -1:]]
    errors: dict[float, list[float]] = {SINGLE_PRODUCTS: [], 0.0: []}
    for precise in (False, True):
        moments = Moments([8, 1], [(0, 1)], precise=precise)
        for start in range(0, 4000, 200):
            moments.add([values[start : start + 200].clone() for values in sets])
        for ridge, found in errors.items():
            (best,) = solve(moments, 0, [1], ridge)
            exact = Moments([8, 1], [(0, 1)], precise=True)
            exact.add([values.clone() for values in sets])
            error = relative_error(exact, 0, 1, best.weight, best.bias)
            assert error is not None
            found.append(error)
    weakest, without = errors[SINGLE_PRODUCTS], errors[0.0]
    assert weakest[0] == pytest.approx(weakest[1], abs=0.005)
    assert without[0] - without[1] > 0.05


def test_large_offsets_keep_small_variances() -> None:
    values = (1e4 + 0.1 * torch.randn(4096, 5, generator=torch.Generator().manual_seed(0))).float()
    moments = Moments([5], [])
    for batch in values.split(100):
        moments.add([batch.clone()])
    expected = plain_moments([values], 0, 0)
    assert (moments.product(0, 0) - expected).abs().max() < 1e-5 * expected.diagonal().mean()


def test_a_first_batch_unlike_all_others_does_no_harm() -> None:
    values = 1e4 + 0.1 * torch.randn(512, 2, generator=torch.Generator().manual_seed(1))
    values[:8] = 0
    moments = Moments([2], [])
    moments.add([values[:8].clone()])
    moments.add([values[8:].clone()])
    torch.testing.assert_close(
        moments.product(0, 0), plain_moments([values], 0, 0), rtol=1e-9, atol=0
    )


def test_products_that_were_not_asked_for_are_not_kept() -> None:
    moments = Moments([1, 1, 1], [(2, 1), (1, 2)])
    assert moments.bytes == 8 * (3 + 4)
    moments.add([torch.rand(3, 1) for _ in range(3)])
    assert moments.product(1, 2).equal(moments.product(2, 1))
    with pytest.raises(KeyError):
        moments.product(0, 1)


def test_bytes_are_those_of_the_tensors() -> None:
    moments = Moments([3, 5], [(1, 0)])
    moments.add([torch.rand(9, 3), torch.rand(9, 5)])
    held = [*moments.means, moments.product(0, 0), moments.product(0, 1), moments.product(1, 1)]
    assert moments.bytes == sum(tensor.nbytes for tensor in held)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_values_without_finite_squares_are_noticed(value: float) -> None:
    moments = Moments([2], [])
    moments.add([torch.zeros(3, 2)])
    assert moments.finite
    moments.add([torch.tensor([[0.0, value], [0.0, 0.0]])])
    assert not moments.finite


def test_positions_of_a_map_tell_what_all_of_them_tell() -> None:
    generator = torch.Generator().manual_seed(0)
    source = torch.randn(8, 3, 24, 24, generator=generator)
    target = 2 * source[:, :2] + 0.1 * torch.randn(8, 2, 24, 24, generator=generator)
    every, some = (Moments([3, 2], [(0, 1)]) for _ in range(2))
    for moments, positions in ((every, None), (some, 144)):
        for number in range(2):
            chosen = torch.arange(4) + 4 * number
            moments.add([MAP.rows(each, chosen, positions, number) for each in (source, target)])
    assert some.count == every.count / 4
    left = every.product(0, 1) / every.count - some.product(0, 1) / some.count
    assert left.abs().max() < 0.15


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1000), size=st.integers(1, 30), offset=st.sampled_from([0.0, 1e4]))
def test_a_variance_equals_that_of_the_whole(seed: int, size: int, offset: float) -> None:
    values = torch.randn(30, 3, generator=torch.Generator().manual_seed(seed)) + offset
    found = MeanVariance()
    for batch in values.split(size):
        found.add(batch)
    whole = values.double()
    torch.testing.assert_close(found.mean, whole.mean(0))
    torch.testing.assert_close(found.variance, whole.var(0, correction=0), rtol=1e-9, atol=0)
    assert found.total == pytest.approx(float(whole.var(0, correction=0).sum()), rel=1e-9)


def test_a_single_batch_keeps_its_mean_and_variance_to_the_bit() -> None:
    mean, variance = torch.tensor([0.1, 1e4]), torch.tensor([0.3, 1e-4])
    found = MeanVariance()
    found.merge(7, mean, variance)
    assert torch.equal(found.mean.float(), mean)
    assert torch.equal(found.variance.float(), variance)
