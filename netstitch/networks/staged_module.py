"""Ordinary PyTorch modules, made of a graph of stages: the decisions are part of their code."""

from collections.abc import Callable

import torch
from torch import fx, nn

from netstitch.networks.graph import INPUT, WEIGHT, Graph
from netstitch.networks.module import Weights, add_operation, build_module, register
from netstitch.networks.staged import ANSWER, CONFIDENCE, THRESHOLD, StagedGraph, given

Values = dict[str, fx.Node]
"""The stand-ins for the values of a stage's nodes, by name."""

_aten = torch.ops.aten


def build_staged_module(staged: StagedGraph, weights: Weights) -> fx.GraphModule:
    """Return a module that computes the answers of a network of stages.

    It takes a batch, runs the first stage, picks out the samples that it is unsure of with the
    values that the next one reads, and puts that one's answers in their places. A stage that no
    sample reaches is run for none. The module holds nothing of netstitch.

    Args:
        staged: What to compute.
        weights: By key, THRESHOLD among them; those that are `torch.nn.Parameter` become
            parameters, others buffers. The module holds these very tensors.
    """
    return _Build(staged, weights).result()


def build_any_module(graph: Graph | StagedGraph, weights: Weights) -> fx.GraphModule:
    """Return the module of a graph, of stages or not."""
    if isinstance(graph, StagedGraph):
        return build_staged_module(graph, weights)
    return build_module(graph, weights)


class _Build:
    def __init__(self, staged: StagedGraph, weights: Weights) -> None:
        self.staged, self.weights = staged, weights
        self.root, self.drawn = nn.Module(), fx.Graph()
        self.read: Values = {}  # by the key of a weight

    def result(self) -> fx.GraphModule:
        start = self.drawn.placeholder("x")
        answer = self._stage(0, dict.fromkeys(given(self.staged.stages[0]), start))
        key = self.staged.key
        self.drawn.output(answer if key is None else {key: answer})
        return fx.GraphModule(self.root, self.drawn, class_name="Cascade").eval()

    def _stage(self, index: int, values: Values) -> fx.Node:
        """Add a stage, given its inputs, and all behind it; return the answers."""
        graph = self.staged.stages[index]
        for node in graph.nodes:
            if node.operation == WEIGHT:
                values[node.name] = self._weight(node.path, node.name)
            elif node.operation != INPUT:
                values[node.name] = add_operation(self.drawn, node, values)
        outputs = dict(graph.outputs)
        answer = values[outputs[ANSWER]]
        if index + 1 == len(self.staged.stages):
            return answer
        unsure = self._unsure(index, values[outputs[CONFIDENCE]])
        following = self.staged.stages[index + 1]
        picked = {
            name: self._call(_aten.index_select.default, values[outputs[name]], 0, unsure)
            for name in given(following)
        }
        better = self._stage(index + 1, picked)
        return self._call(_aten.index_copy.default, answer, 0, unsure, better)

    def _unsure(self, index: int, confidence: fx.Node) -> fx.Node:
        """Add the numbers (unsure,) of the samples that go on; NaN is no confidence."""
        thresholds = self._weight(THRESHOLD, THRESHOLD)
        threshold = self._call(_aten.select.int, thresholds, 0, index)
        sure = self._call(_aten.ge.Tensor, confidence, threshold)
        places = self._call(_aten.nonzero.default, self._call(_aten.logical_not.default, sure))
        return self._call(_aten.squeeze.dim, places, 1)

    def _call(self, function: Callable[..., object], *args: object) -> fx.Node:
        return self.drawn.call_function(function, args)  # type: ignore[arg-type]

    def _weight(self, key: str, name: str) -> fx.Node:
        if key not in self.read:
            register(self.root, key, self.weights[key])
            self.read[key] = self.drawn.create_node("get_attr", key, name=name)
        return self.read[key]
