from collections.abc import Sequence

import pytest
import torch
from fitting_examples import (
    adam,
    both_ways,
    features_of,
    least_squares,
    networks,
    random_inputs,
    state,
)
from torch import Tensor, nn

from netstitch.errors import FittingError
from netstitch.stitching.stitch import FeatureRef

BATCHES = list(random_inputs(256).split(50))


def test_approaches_least_squares() -> None:
    stitches, points = networks([(3, 2), (4, 4)])
    features = features_of(points)
    trained, exact = ([stitch.layer() for stitch in stitches] for _ in range(2))
    by_adam = adam(stitches, trained, features, BATCHES, learning_rate=0.03, samples=16_384)
    by_solving = least_squares(stitches, exact, features, BATCHES, ridge=0)
    assert by_adam.held_out == by_solving.held_out == 32
    for ours, best in zip(by_adam.rows, by_solving.rows, strict=True):
        assert ours.relative_error == pytest.approx(best.relative_error, abs=0.02)


@pytest.mark.parametrize(
    "options, rates",
    [
        ({}, [1e-3, 0.75e-3, 0.25e-3]),
        ({"schedule": "cosine"}, [1e-3, 0.75e-3, 0.25e-3]),
        ({"schedule": "constant"}, [1e-3, 1e-3, 1e-3]),
    ],
)
def test_equals_a_loop_written_out(options: dict[str, str], rates: list[float]) -> None:
    stitches, points = networks([(3, 2)])
    layers = [stitch.layer() for stitch in stitches]
    given = {"samples": 96, "batch_size": 32, "seed": 5, **options}
    adam(stitches, layers, features_of(points), BATCHES, **given)

    torch.manual_seed(5)
    plain = [stitch.layer() for stitch in stitches]
    parameters = [p for layer in plain for p in layer.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    inputs = random_inputs(256)[torch.arange(256) % 8 != 7]
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(5))
    for step, rate in enumerate(rates):
        optimizer.param_groups[0]["lr"] = rate
        x = inputs[order[32 * step : 32 * (step + 1)]]
        loss = torch.zeros(())
        for stitch, layer in zip(stitches, plain, strict=True):
            difference = layer(points[stitch.source](x)) - points[stitch.target](x)
            loss = loss + (difference**2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(state(layers), state(plain), rtol=1e-5, atol=1e-6)


def test_errors_are_of_images_trained_on_where_none_are_held_out() -> None:
    stitches, points = networks([(3, 2)])
    layers = [stitch.layer() for stitch in stitches]
    seen: list[Tensor] = []
    plain = features_of(points)

    def watched(values: Tensor, places: Sequence[FeatureRef]) -> list[Tensor]:
        seen.append(values)
        return plain(values, places)

    report = adam(stitches, layers, watched, BATCHES, samples=512, batch_size=32, holdout=0.0)
    trained = torch.cat(seen[:16])
    everything = random_inputs(256)
    for one in (trained[:256], trained[256:]):
        assert torch.equal(one[one[:, 0].argsort()], everything[everything[:, 0].argsort()])
    assert torch.equal(torch.cat(seen[16:]), everything[7::8])
    assert (report.samples, report.held_out) == (512, 0)
    assert all(row.relative_error is not None for row in report.rows)


def test_little_memory_only_means_gradients_in_parts() -> None:
    stitches, points = networks([(3, 2), (4, 4)])
    plain = features_of(points)
    counts: list[int] = []

    def watched(values: Tensor, places: Sequence[FeatureRef]) -> list[Tensor]:
        counts.append(len(values))
        return plain(values, places)

    whole, cut = ([stitch.layer() for stitch in stitches] for _ in range(2))
    budget = 256 * 6 * 4  # the inputs, which fit 59 images' features, each held twice
    given = {"samples": 256, "batch_size": 100}
    first = adam(stitches, whole, plain, BATCHES, **given)
    second = adam(stitches, cut, watched, BATCHES, memory_budget=budget, **given)
    assert counts[:5] == [59, 41, 59, 41, 56]
    torch.testing.assert_close(state(cut), state(whole), rtol=1e-4, atol=1e-6)
    for ours, best in zip(second.rows, first.rows, strict=True):
        assert ours.relative_error == pytest.approx(best.relative_error, rel=1e-4)


def test_spatial_points_are_trained() -> None:
    a, b = FeatureRef(0, "a"), FeatureRef(1, "b")
    points = {a: lambda x: x, b: lambda x: x.flip(1) * 2}
    stitches = both_ways(0, a, b, 3, 3, positions=4)
    layers = [stitch.layer() for stitch in stitches]
    batches = torch.randn(64, 3, 2, 2, generator=torch.Generator().manual_seed(0)).split(16)
    report = adam(stitches, layers, features_of(points), batches, learning_rate=0.05, samples=4096)
    assert all(row.relative_error is not None and row.relative_error < 0.01 for row in report.rows)


def test_the_seed_decides_everything() -> None:
    stitches, points = networks([(3, 2)])
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(runs))
        layers = [stitch.layer() for stitch in stitches]
        adam(stitches, layers, features_of(points), BATCHES, samples=64, seed=seed)
        runs.append(state(layers))
    assert all(map(torch.equal, runs[0], runs[1]))
    assert not all(map(torch.equal, runs[0], runs[2]))


