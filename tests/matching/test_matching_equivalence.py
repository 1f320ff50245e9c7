from itertools import pairwise

import pytest
import torch
from chain_examples import CELL, MAP, Builder, line, random_networks
from hypothesis import assume, given, settings
from supernet_examples import images, networks

from netstitch.matching import Match, Matching, equivalence_classes
from netstitch.networks.graph import BATCH, INPUT, Graph, Node, Ref
from netstitch.networks.module import build_module
from netstitch.supernet.supernet import Supernet


def names(chains):
    return [tuple(node.name for node in chain) for chain in chains]


def of_line(*kinds):
    """The chains of a line of operations, by kind."""
    network, steps = line(*kinds)
    kind_of = dict(zip(steps, kinds, strict=True))
    return [
        tuple(kind_of[name] for name in chain)
        for chain in names(equivalence_classes(network.graph))
    ]


@pytest.mark.parametrize(
    "kinds, chains",
    [
        (("conv", "norm", "sin"), [("conv", "norm"), ("sin",)]),
        (("conv", "norm", "scale", "plus", "clone"), [("conv", "norm", "scale", "plus", "clone")]),
        (("sin", "pool", "flatten", "shift"), [("sin",), ("pool", "flatten", "shift")]),
        (("pool", "pool", "flatten", "unflatten"), [("pool", "pool", "flatten", "unflatten")]),
        (("conv", "slope", "norm"), [("conv",), ("slope", "norm")]),
        (("conv", "add", "norm"), [("conv",), ("add", "norm")]),
        (("sin", "over", "under", "minus"), [("sin", "over"), ("under", "minus")]),
        (("conv", "conv"), [("conv",), ("conv",)]),
    ],
)
def test_what_is_one_chain(kinds, chains):
    assert of_line(*kinds) == chains


def test_what_somebody_else_reads_does_not_go_on():
    builder = Builder()
    conv = builder.apply("conv", "x")
    norm = builder.apply("norm", conv)
    beside = builder.apply("add", norm, conv)
    graph = builder.network([beside]).graph
    assert names(equivalence_classes(graph)) == [(conv,), (norm,), (beside,)]


def test_two_norms_of_one_tensor_are_two_places():
    builder = Builder()
    conv = builder.apply("conv", "x")
    norms = [builder.apply("norm", conv) for _ in range(2)]
    graph = builder.network(norms).graph
    assert names(equivalence_classes(graph)) == [(conv,), *((norm,) for norm in norms)]


def test_an_output_does_not_go_on():
    builder = Builder()
    conv = builder.apply("conv", "x")
    norm = builder.apply("norm", conv)
    assert names(equivalence_classes(builder.network([conv, norm]).graph)) == [(conv,), (norm,)]


def test_reading_the_size_of_a_tensor_is_not_reading_it():
    builder = Builder()
    pool = builder.apply("pool", "x")
    builder.nodes.append(Node("size", "aten.sym_size.int", (Ref(pool), 0)))
    flat = builder.step("reshape.default", (Ref(pool), (Ref("size"), 3)), (3,))
    assert names(equivalence_classes(builder.network([flat]).graph)) == [(pool, flat)]


@pytest.mark.parametrize(
    "operation, arguments, kwargs",
    [
        ("mul.Tensor", (0.0,), {}),
        ("div.Tensor", (float("inf"),), {}),
        ("add.Tensor", (1.0,), {"alpha": 0}),
        ("div.Tensor", (2.0,), {"rounding_mode": "floor"}),
        ("pow.Tensor_Scalar", (1.0,), {}),
        ("roll.default", ((1,), (1,)), {}),
        ("constant_pad_nd.default", ((1, -1),), {}),
    ],
)
def test_what_cannot_be_undone_or_is_not_understood_is_a_place_of_its_own(
    operation, arguments, kwargs
):
    builder = Builder()
    conv = builder.apply("conv", "x")
    last = builder.step(operation, (Ref(conv), *arguments), MAP, **kwargs)
    assert names(equivalence_classes(builder.network([last]).graph)) == [(conv,), (last,)]


def test_batch_statistics_are_not_affine():
    network, (conv, norm) = line("conv", "norm")
    nodes = list(network.graph.nodes)
    last = nodes[-1]
    training = (*last.args[:5], True, *last.args[6:])
    nodes[-1] = Node(last.name, last.operation, training, shape=last.shape, point=True)
    assert names(equivalence_classes(Graph(tuple(nodes), network.graph.outputs))) == [
        (conv,),
        (norm,),
    ]


def test_positions_that_become_features_are_another_place():
    nodes = (
        Node("x", INPUT, shape=(BATCH, *MAP)),
        Node("u", "aten.sin.default", (Ref("x"),), shape=(BATCH, *MAP), point=True),
        Node("v", "aten.reshape.default", (Ref("u"), (-1, 48)), shape=(BATCH, 48), point=True),
    )
    assert names(equivalence_classes(Graph(nodes, ((None, "v"),)))) == [("u",), ("v",)]


