import numpy as np
import pytest
import torch
from chain_examples import Builder, line
from hypothesis import given
from hypothesis import strategies as st

from netstitch.errors import MatchingError
from netstitch.matching.sampling import (
    Layer,
    Sampling,
    choose_sampling,
    first_inputs,
    sampled_features,
)
from netstitch.networks.graph import BATCH

SHAPE = (BATCH, 3, 4, 4)


def images(count, seed=0):
    return torch.randn(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed))


def nodes(network, names):
    return tuple(network.graph.by_name[name] for name in names)


def test_the_first_inputs_are_taken_across_batches():
    inputs = images(10)
    batches = [inputs[:4], (inputs[4:8], "labels"), [inputs[8:]]]
    assert torch.equal(first_inputs(batches, 7, SHAPE), inputs[:7])
    assert torch.equal(first_inputs(batches, 99, SHAPE), inputs)


def test_no_more_batches_are_read_than_needed():
    def endless():
        while True:
            yield images(4)

    assert len(first_inputs(endless(), 6, SHAPE)) == 6


@pytest.mark.parametrize(
    "batches, message",
    [
        ([], "hold no samples"),
        ([torch.zeros(0, 3, 4, 4)], "hold no samples"),
        ([images(2), "x"], "batch 2 is a str: expected a tensor"),
        ([torch.zeros(2, 3, 4, 4, dtype=torch.int64)], "batch 1 has dtype int64"),
        ([torch.zeros(2, 3, 5, 5)], r"shape \(2, 3, 5, 5\): .* captured for \(batch, 3, 4, 4\)"),
        ([torch.full((2, 3, 4, 4), float("nan"))], "batch 1 for stitchability holds NaN"),
        ([torch.tensor(1.0)], r"and shape \(\)"),
    ],
)
def test_batches_of_no_use_are_named(batches, message):
    with pytest.raises(MatchingError, match=message):
        first_inputs(batches, 8, SHAPE)


def slow_rows(values, images_read, seed, cells, count):
    """One image and one position after the other."""
    order = torch.rand(len(values), cells, generator=torch.Generator().manual_seed(seed)).argsort(1)
    rows = []
    for image in range(images_read):
        for position in order[image, :count].tolist():
            if values.dim() == 2:
                rows.append(values[image])
            else:
                width = values.shape[3]
                rows.append(values[image, :, position // width, position % width])
    return torch.stack(rows)


def test_rows_are_those_of_whole_features_at_the_same_positions():
    network, (conv, norm, pool, flat) = line("conv", "norm", "pool", "flatten")
    inputs = images(70)
    layers = [
        Layer(nodes(network, [conv, norm]), Sampling(70, 5)),
        Layer(nodes(network, [pool]), Sampling(70, 1)),
        Layer(nodes(network, [flat]), Sampling(40, 1)),
    ]
    read = []
    found = sampled_features(network, layers, inputs, seed=3, on_read=read.append)
    whole = {}
    for name in (conv, norm, pool, flat):
        from netstitch.networks.module import build_module

        whole[name] = build_module(network.graph, network.weights, outputs=[name])(inputs)[0]
    for name, values, count, images_read, cells in (
        (conv, found[0][0], 5, 70, 16),
        (norm, found[0][1], 5, 70, 16),
        (pool, found[1][0], 1, 70, 1),
        (flat, found[2][0], 1, 40, 1),
    ):
        expected = slow_rows(whole[name], images_read, 3, cells, count)
        torch.testing.assert_close(values, expected)
    assert sum(read) == 70


def test_the_networks_own_module_is_left_alone():
    network, names = line("conv", "sin")
    inputs = images(3)
    before = network(inputs)
    sampled_features(network, [Layer(nodes(network, names), Sampling(3, 2))], inputs, seed=0)
    assert torch.equal(network(inputs), before)


def test_features_that_are_not_finite_name_their_point():
    builder = Builder()
    conv = builder.apply("conv", "x")
    network = builder.network([conv], "broken")
    network.weights["w0"].fill_(float("inf"))
    with pytest.raises(MatchingError, match=f"point '{conv}' of broken gives NaN or infinity"):
        sampled_features(
            network, [Layer(nodes(network, [conv]), Sampling(4, 1))], images(4), seed=0
        )


@given(
    st.integers(1, 2_000),
    st.integers(1, 400),
    st.integers(1, 5_000),
    st.integers(1, 9_000),
    st.integers(1, 10**8),
)
def test_a_sampling_is_there_fits_and_is_enough_where_it_can_be(
    count, cells, channels, rows, budget
):
    found = choose_sampling(count, cells, channels, rows, budget)
    assert 1 <= found.images <= count
    assert 1 <= found.positions <= cells
    assert found.images * found.positions * channels * 4 <= max(budget, 64 * channels * 4)
    if budget >= 4 * channels * (rows + count):
        assert found.images * found.positions >= min(rows, count * cells)
    assert np.isfinite(found.positions)
