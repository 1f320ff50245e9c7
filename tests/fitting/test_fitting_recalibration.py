"""Batch-norm statistics from one pass, beside measuring one norm after the other."""

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from netstitch.errors import FittingError
from netstitch.fitting import batch_norms, recalibrated, stitched_norms
from netstitch.matching import Match, Matching
from netstitch.networks import Network, capture
from netstitch.networks.graph import Graph
from netstitch.networks.module import build_module
from netstitch.supernet.supernet import Supernet


class Normed(nn.Module):
    """Three batch norms in a row, of images and of features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem, self.first = nn.Conv2d(2, width, 3, padding=1), nn.BatchNorm2d(width)
        self.deep, self.second = nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width)
        self.flat, self.third = nn.Linear(width, 5), nn.BatchNorm1d(5)
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(self.stem(x)).relu()
        x = self.second(self.deep(x)).relu().mean((2, 3))
        return self.head(self.third(self.flat(x)).relu())


class Twice(nn.Module):
    """One batch norm, used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.linear = nn.BatchNorm1d(4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.linear(self.norm(x)))


class Others(nn.Module):
    """Norms that keep no statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.Sequential(nn.LayerNorm(4), nn.GroupNorm(2, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.norms(x)


def captured(model: nn.Module, *shape: int, name: str = "net") -> Network:
    for key, buffer in model.named_buffers():
        if key.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    return capture(model.eval(), torch.randn(2, *shape), name=name)


@cache
def normed(width: int = 4, seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return captured(Normed(width), 2, 4, 4, name=f"net{width}")


def images(count: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(count, 2, 4, 4, generator=torch.Generator().manual_seed(seed)) + 0.5


def norm_after_norm(graph: Graph, weights: dict[str, Tensor], inputs: Tensor) -> dict[str, Tensor]:
    """Exact: a pass over all inputs for each norm, those before it already fixed."""
    new = dict(weights)
    for name, (mean, variance) in batch_norms(graph).items():
        read = graph.by_name[name].inputs[0]
        with torch.no_grad():
            (values,) = build_module(graph, new, outputs=[read])(inputs)
        columns = values.double().movedim(1, 0).flatten(1)
        new[mean] = columns.mean(1).float()
        new[variance] = columns.var(1, correction=0).float()
    return new


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000), width=st.sampled_from([1, 4]))
def test_one_batch_gives_what_one_norm_after_the_other_does(seed: int, width: int) -> None:
    network, inputs = normed(width), images(48, seed)
    norms = batch_norms(network.graph)
    found = recalibrated(network.graph, network.weights, [inputs], norms=norms)
    expected = norm_after_norm(network.graph, network.weights, inputs)
    assert found.keys() == expected.keys()
    for key, value in found.items():
        torch.testing.assert_close(value, expected[key], rtol=1e-4, atol=1e-5)


def test_several_batches_come_close() -> None:
    network, inputs = normed(), images(2048)
    norms = batch_norms(network.graph)
    found = recalibrated(network.graph, network.weights, inputs.split(128), norms=norms)
    expected = norm_after_norm(network.graph, network.weights, inputs)
    for key in ("first.running_mean", "first.running_var"):  # nothing is before the first
        torch.testing.assert_close(found[key], expected[key], rtol=1e-4, atol=1e-5)
    for key in ("second.running_var", "third.running_var"):
        torch.testing.assert_close(found[key], expected[key], rtol=0.1, atol=1e-3)


def test_small_batches_are_joined() -> None:
    network, inputs = normed(), images(65)
    norms = batch_norms(network.graph)
    by_one = recalibrated(network.graph, network.weights, inputs.split(1), norms=norms)
    joined = recalibrated(network.graph, network.weights, inputs.split([32, 33]), norms=norms)
    for key, value in by_one.items():
        torch.testing.assert_close(value, joined[key])


def test_only_the_statistics_are_new_and_share_no_memory() -> None:
    network = normed()
    before = {key: value.clone() for key, value in network.weights.items()}
    norms = batch_norms(network.graph)
    found = recalibrated(network.graph, network.weights, [images(40)], norms=norms)
    statistics = {key for keys in norms.values() for key in keys}
    assert len(statistics) == 6
    for key, value in network.weights.items():
        assert torch.equal(value, before[key])
        assert (found[key].data_ptr() == value.data_ptr()) == (key not in statistics)
    assert not torch.equal(found["third.running_mean"], before["third.running_mean"])


def joined() -> Supernet:
    """Two networks, stitched behind the first convolution of each."""
    a, b = normed(3, 1), normed(4, 2)
    stems = [next(n.name for n in net.graph.points if n.path == "stem") for net in (a, b)]
    return Supernet([a, b], Matching((Match(tuple(stems)),), 1, 1, "by hand"))


def test_norms_without_a_stitch_before_them_stay() -> None:
    supernet = joined()
    for genotype in supernet.references().values():
        graph, weights = supernet.subnetwork_graph(genotype)
        assert stitched_norms(graph) == {}
        unread = recalibrated(graph, weights, iter([torch.zeros(0)]))
        assert all(unread[key] is value for key, value in weights.items())
    switch = next(i for i, s in enumerate(supernet.switches) if s.place.network == 1)
    graph, weights = supernet.subnetwork_graph(supernet.genotype("ensemble", [switch]))
    assert len(batch_norms(graph)) == 6
    changed = {key for keys in stitched_norms(graph).values() for key in keys}
    assert {key.split(".")[0] for key in changed} == {supernet.names[1]}
    found = recalibrated(graph, weights, [images(40)])
    assert {key for key, value in weights.items() if found[key] is not value} == changed


def test_a_norm_used_twice_pools_both_uses() -> None:
    torch.manual_seed(0)
    network = captured(Twice(), 4)
    norms = batch_norms(network.graph)
    assert len(norms) == 2
    assert len(set(norms.values())) == 1
    x = torch.randn(64, 4)
    found = recalibrated(network.graph, network.weights, [x], norms=norms)
    weights = network.weights
    first = (x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt()
    first = first * weights["norm.weight"] + weights["norm.bias"]
    second = first @ weights["linear.weight"].T + weights["linear.bias"]
    both = torch.cat([x, second]).detach()
    torch.testing.assert_close(found["norm.running_mean"], both.mean(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        found["norm.running_var"], both.var(0, correction=0), rtol=1e-4, atol=1e-5
    )


def test_other_norms_are_left_alone() -> None:
    network = captured(Others(), 4)
    assert batch_norms(network.graph) == {}
    found = recalibrated(network.graph, network.weights, [torch.randn(40, 4)], norms={})
    assert all(found[key] is value for key, value in network.weights.items())


@pytest.mark.parametrize(
    "batches, message",
    [
        ([], "hold no samples"),
        ([images(1)], "'third' reads one value for each channel"),
        ([torch.zeros(40, 2, 4, 5)], r"batch 1 has shape .*\(batch, 2, 4, 4\)"),
        ([images(40), images(40) * float("nan")], "batch 2 holds NaN"),
        ([images(40) * 1e30], "'first' reads NaN or infinity on batch 1"),
        ([torch.zeros(40, 2, 4, 4, dtype=torch.uint8)], "batch 1 has dtype uint8"),
    ],
)
def test_bad_input_is_one_line(batches: list[Tensor], message: str) -> None:
    network = normed()
    norms = batch_norms(network.graph)
    with pytest.raises(FittingError, match=message) as error:
        recalibrated(network.graph, network.weights, batches, norms=norms)
    assert "\n" not in str(error.value)
