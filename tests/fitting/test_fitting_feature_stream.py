import pytest
import torch
from fitting_examples import features_of, networks
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.errors import FittingError
from netstitch.fitting.feature_stream import (
    check_finite,
    check_samples,
    cut,
    image_bytes,
    inputs,
    read_features,
    split,
)
from netstitch.networks.feature_layout import MAP
from netstitch.stitching.stitch import FeatureRef, Stitch


def test_inputs_are_the_first_of_a_tuple() -> None:
    x, y = torch.rand(2, 3), torch.tensor([0, 1])
    assert [(n, v.tolist()) for n, v in inputs([x, (x, y), [x, y]])] == [
        (n, x.tolist()) for n in (1, 2, 3)
    ]


def test_empty_batches_are_passed_over() -> None:
    assert [number for number, _ in inputs([torch.rand(0, 3), torch.rand(1, 3)])] == [2]


@pytest.mark.parametrize(
    "batch, message",
    [
        (
            torch.zeros(2, 3, dtype=torch.uint8),
            r"batch 2 has dtype uint8 and shape \(2, 3\).*float",
        ),
        ({"image": torch.rand(2)}, "batch 2 is a dict: expected a tensor"),
        ((), "batch 2 is a tuple"),
        (torch.tensor(1.0), r"batch 2 has dtype float32 and shape \(\)"),
    ],
)
def test_batches_that_are_no_inputs_are_named(batch: object, message: str) -> None:
    with pytest.raises(FittingError, match=message):
        list(inputs([torch.rand(1, 3), batch]))  # type: ignore[list-item]


def test_every_eighth_sample_is_held_out() -> None:
    train, held = split(0, 20, 0.125)
    assert held.tolist() == [7, 15]
    assert train.tolist() == [i for i in range(20) if i not in (7, 15)]


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=8),
    holdout=st.sampled_from([0.125, 0.1, 0.5, 0.3]),
)
def test_the_split_does_not_depend_on_the_batches(sizes: list[int], holdout: float) -> None:
    held: list[int] = []
    start = 0
    for size in sizes:
        train, out = split(start, size, holdout)
        assert sorted([*train.tolist(), *out.tolist()]) == list(range(size))
        held += [start + i for i in out.tolist()]
        start += size
    assert held == split(0, start, holdout)[1].tolist()
    assert len(held) == pytest.approx(start * holdout, abs=1)


@settings(deadline=None)
@given(count=st.integers(1, 40), one=st.integers(1, 9), budget=st.integers(0, 100))
def test_parts_of_a_batch_fit_the_budget_in_order(count: int, one: int, budget: int) -> None:
    batch = torch.arange(float(count))
    parts = list(cut(batch, one, budget))
    assert torch.equal(torch.cat(parts), batch)
    assert all(len(part) * one <= budget or len(part) == 1 for part in parts)
    assert (len(parts) == 1) == (count * one <= budget or count == 1)


def test_bytes_of_an_image_are_those_of_each_point_once() -> None:
    a, b, c = (FeatureRef(0, name) for name in "abc")
    stitches = [Stitch(0, a, b, 2, 3, MAP, 10), Stitch(0, a, c, 2, 4, MAP, 10)]
    assert image_bytes(stitches) == sum(torch.ones(1, n, 2, 5).nbytes for n in (2, 3, 4))


def test_too_few_samples_say_how_many_are_needed() -> None:
    with pytest.raises(FittingError, match="no samples"):
        check_samples(0, 0, 0.125)
    with pytest.raises(FittingError, match=r"hold 10 samples: .* takes at least 16"):
        check_samples(9, 1, 0.125)
    check_samples(14, 2, 0.125)


def test_features_that_are_not_finite_are_named() -> None:
    good, bad = torch.ones(2, 3), torch.tensor([[1.0], [float("inf")]])
    with pytest.raises(FittingError, match=r"point 'fc' of network 1 gives NaN .* on batch 4"):
        check_finite({FeatureRef(0, "c"): good, FeatureRef(1, "fc"): bad}, good, "batch 4")
    with pytest.raises(FittingError, match="batch 4 holds NaN"):
        check_finite({FeatureRef(0, "c"): good}, bad, "batch 4")
    check_finite({FeatureRef(0, "c"): good}, good, "batch 4")


def test_features_of_the_wrong_shape_are_named() -> None:
    stitches, points = networks([(2, 3)])
    points[stitches[0].target] = lambda x: torch.ones(len(x), 4)
    expected = r"point 'b0' of network 1 \(5, 4\): expected 5 samples with 2 and 3 features"
    with pytest.raises(FittingError, match=expected):
        read_features(stitches, features_of(points), torch.ones(5, 6))


def test_maps_of_unequal_size_are_named() -> None:
    a, b = FeatureRef(0, "a"), FeatureRef(1, "b")
    stitch = Stitch(0, a, b, 2, 3, layout=MAP, positions=16)
    points = {a: lambda x: torch.ones(1, 2, 4, 4), b: lambda x: torch.ones(1, 3, 2, 2)}
    with pytest.raises(FittingError, match=r"'a' .* \(1, 2, 4, 4\) and .*'b' .* \(1, 3, 2, 2\)"):
        read_features([stitch], features_of(points), torch.ones(1, 6))
