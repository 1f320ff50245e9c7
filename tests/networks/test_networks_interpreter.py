"""Plans: equal content is computed once, and content that differs never shares a key."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_supernets import CLASSES, SIZE, Small, random_samples, small_supernet

from netstitch.matching import Matching
from netstitch.networks import Graph, Node, capture
from netstitch.networks.graph import INPUT, WEIGHT, Ref
from netstitch.networks.interpreter import (
    INPUT_KEY,
    GraphPlan,
    content_keys,
    execute,
    make_plan,
    peak_bytes,
)
from netstitch.supernet.supernet import Supernet


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return small_supernet()


def graph_of(
    *rows: tuple[str, str, tuple[Any, ...]], shape: tuple[Any, ...] = ("batch", 2)
) -> Graph:
    """A graph from (name, operation, arguments); the last row is the output."""
    nodes = [Node("x", INPUT, shape=shape)]
    nodes += [Node(name, operation, args, shape=shape) for name, operation, args in rows]
    return Graph(tuple(nodes), ((None, rows[-1][0]),))


def output_key(graph: Graph) -> bytes:
    return content_keys(graph)[graph.outputs[0][1]]


def test_names_play_no_part() -> None:
    one = graph_of(("a", "aten.relu.default", (Ref("x"),)))
    other = graph_of(("b", "aten.relu.default", (Ref("x"),)))
    assert output_key(one) == output_key(other)


@pytest.mark.parametrize(
    "one, other",
    [
        ((Ref("x"), 1), (Ref("x"), True)),
        ((Ref("x"), 1), (Ref("x"), 1.0)),
        ((Ref("x"), 0.0), (Ref("x"), -0.0)),
        ((Ref("x"), "1"), (Ref("x"), 1)),
        ((Ref("x"), (1, 2)), (Ref("x"), 1, 2)),
        ((Ref("x"), None), (Ref("x"),)),
        ((Ref("x"), 2), (2, Ref("x"))),
    ],
)
def test_arguments_of_another_value_type_or_order_are_other_content(
    one: tuple[Any, ...], other: tuple[Any, ...]
) -> None:
    keys = [output_key(graph_of(("y", "aten.add.Tensor", args))) for args in (one, other)]
    assert keys[0] != keys[1]


def test_what_is_read_and_the_operation_count() -> None:
    relu = ("a", "aten.relu.default", (Ref("x"),))
    tanh = ("a", "aten.tanh.default", (Ref("x"),))
    after = ("b", "aten.neg.default", (Ref("a"),))
    assert output_key(graph_of(relu, after)) != output_key(graph_of(tanh, after))


def test_weights_are_known_by_their_path() -> None:
    def graph(path: str) -> Graph:
        weight = Node("w", WEIGHT, path=path)
        node = Node("y", "aten.mul.Tensor", (Ref("x"), Ref("w")))
        return Graph((Node("x", INPUT), weight, node), ((None, "y"),))

    assert output_key(graph("a.b")) != output_key(graph("a_b"))
    assert "w" not in content_keys(graph("a.b"))


def test_networks_whose_names_run_together_are_kept_apart() -> None:
    """Node "b_..." of network "a" and node "..." of network "a_b" come to the same name."""
    inner, other = Small(3), Small(3)
    example = torch.zeros(2, 2, SIZE, SIZE)
    networks = [
        capture(Wrapped(inner), example, name="a"),
        capture(other, example, name="a_b"),
    ]
    supernet = Supernet(networks, Matching((), 0, 0, "none"))
    inputs = random_samples(4).inputs
    for name, genotype in supernet.references().items():
        graph, _ = supernet.subnetwork_graph(genotype)
        plan = make_plan([graph], supernet.tensors())
        ((_, key),) = plan.outputs[0]
        assert torch.equal(execute(plan, inputs, {})[key], supernet.subnetwork(genotype)(inputs)), (
            name
        )
    graphs = [supernet.subnetwork_graph(g)[0] for g in supernet.references().values()]
    assert len({output_key(graph) for graph in graphs}) == 3


class Wrapped(torch.nn.Module):
    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.b = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(x)


def genotypes(supernet: Supernet) -> st.SearchStrategy[list[int]]:
    return st.tuples(*(st.integers(0, n - 1) for n in supernet.cardinalities)).map(list)


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_each_content_is_computed_once_and_only_what_is_not_known(
    supernet: Supernet, data: st.DataObject
) -> None:
    asked = data.draw(st.lists(genotypes(supernet), min_size=1, max_size=4))
    graphs = [supernet.subnetwork_graph(genotype)[0] for genotype in asked]
    plan = make_plan(graphs, supernet.tensors())
    keys = [step.key for step in plan.steps]
    assert len(keys) == len(set(keys))
    assert set(keys) == {key for g in graphs for key in content_keys(g).values()} - {INPUT_KEY}
    known = set(data.draw(st.lists(st.sampled_from(keys), max_size=5)))
    rest = make_plan(graphs, supernet.tensors(), known)
    assert not known & {step.key for step in rest.steps}
    assert rest.needed <= known
    batch = random_samples(3).inputs
    everything = execute(plan, batch, {}, kept=keys)
    again = execute(rest, batch, {key: everything[key] for key in rest.needed})
    for pairs in rest.outputs:
        for _, key in pairs:
            assert torch.equal(again[key], everything[key])
            assert everything[key].shape == (3, CLASSES)


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_the_peak_is_what_a_slow_simulation_holds(supernet: Supernet, data: st.DataObject) -> None:
    asked = data.draw(st.lists(genotypes(supernet), min_size=1, max_size=3))
    graphs = [supernet.subnetwork_graph(genotype)[0] for genotype in asked]
    plan = make_plan(graphs, supernet.tensors())
    assert peak_bytes(plan) == max(_held(plan, position) for position in range(len(plan.steps)))


def _held(plan: GraphPlan, position: int) -> int:
    """Bytes of what was made up to a step and is read from there on, or is a result."""
    results = {key for pairs in plan.outputs for _, key in pairs}
    later = {key for step in plan.steps[position:] for key in step.reads}
    made = plan.steps[: position + 1]
    return sum(s.size for s in made if s.key in later | results | {made[-1].key})


def test_an_output_that_is_known_needs_no_step(supernet: Supernet) -> None:
    graph, _ = supernet.subnetwork_graph(supernet.genotype("wide"))
    ((_, key),) = make_plan([graph], supernet.tensors()).outputs[0]
    plan = make_plan([graph], supernet.tensors(), {key})
    assert not plan.steps
    assert plan.needed == {key}
    assert execute(plan, torch.zeros(1), {key: torch.ones(2)})[key].sum() == 2


def test_preprocessing_that_two_networks_share_is_one_step(supernet: Supernet) -> None:
    graph, _ = supernet.subnetwork_graph(supernet.genotype("ensemble"))
    computed = [node for node in graph.nodes if node.operation not in (INPUT, WEIGHT)]
    assert len(make_plan([graph], supernet.tensors()).steps) == len(computed) - 2
