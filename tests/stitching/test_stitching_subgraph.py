"""A genotype's subnetwork equals a slow, literal interpreter of the definition."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stitching_examples import (
    Interpreter,
    images,
    matching_of,
    random_genotype,
    random_matching,
    random_network,
    seeds,
)

from netstitch.networks.graph import Graph, rename
from netstitch.networks.network import Network
from netstitch.stitching import Averaging, make_subgraph
from netstitch.supernet.supernet import Supernet


def supernet(seed: int, count: int = 2, heads: Any = (None,), **settings: Any) -> Supernet:
    networks = [random_network(seed + i, name, heads=heads) for i, name in enumerate("abc"[:count])]
    torch.manual_seed(seed % 2**31)
    return Supernet(networks, random_matching(networks, seed), **settings)


def interpreted(s: Supernet, genotype: Any, inputs: torch.Tensor) -> dict[Any, torch.Tensor]:
    networks = [network for network in s.networks if isinstance(network, Network)]
    walk = Interpreter(networks, s.board, list(s.layers), list(genotype), inputs)
    with torch.no_grad():
        return walk.outputs(s.averaging)


def check(s: Supernet, genotype: Any) -> None:
    inputs = images(3)
    with torch.no_grad():
        found = s.subnetwork(genotype)(inputs)
    found = found if isinstance(found, dict) else {None: found}
    expected = interpreted(s, genotype, inputs)
    assert found.keys() == expected.keys()
    for key in expected:
        torch.testing.assert_close(found[key], expected[key], rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(seeds, st.sampled_from([2, 3]), seeds)
def test_any_genotype(seed: int, count: int, number: int) -> None:
    s = supernet(seed, count)
    check(s, random_genotype(s.cardinalities, number))


@settings(deadline=None, max_examples=20)
@given(seeds, seeds)
def test_dictionaries_of_outputs(seed: int, number: int) -> None:
    s = supernet(seed, heads=("out", "aux"))
    check(s, random_genotype(s.cardinalities, number))


@settings(deadline=None, max_examples=20)
@given(seeds, seeds, st.tuples(*[st.floats(0.1, 5)] * 3))
def test_averages_of_probabilities_and_weights(
    seed: int, number: int, weights: tuple[float, ...]
) -> None:
    for rule in ("logits", "probabilities"):
        s = supernet(seed, 3, averaging=Averaging(rule, weights), outputs=[[0, 2], [2, 1, 0]])
        check(s, random_genotype(s.cardinalities, number))


@settings(deadline=None, max_examples=40)
@given(seeds, st.sampled_from([2, 3]), seeds, seeds)
def test_equal_signatures_give_equal_outputs(seed: int, count: int, one: int, two: int) -> None:
    s = supernet(seed, count)
    first = random_genotype(s.cardinalities, one)
    second = np.where(s.active(first), first, random_genotype(s.cardinalities, two))
    assert s.signature(first) == s.signature(second)
    assert s.subnetwork_graph(first)[0] == s.subnetwork_graph(second)[0]
    assert torch.equal(s.subnetwork(first)(images()), s.subnetwork(second)(images()))


@settings(deadline=None, max_examples=40)
@given(seeds, st.sampled_from([2, 3]), seeds)
def test_the_graph_costs_what_is_said_without_it(seed: int, count: int, number: int) -> None:
    s = supernet(seed, count)
    genotype = random_genotype(s.cardinalities, number)
    graph, weights = s.subnetwork_graph(genotype)
    assert graph.multiply_adds == s.macs(genotype)
    assert len({node.name for node in graph.nodes}) == len(graph.nodes)
    assert {node.path for node in graph.nodes if node.operation == "weight"} == set(weights)
    keys = [key for key in weights if key.startswith("stitches.") and key.endswith(".weight")]
    assert len(keys) == len(s.active_stitches(genotype))


@settings(deadline=None, max_examples=30)
@given(seeds, st.sampled_from([2, 3]), st.lists(seeds, min_size=2, max_size=5))
def test_nodes_kept_from_earlier_genotypes_change_nothing(
    seed: int, count: int, numbers: list[int]
) -> None:
    s = supernet(seed, count)
    for number in numbers:
        genotype = random_genotype(s.cardinalities, number)
        kept, _ = s.subnetwork_graph(genotype)
        assert kept == make_subgraph(s.structure, s.averaging, genotype)


def test_names_tell_where_things_come_from() -> None:
    networks = [random_network(1, "one"), random_network(2, "two")]
    s = Supernet(networks, matching_of(("pool", "pool")))
    graph, weights = s.subnetwork_graph([1, 0, 0])
    assert graph.outputs == ((None, "one_head"),)
    assert graph.by_name["one_head"].args[0].name == "stitch_000_two_to_one"  # type: ignore[union-attr]
    assert "stitches.000.two_to_one.weight" in weights
    assert "one.head.weight" in weights
    assert "two.head.weight" not in weights


def test_networks_whose_names_run_into_each_other() -> None:
    one, two = random_network(1, "a"), random_network(1, "a_b")
    nodes = [replace(node, name=f"b_{node.name}") for node in one.graph.nodes]
    names = {node.name: f"b_{node.name}" for node in one.graph.nodes}
    renamed = [
        replace(node, args=tuple(rename(argument, names) for argument in node.args))
        for node in nodes
    ]
    outputs = tuple((key, names[name]) for key, name in one.graph.outputs)
    first = Network("a", Graph(tuple(renamed), outputs), one.weights)
    assert f"a_{renamed[-1].name}" == f"a_b_{two.graph.nodes[-1].name}"  # the trap
    with torch.no_grad():
        two.weights["head.weight"].neg_()  # the same network but for its sign
    s = Supernet([first, two], matching_of(("b_s2", "s2")))
    for genotype in ([0, 0, 2], [1, 0, 2], [0, 1, 1], [1, 1, 0]):
        check(s, genotype)


@pytest.mark.parametrize("rule", ["logits", "probabilities"])
def test_unlikely_classes_stay_finite(rule: Any) -> None:
    networks = [random_network(seed, "n") for seed in (1, 2)]
    for network in networks:
        network.weights["head.weight"].mul_(1e4)
    s = Supernet(networks, matching_of(), averaging=Averaging(rule))
    assert torch.isfinite(s(images())).all()


def test_shares_add_up_to_one() -> None:
    assert Averaging().shares([0, 2]) == (0.5, 0.5)
    assert Averaging(weights=(1.0, 2.0, 3.0)).shares([0, 2]) == (0.25, 0.75)
