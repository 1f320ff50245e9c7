from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from weakref import WeakSet

import pytest
import torch
from fitting_examples import both_ways, features_of, least_squares, networks, random_inputs, state
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from netstitch.errors import FittingError
from netstitch.fitting.least_squares import match_groups, plan_passes
from netstitch.fitting.solve import RIDGE
from netstitch.networks.feature_layout import VECTOR
from netstitch.stitching.stitch import FeatureRef, Stitch


def plain_fit(x: Tensor, y: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Weight and bias by the normal equations on all the data at once."""
    x, y = x.double(), y.double()
    x0, y0 = x - x.mean(0), y - y.mean(0)
    inner = x0.T @ x0
    inner += ridge * inner.diagonal().mean() * torch.eye(len(inner))
    weight = torch.linalg.solve(inner, x0.T @ y0).T
    return weight, y.mean(0) - weight @ x.mean(0)


def plain_error(layer: nn.Module, x: Tensor, y: Tensor) -> float:
    with torch.no_grad():
        left = layer(x) - y
    axes = [0, 2, 3][: y.dim() - 1] if y.dim() == 4 else [0]
    return float((left**2).sum() / ((y - y.mean(axes, keepdim=True)) ** 2).sum())


def best_prediction(x: Tensor, y: Tensor) -> Tensor:
    """The best affine prediction of y from x, which may be short of rank."""
    x0 = x - x.mean(0)
    return x0 @ torch.linalg.pinv(x0, rtol=1e-4) @ (y - y.mean(0)) + y.mean(0)


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 1000),
    widths=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=3),
    batch=st.integers(5, 200),
)
def test_equals_a_plain_ridge_on_all_that_is_not_held_out(
    seed: int, widths: list[tuple[int, int]], batch: int
) -> None:
    stitches, points = networks(widths, seed=seed)
    layers = [stitch.layer() for stitch in stitches]
    x = random_inputs(200, seed=seed)
    batches = list(x.split(batch))
    report = least_squares(stitches, layers, features_of(points), batches, ridge=1e-4)
    held = torch.arange(200) % 8 == 7
    assert (report.samples, report.held_out) == (175, 25)
    for stitch, layer, row in zip(stitches, layers, report.rows, strict=True):
        source, target = points[stitch.source](x), points[stitch.target](x)
        weight, bias = plain_fit(source[~held], target[~held], 1e-4)
        torch.testing.assert_close(layer.weight.double(), weight, rtol=1e-2, atol=1e-3)
        torch.testing.assert_close(layer.bias.double(), bias, rtol=1e-2, atol=1e-3)
        assert (row.match, row.source, row.target) == (stitch.match, stitch.source, stitch.target)
        direct = plain_error(layer, source[held], target[held])
        assert row.relative_error == pytest.approx(direct, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_spatial_points_are_fitted_position_by_position(layout: torch.memory_format) -> None:
    a, b = FeatureRef(0, "a"), FeatureRef(1, "b")
    stitches = both_ways(0, a, b, 3, 4, positions=10)
    torch.manual_seed(0)
    first, second = nn.Conv2d(2, 3, 1), nn.Conv2d(2, 4, 3, padding=1)
    points = {
        a: lambda x: first(x).to(memory_format=layout),
        b: lambda x: torch.relu(second(x)),
    }
    layers = [stitch.layer() for stitch in stitches]
    x = torch.randn(40, 2, 2, 5)
    report = least_squares(stitches, layers, features_of(points), x.split(16), ridge=0)
    held = torch.arange(40) % 8 == 7
    for stitch, layer, row in zip(stitches, layers, report.rows, strict=True):
        with torch.no_grad():
            source, target = points[stitch.source](x), points[stitch.target](x)
        x_rows, y_rows = (f[~held].movedim(1, 3).flatten(0, 2) for f in (source, target))
        fitted = x_rows @ layer.weight.flatten(1).T + layer.bias
        # the first network's 3 features have rank 2, so only what the map gives is unique
        torch.testing.assert_close(fitted, best_prediction(x_rows, y_rows), rtol=1e-2, atol=1e-3)
        assert row.relative_error == pytest.approx(
            plain_error(layer, source[held], target[held]), rel=1e-3
        )


def test_the_batches_do_not_matter() -> None:
    stitches, points = networks([(4, 3), (2, 5)])
    x = random_inputs(160)
    fits = []
    for sizes in (160, 32, 7):
        layers = [stitch.layer() for stitch in stitches]
        report = least_squares(stitches, layers, features_of(points), x.split(sizes))
        fits.append((state(layers), [row.relative_error for row in report.rows]))
    for weights, errors in fits[1:]:
        torch.testing.assert_close(weights, fits[0][0], rtol=1e-3, atol=1e-4)
        assert errors == pytest.approx(fits[0][1], rel=1e-3)


def test_features_are_held_within_the_budget_and_the_split_stays() -> None:
    stitches, points = networks([(4, 3), (2, 5)])
    plain = features_of(points)
    held: WeakSet[Tensor] = WeakSet()
    most = 0

    def watched(values: Tensor, places: Sequence[FeatureRef]) -> list[Tensor]:
        nonlocal most
        found = plain(values, places)
        held.update(found)
        most = max(most, sum(tensor.nbytes for tensor in held))
        return found

    x = random_inputs(800)
    whole, cut = ([stitch.layer() for stitch in stitches] for _ in range(2))
    expected = least_squares(stitches, whole, plain, [x])
    report = least_squares(stitches, cut, watched, [x], memory_budget=3000)
    assert 2000 < most <= 3000 < 800 * 4 * 14
    assert (report.samples, report.held_out) == (expected.samples, expected.held_out) == (700, 100)
    torch.testing.assert_close(state(cut), state(whole), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ridge", [1e-4, 0.0])
def test_several_passes_under_a_budget_equal_one(ridge: float) -> None:
    stitches, points = networks([(4, 3), (2, 5), (6, 6), (1, 1)])
    groups = match_groups(stitches)
    budget = max(group.bytes for group in groups)
    assert len(plan_passes(groups, budget)) == 3
    batches = random_inputs(96).split(32)
    one, many = ([stitch.layer() for stitch in stitches] for _ in range(2))
    calls: list[tuple[int, int | None, str]] = []
    first = least_squares(stitches, one, features_of(points), batches, ridge=ridge)
    second = least_squares(
        stitches,
        many,
        features_of(points),
        batches,
        ridge=ridge,
        memory_budget=budget,
        progress=lambda *call: calls.append(call),
    )
    assert all(map(torch.equal, state(one), state(many)))
    assert first.rows == second.rows
    assert [call[:2] for call in calls] == [(i, 9) for i in range(1, 10)]
    assert calls[-1][2] == "least squares, pass 3 of 3"


class Unsized(IterableDataset[Tensor]):
    """A data set whose loader has a length that raises."""

    def __iter__(self) -> Iterator[Tensor]:
        return iter(random_inputs(32))


@pytest.mark.parametrize(
    "batches", [iter(random_inputs(32).split(16)), DataLoader(Unsized(), batch_size=16)]
)
def test_progress_has_no_total_where_the_length_is_unknown(batches: Iterable[Tensor]) -> None:
    stitches, points = networks([(2, 2)])
    calls: list[tuple[int, int | None, str]] = []
    least_squares(
        stitches,
        [stitch.layer() for stitch in stitches],
        features_of(points),
        batches,
        progress=lambda *call: calls.append(call),
    )
    assert calls == [(1, None, "least squares"), (2, None, "least squares")]


def test_the_budget_counts_the_moments_of_a_match_and_those_held_out() -> None:
    stitches, _ = networks([(4, 3)])
    (group,) = match_groups(stitches)
    assert group.members == {(0, 1): 0, (1, 0): 1}
    assert group.bytes == 2 * 8 * (4 * 4 + 4 * 3 + 3 * 3 + 4 + 3)


def test_what_errors_are_reported_on_plays_no_part_in_the_fit() -> None:
    stitches, points = networks([(4, 3)])
    x = random_inputs(64)
    other = x.clone()
    other[7::8] = random_inputs(8, seed=5)
    found = []
    for inputs in (x, other):
        layers = [stitch.layer() for stitch in stitches]
        least_squares(stitches, layers, features_of(points), inputs.split(20))
        found.append(state(layers))
    assert all(map(torch.equal, *found))


def test_the_ridge_is_reported() -> None:
    stitches, points = networks([(2, 2)])
    layers = [stitch.layer() for stitch in stitches]
    for options, expected in (({}, RIDGE), ({"ridge": 2.0}, 2.0)):
        report = least_squares(
            stitches, layers, features_of(points), [random_inputs(32)], **options
        )
        assert report.settings["ridge"] == expected


@pytest.mark.parametrize("count, holdout", [(16, 0.125), (4, 0.5), (7, 0.3)])
def test_the_fewest_samples_that_are_enough_are_fitted(count: int, holdout: float) -> None:
    stitches, points = networks([(2, 2)])
    layers = [stitch.layer() for stitch in stitches]
    report = least_squares(
        stitches, layers, features_of(points), [random_inputs(count)], holdout=holdout
    )
    assert report.samples + report.held_out == count
    assert all(p.isfinite().all() for p in state(layers))


@pytest.mark.parametrize("ridge, error", [(1e-4, 0.9), (1e-8, 0.1), (0.0, 0.02)])
def test_without_a_ridge_directions_that_hardly_vary_are_resolved(
    ridge: float, error: float
) -> None:
    a, b = FeatureRef(0, "a"), FeatureRef(1, "b")
    mixing = torch.linalg.qr(random_inputs(8, width=8))[0]
    spread = torch.logspace(0, -4, 8)  # the target lives in the direction of the least spread
    points = {a: lambda x: (x * spread) @ mixing, b: lambda x: x[:, -2:]}
    stitches = both_ways(0, a, b, 8, 2)
    layers = [stitch.layer() for stitch in stitches]
    batches = random_inputs(2000, width=8).split(200)
    report = least_squares(stitches, layers, features_of(points), batches, ridge=ridge)
    found = report.rows[0].relative_error
    assert found is not None
    assert found > error if ridge == 1e-4 else found < error


def test_a_match_of_three_networks_shares_its_moments() -> None:
    places = [FeatureRef(k, "p") for k in range(3)]
    stitches = [
        Stitch(0, a, b, 2, 2, layout=VECTOR, positions=1) for a in places for b in places if a != b
    ]
    (group,) = match_groups(stitches)
    assert group.bytes == 2 * 8 * (6 * 4 + 3 * 2)  # three products with itself, three of pairs
    maps = [torch.tensor([[1.0, 2], [0, 1]]) * (k + 1) + torch.eye(2) for k in range(3)]
    points = {place: (lambda x, m=m: x @ m) for place, m in zip(places, maps, strict=True)}
    layers = [stitch.layer() for stitch in stitches]
    batches = random_inputs(64, width=2).split(64)
    report = least_squares(stitches, layers, features_of(points), batches, ridge=0)
    assert all(row.relative_error is not None for row in report.rows)
    for stitch, layer in zip(stitches, layers, strict=True):
        exact = torch.linalg.inv(maps[stitch.source.network]) @ maps[stitch.target.network]
        torch.testing.assert_close(layer.weight.T, exact, rtol=1e-3, atol=1e-3)


def test_stitches_from_one_point_share_a_factorisation(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [FeatureRef(k, "p") for k in range(4)]
    stitches = [
        Stitch(0, a, b, 3, 3, layout=VECTOR, positions=1) for a in places for b in places if a != b
    ]
    points = {place: (lambda x, k=place.network: (x * (k + 1)).sin()) for place in places}
    batches = random_inputs(96, width=3).split(40)
    factorised = []
    factorise = torch.linalg.cholesky_ex

    def counted(matrix: Tensor) -> Any:
        factorised.append(matrix)
        return factorise(matrix)

    monkeypatch.setattr(torch.linalg, "cholesky_ex", counted)
    layers = [stitch.layer() for stitch in stitches]
    report = least_squares(stitches, layers, features_of(points), batches)
    assert len(factorised) == 4
    # The slow twin fits each of the twelve by itself.
    for stitch, layer, row in zip(stitches, layers, report.rows, strict=True):
        alone = stitch.layer()
        (own,) = least_squares([stitch], [alone], features_of(points), batches).rows
        torch.testing.assert_close(layer.weight, alone.weight)
        torch.testing.assert_close(layer.bias, alone.bias)
        assert row.relative_error == pytest.approx(own.relative_error, rel=1e-5)
    assert len(factorised) == 4 + 12


def test_fitted_layers_are_frozen() -> None:
    stitches, points = networks([(2, 2)])
    layers = [stitch.layer() for stitch in stitches]
    least_squares(stitches, layers, features_of(points), [random_inputs(32)])
    assert not any(p.requires_grad for layer in layers for p in layer.parameters())


def test_a_constant_target_is_fitted_and_reported_as_such() -> None:
    a, b = FeatureRef(0, "a"), FeatureRef(1, "b")
    points = {a: lambda x: x, b: lambda x: torch.full((len(x), 2), 0.1)}
    stitches = both_ways(0, a, b, 6, 2)
    layers = [stitch.layer() for stitch in stitches]
    report = least_squares(stitches, layers, features_of(points), random_inputs(64).split(20))
    assert report.rows[0].relative_error is None
    torch.testing.assert_close(layers[0](random_inputs(3)), torch.full((3, 2), 0.1))
    assert report.rows[1].relative_error == pytest.approx(1, abs=0.5)
    assert layers[1].weight.eq(0).all()


def _nan_at(point: FeatureRef, batch: int) -> tuple[list[Stitch], object]:
    stitches, points = networks([(2, 2), (3, 3)])
    calls = iter(range(1, 1000))
    good = points[point]
    points[point] = lambda x: good(x) * (float("nan") if next(calls) == batch else 1)
    return stitches, features_of(points)


BATCHES = list(random_inputs(64).split(16))


@pytest.mark.parametrize(
    "batches, options, message",
    [
        ([], {}, "no samples"),
        ([torch.rand(0, 6)], {}, "no samples"),
        ([torch.rand(9, 6)], {}, "hold 9 samples: .* at least 16"),
        ([torch.zeros(20, 6, dtype=torch.int64)], {}, "batch 1 has dtype int64"),
        ([*BATCHES, BATCHES[0] * float("inf")], {}, "batch 5 holds NaN or infinity"),
        ([*BATCHES, BATCHES[0] * 1e25], {}, "match 0 has features too large .* on batch 5"),
        (BATCHES, {"memory_budget": 200}, "memory_budget is 200 bytes: .* alone needs 528"),
        (iter(BATCHES), {"memory_budget": 600}, "take 784 bytes, over .* 600, .* only once"),
        (BATCHES, {"ridge": -1.0}, "ridge is -1"),
        (BATCHES, {"ridge": float("nan")}, "ridge is nan"),
        (BATCHES, {"ridge": float("inf")}, "ridge is inf"),
        (BATCHES, {"holdout": 0.0}, "holdout is 0"),
        (BATCHES, {"holdout": 0.9}, "holdout is 0.9"),
    ],
)
def test_bad_input_is_one_line_and_leaves_the_layers(
    batches: list[Tensor], options: dict[str, float], message: str
) -> None:
    stitches, points = networks([(2, 2), (3, 3)])
    layers = [stitch.layer() for stitch in stitches]
    before = state(layers)
    with pytest.raises(FittingError, match=message) as error:
        least_squares(stitches, layers, features_of(points), batches, **options)
    assert "\n" not in str(error.value)
    assert all(map(torch.equal, before, state(layers)))
    assert all(layer.weight.requires_grad for layer in layers)


def test_features_that_are_not_finite_are_named() -> None:
    stitches, features = _nan_at(FeatureRef(1, "b1"), batch=3)
    layers = [stitch.layer() for stitch in stitches]
    with pytest.raises(FittingError, match=r"point 'b1' of network 1 gives NaN .* on batch 3"):
        least_squares(stitches, layers, features, BATCHES)


def test_batches_that_shrink_between_passes_are_noticed() -> None:
    class Shrinking:
        passes = 0

        def __iter__(self) -> Iterator[Tensor]:
            self.passes += 1
            return iter(BATCHES[: 5 - self.passes])

    stitches, points = networks([(2, 2), (3, 3)])
    layers = [stitch.layer() for stitch in stitches]
    with pytest.raises(FittingError, match="64 samples in the first pass and 48 now"):
        least_squares(stitches, layers, features_of(points), Shrinking(), memory_budget=600)


def test_nothing_to_fit_is_an_error() -> None:
    stitches, points = networks([(2, 2)])
    with pytest.raises(FittingError, match="no stitches"):
        least_squares([], [], features_of(points), BATCHES)
    with pytest.raises(FittingError, match="2 stitches and 1 layers"):
        least_squares(stitches, [stitches[0].layer()], features_of(points), BATCHES)


def test_ctrl_c_leaves_the_layers() -> None:
    def interrupt(done: int, total: int | None, text: str) -> None:
        if done == 4:
            raise KeyboardInterrupt

    stitches, points = networks([(2, 2)])
    layers = [stitch.layer() for stitch in stitches]
    before = state(layers)
    with pytest.raises(KeyboardInterrupt):
        least_squares(stitches, layers, features_of(points), BATCHES, progress=interrupt)
    assert all(map(torch.equal, before, state(layers)))