def moves(values):
    """Return whether each channel varies, by more than rounding."""
    channels = values.transpose(0, 1).reshape(values.shape[1], -1)
    return bool((channels.std(1) > 1e-6 * channels.abs().amax(1)).all())


def affine_both_ways(u, v):
    """Return whether each channel is a line of the other's at all positions, both ways."""
    if u.shape[:2] != v.shape[:2] or (u.shape != v.shape and u[0, 0].numel() != v[0, 0].numel()):
        return False
    u, v = (each.transpose(0, 1).reshape(each.shape[1], -1) for each in (u, v))
    u, v = (each - each.mean(1, keepdim=True) for each in (u, v))
    both = (u * v).sum(1) ** 2
    return bool((both > (1 - 1e-9) * (u * u).sum(1) * (v * v).sum(1)).all())


@settings(max_examples=150, deadline=None)
@given(random_networks())
def test_chains_are_what_a_regression_on_random_inputs_finds(network):
    """The slow way: compute everything, and look for lines between what reads and what is read."""
    graph = network.graph
    points = [node.name for node in graph.points]
    weights = {path: tensor.double() for path, tensor in network.weights.items()}
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(32, *MAP, dtype=torch.float64, generator=generator)
    values = dict(zip(points, build_module(graph, weights, outputs=points)(inputs), strict=True))
    # Nothing can be told of channels that do not vary, such as behind an activation that is shut.
    assume(all(moves(value) for value in values.values()))
    output = graph.outputs[0][1]
    expected = set()
    for u in points:
        readers = [node for node in graph.nodes if u in node.inputs]
        if len(readers) == 1 and u != output:
            v = readers[0]
            moving = [name for name in v.inputs if not name.startswith("w")]
            doubled = v.args[:2] == (Ref(u), Ref(u))  # x + x is 2 x, but is not looked into
            if moving == [u] and not doubled and affine_both_ways(values[u], values[v.name]):
                expected.add((u, v.name))
    found = {pair for chain in names(equivalence_classes(graph)) for pair in pairwise(chain)}
    assert found == expected
    assert sorted(name for chain in names(equivalence_classes(graph)) for name in chain) == sorted(
        points
    )


def joined(a, b, *pairs):
    return Supernet([a, b], Matching(tuple(map(Match, pairs)), 1.0, 1.0, "by hand"))


def set_stitches(supernet, a_to_b, b_to_a):
    for stitch, layer in zip(supernet.stitches, supernet.layers, strict=True):
        weight, bias = a_to_b if stitch.source.network == 0 else b_to_a
        layer.weight.copy_(weight.reshape(layer.weight.shape))
        layer.bias.copy_(bias)
    supernet.set_stitches(supernet.stitch_weights())


@torch.no_grad()
def test_no_network_is_lost_up_to_an_affine_map():
    """The same networks come from stitches before the batch norms and from stitches behind them.

    With T the norm of the source and S that of the target, the stitch W between what they read is
    the stitch S W T^-1 between what they give.
    """
    a, b = networks()
    chain_a, chain_b = (names(equivalence_classes(network.graph))[0] for network in (a, b))
    assert len(chain_a) == len(chain_b) == 2
    before = joined(a, b, (chain_a[0], chain_b[0]))
    behind = joined(a, b, (chain_a[1], chain_b[1]))
    maps = []
    for network in (a, b):
        known = [network.weights[f"bn1.{key}"] for key in ("weight", "running_var")]
        scale = known[0] / (known[1] + 1e-5).sqrt()
        shift = network.weights["bn1.bias"] - scale * network.weights["bn1.running_mean"]
        maps.append((scale, shift))
    stitches = []
    for source, target, sizes in ((0, 1, (4, 3)), (1, 0, (3, 4))):
        generator = torch.Generator().manual_seed(source)
        weight = torch.randn(sizes, generator=generator)
        bias = torch.randn(sizes[0], generator=generator)
        (scale, shift), (into, to) = maps[source], maps[target]
        moved = into[:, None] * weight / scale
        stitches.append(((weight, bias), (moved, into * bias + to - moved @ shift)))
    set_stitches(before, stitches[0][0], stitches[1][0])
    set_stitches(behind, stitches[0][1], stitches[1][1])
    assert before.cardinalities == behind.cardinalities == (2, 2, 3)
    for genotype in ([0, 1, 1], [1, 0, 0], [1, 1, 2], [0, 1, 2]):
        torch.testing.assert_close(
            before(images(4), genotype), behind(images(4), genotype), rtol=1e-4, atol=1e-5
        )
        assert before.macs(genotype) == behind.macs(genotype)


def test_a_cell_and_its_flat_features_share_a_chain_across_layouts():
    network, (pool, flat, last) = line("pool", "flatten", "sin")
    assert network.graph.by_name[pool].shape == (BATCH, *CELL)
    assert names(equivalence_classes(network.graph)) == [(pool, flat), (last,)]
