import torch
from torch import nn

from netstitch.networks import Network, capture
from netstitch.networks.graph import INPUT, Graph
from netstitch.networks.staged import ANSWER, CONFIDENCE, given, split


class Turned(nn.Module):
    """Tokens first and samples second in the middle, and a mean over tokens at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x):
        y = self.first(x).relu().transpose(0, 1).tanh()  # (5, n, 6)
        return self.second(y).mean(0).reshape(x.shape[0], -1)


def turned() -> Network:
    torch.manual_seed(0)
    return capture(Turned(), torch.randn(2, 5, 4), name="turned")


def names(graph: Graph) -> list[str]:
    return [node.name for node in graph.nodes]


def test_what_has_no_samples_first_is_computed_again():
    graph = turned().graph
    tanh = next(n.name for n in graph.nodes if "tanh" in n.name)
    relu = next(n.name for n in graph.nodes if "relu" in n.name)
    last = graph.outputs[0][1]
    first, second = split(graph.nodes, [(tanh, relu), (last, None)], None).stages
    assert given(first) == (graph.input.name,)
    assert given(second) == (relu,)  # its transposed form cannot be picked out by sample
    assert tanh in names(first)
    assert tanh in names(second)
    assert dict(first.outputs) == {ANSWER: tanh, CONFIDENCE: relu, relu: relu}


def test_sizes_of_the_batch_are_those_of_what_is_read():
    graph = turned().graph
    size = next(n for n in graph.nodes if n.operation == "aten.sym_size.int")
    assert size.inputs == (graph.input.name,)
    relu = next(n.name for n in graph.nodes if "relu" in n.name)
    staged = split(graph.nodes, [(relu, relu), (graph.outputs[0][1], None)], None)
    (read,) = (n for n in staged.stages[1].nodes if n.operation == size.operation)
    assert read.inputs == (relu,)
    assert [n.name for n in staged.nodes if n.operation == INPUT] == [graph.input.name]