def test_the_random_state_outside_is_left_alone() -> None:
    stitches, points = networks([(3, 2)])
    layers = [stitch.layer() for stitch in stitches]
    before = torch.random.get_rng_state()
    adam(stitches, layers, features_of(points), BATCHES, samples=64)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_trains_where_gradients_are_switched_off(context: type) -> None:
    stitches, points = networks([(3, 2)])
    runs = []
    for outside in (context, torch.enable_grad):
        layers = [stitch.layer() for stitch in stitches]
        with outside():
            adam(stitches, layers, features_of(points), BATCHES, samples=64)
        runs.append(state(layers))
    assert all(map(torch.equal, *runs))


def test_fitted_layers_are_frozen_and_progress_is_told() -> None:
    stitches, points = networks([(3, 2)])
    layers: list[nn.Linear | nn.Conv2d] = [stitch.layer() for stitch in stitches]
    calls: list[tuple[int, int | None, str]] = []
    report = adam(
        stitches,
        layers,
        features_of(points),
        BATCHES,
        samples=70,
        progress=lambda *call: calls.append(call),
    )
    assert not any(p.requires_grad for layer in layers for p in layer.parameters())
    assert [call[:2] for call in calls] == [(1, 3), (2, 3), (3, 3)]
    assert calls[0][2].startswith("Adam, loss ")
    assert (report.method, report.samples) == ("adam", 70)


@pytest.mark.parametrize(
    "batches, options, message",
    [
        ([], {}, "no samples"),
        ([torch.rand(9, 6)], {}, "at least 16"),
        ([torch.zeros(20, 6, dtype=torch.int64)], {}, "batch 1 has dtype int64"),
        ([BATCHES[0] * float("nan")], {}, "training batch 1 holds NaN"),
        ([BATCHES[0] * 1e25], {}, "training diverged in step 1 of 512"),
        (BATCHES, {"learning_rate": 0.0}, "learning_rate is 0"),
        (BATCHES, {"batch_size": 0}, "batch_size is 0"),
        (BATCHES, {"samples": 0}, "samples is 0"),
        (BATCHES, {"weight_decay": -1.0}, "weight_decay is -1"),
        (BATCHES, {"holdout": 1.0}, "holdout is 1"),
        (BATCHES, {"schedule": "step"}, "schedule is 'step'; expected 'cosine' or 'constant'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_the_layers(
    batches: list[Tensor], options: dict[str, float | str], message: str
) -> None:
    stitches, points = networks([(2, 2)])
    layers = [stitch.layer() for stitch in stitches]
    before = state(layers)
    with pytest.raises(FittingError, match=message) as error:
        adam(stitches, layers, features_of(points), batches, **options)
    assert "\n" not in str(error.value)
    assert all(map(torch.equal, before, state(layers)))
    assert all(layer.weight.requires_grad for layer in layers)


def test_features_that_are_not_finite_are_named() -> None:
    stitches, points = networks([(2, 2)])
    points[FeatureRef(0, "a0")] = lambda x: torch.full((len(x), 2), float("inf"))
    layers = [stitch.layer() for stitch in stitches]
    with pytest.raises(FittingError, match=r"'a0' of network 0 gives NaN .* training batch 1"):
        adam(stitches, layers, features_of(points), BATCHES)


def test_ctrl_c_leaves_the_layers() -> None:
    def interrupt(done: int, total: int | None, text: str) -> None:
        if done == total:
            raise KeyboardInterrupt

    stitches, points = networks([(2, 2)])
    layers = [stitch.layer() for stitch in stitches]
    before = state(layers)
    with pytest.raises(KeyboardInterrupt):
        adam(stitches, layers, features_of(points), BATCHES, samples=64, progress=interrupt)
    assert all(map(torch.equal, before, state(layers)))
