"""Graphs are run node by node; several as one compute each content once."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_supernets import CLASSES, SIZE, Small, random_samples, small_supernet

from netstitch.matching import Matching
from netstitch.networks import Graph, Node, capture
from netstitch.networks.content import INPUT_KEY, content_keys, sample_bytes, united
from netstitch.networks.graph import INPUT, WEIGHT, Ref
from netstitch.networks.interpreter import Interpreter, make_interpreter
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


def output_key(graph: Graph) -> str:
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
        interpreter = make_interpreter(united([graph]), supernet.tensors())
        (output,) = interpreter.compute(inputs).values()
        assert torch.equal(output, supernet.subnetwork(genotype)(inputs)), name
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
    graph = united(graphs)
    keys = computed(graph)
    assert len(keys) == len(set(keys))
    assert set(keys) == {key for g in graphs for key in content_keys(g).values()} - {INPUT_KEY}
    known = set(data.draw(st.lists(st.sampled_from(keys), max_size=5)))
    rest = united(graphs, known)
    assert not known & set(computed(rest))
    assert {node.name for node in rest.nodes if node.operation == INPUT} <= known | {INPUT_KEY}
    batch = random_samples(3).inputs
    everything = make_interpreter(graph, supernet.tensors()).keeping(keys).compute(batch)
    assert everything.keys() == set(keys)
    again = make_interpreter(rest, supernet.tensors()).compute(batch, everything)
    assert again.keys() == {key for _, key in graph.outputs}
    for key, value in again.items():
        assert torch.equal(value, everything[key])
        assert value.shape == (3, CLASSES)


def computed(graph: Graph) -> list[str]:
    return [node.name for node in graph.nodes if node.operation not in (INPUT, WEIGHT)]


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_the_peak_is_what_a_slow_simulation_holds(supernet: Supernet, data: st.DataObject) -> None:
    asked = data.draw(st.lists(genotypes(supernet), min_size=1, max_size=3))
    graphs = [supernet.subnetwork_graph(genotype)[0] for genotype in asked]
    graph = united(graphs)
    steps = [node for node in graph.nodes if node.operation not in (INPUT, WEIGHT)]
    peak = make_interpreter(graph, supernet.tensors()).peak
    assert peak == max(_held(graph, steps, position) for position in range(len(steps)))


def _held(graph: Graph, steps: list[Node], position: int) -> int:
    """Bytes of what was made up to a step and is read from there on, or is a result."""
    later = {name for node in steps[position:] for name in node.inputs}
    held = later | {name for _, name in graph.outputs} | {steps[position].name}
    return sum(sample_bytes(node) for node in steps[: position + 1] if node.name in held)


def test_an_output_that_is_known_needs_no_step(supernet: Supernet) -> None:
    graph, _ = supernet.subnetwork_graph(supernet.genotype("wide"))
    key = output_key(graph)
    rest = united([graph], {key})
    assert [node.name for node in rest.nodes] == [key]
    interpreter = make_interpreter(rest, {})
    assert interpreter.compute(torch.zeros(1), {key: torch.ones(2)})[key].sum() == 2


def test_preprocessing_that_two_networks_share_is_one_step(supernet: Supernet) -> None:
    graph, _ = supernet.subnetwork_graph(supernet.genotype("ensemble"))
    assert len(computed(united([graph]))) == len(computed(graph)) - 2


def test_values_are_freed_after_their_last_use_unless_they_are_results() -> None:
    rows = [
        ("a", "aten.relu.default", (Ref("x"),)),
        ("unread", "aten.neg.default", (Ref("x"),)),
        ("b", "aten.add.Tensor", (Ref("a"), Ref("x"))),
        ("c", "aten.add.Tensor", (Ref("b"), Ref("a"))),
    ]
    interpreter = make_interpreter(graph_of(*rows), {})
    assert freed(interpreter) == [set(), {"unread"}, {"x"}, {"a", "b"}]
    assert freed(interpreter.keeping({"a"})) == [set(), {"unread"}, {"x"}, {"b"}]
    x = torch.tensor([[-1.0, 2.0]])
    assert [value.tolist() for value in interpreter.keeping({"a"}).run([x])] == [
        [[-1.0, 6.0]], [[0.0, 2.0]],
    ]  # fmt: skip


def freed(interpreter: Interpreter) -> list[set[str]]:
    return [{interpreter.names[r] for r in one.frees} for one in interpreter.instructions]


def test_another_function_takes_the_place_of_a_nodes_own() -> None:
    graph = graph_of(
        ("a", "aten.relu.default", (Ref("x"),)), ("b", "aten.neg.default", (Ref("a"),))
    )
    interpreter = make_interpreter(graph, {}, functions={"a": lambda value: value + 1})
    assert interpreter.run([torch.tensor([1.0])])[0].item() == -2


def test_memory_that_is_not_aligned_is_refused() -> None:
    odd = torch.zeros(9)[1:]
    weight = Node("w", WEIGHT, path="w")
    graph = Graph((weight, Node("y", "aten.neg.default", (Ref("w"),))), ((None, "y"),))
    with pytest.raises(AssertionError, match="weights: a tensor of shape"):
        make_interpreter(graph, {"w": odd})
    relu = united([graph_of(("y", "aten.relu.default", (Ref("x"),)))])
    with pytest.raises(AssertionError, match="batch: a tensor of shape"):
        make_interpreter(relu, {}).compute(odd)
