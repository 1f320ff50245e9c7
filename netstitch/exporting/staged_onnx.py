"""One ONNX model of a cascade: its stages, each exported by itself, and the decisions between them.

Later stages stand in the branch of an `If` that is taken where any sample goes on: no engine meets
an empty batch, and a stage that no sample reaches costs nothing. What a branch alone reads stands
in it, since ONNX Runtime joins layers there that it does not join across.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from netstitch.networks.graph import Graph
from netstitch.networks.module import build_module
from netstitch.networks.staged import ANSWER, CONFIDENCE, THRESHOLD, StagedGraph, given
from netstitch.threads import quiet

if TYPE_CHECKING:
    import onnx

Translate = Callable[
    [torch.export.ExportedProgram, tuple[Tensor, ...], list[str], list[str]], "onnx.ModelProto"
]
"""Returns the model of a program that was traced with inputs, by names of inputs and outputs."""


def staged_model(
    staged: StagedGraph,
    weights: Mapping[str, Tensor],
    example: Tensor,
    translate: Translate,
    names: tuple[str, str],
) -> "onnx.ModelProto":
    """Return the model of a cascade; its thresholds are an input with an initial value.

    Args:
        staged: The cascade's graph.
        weights: By key; initializers are named by it.
        example: Inputs (n, ...) that stages are traced with.
        translate: Makes the model of a stage.
        names: Those of the input and of the output.
    """
    from onnx import TensorProto, helper, numpy_helper

    [start] = given(staged.stages[0])
    models = stage_models(staged, weights, example, translate)
    first = models[0]
    joined = _StagedModel(staged, models, weights)
    whole = joined.level(0, {start: names[0]}, names[1])
    answer = joined.made(0, staged.ends[0][0])
    thresholds = weights[THRESHOLD].cpu().numpy()
    inputs = [
        _named(first.graph.input[0], names[0]),
        helper.make_tensor_value_info(THRESHOLD, TensorProto.FLOAT, thresholds.shape),
    ]
    initial = [numpy_helper.from_array(thresholds, THRESHOLD), *whole.initializers]
    outputs = [_named(answer, names[1])]
    graph = helper.make_graph(whole.nodes, "cascade", inputs, outputs, initial)
    opsets = list(first.opset_import)
    return helper.make_model(graph, opset_imports=opsets, ir_version=first.ir_version)


def stage_models(
    staged: StagedGraph, weights: Mapping[str, Tensor], example: Tensor, translate: Translate
) -> "list[onnx.ModelProto]":
    """Return the model of each stage, whose inputs are those of its graph, in their order.

    Its outputs are in the order of `wanted`.
    """
    [start] = given(staged.stages[0])
    values, models = {start: example}, []
    for graph in staged.stages:
        model, values = _stage_model(graph, weights, values, translate)
        models.append(model)
    return models


def _named(value: "onnx.ValueInfoProto", name: str) -> "onnx.ValueInfoProto":
    import onnx

    copy = onnx.ValueInfoProto()
    copy.CopyFrom(value)
    copy.name = name
    return copy


def wanted(graph: Graph) -> list[str]:
    """Return the nodes whose values a stage's model puts out: each once, and none of its inputs."""
    inputs = set(given(graph))
    return list(dict.fromkeys(name for _, name in graph.outputs if name not in inputs))


def _stage_model(
    graph: Graph, weights: Mapping[str, Tensor], values: Mapping[str, Tensor], translate: Translate
) -> tuple["onnx.ModelProto", dict[str, Tensor]]:
    """Return the model of a stage, with outputs in the order of `wanted`, and all values by node.

    The values given are those of its inputs.
    """
    inputs, ends = given(graph), wanted(graph)
    example = tuple(values[name] for name in inputs)
    module = build_module(graph, weights, outputs=ends)
    batch = torch.export.Dim("batch")
    with quiet(), torch.no_grad():
        found = dict(zip(ends, module(*example), strict=True))
        shapes = tuple({0: batch} for _ in inputs)
        program = torch.export.export(module, example, dynamic_shapes=shapes)
    names = [f"given_{index}" for index in range(len(inputs))]
    outputs = [f"made_{index}" for index in range(len(ends))]
    return translate(program, example, names, outputs), {**values, **found}


@dataclass
class _Level:
    """The part that stands in the main graph or in a branch, inside of no other."""

    nodes: "list[onnx.NodeProto]" = field(default_factory=list)
    initializers: "list[onnx.TensorProto]" = field(default_factory=list)

    def add(self, operation: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node with one output, and return that one's name."""
        from onnx import helper

        self.nodes.append(helper.make_node(operation, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: int | list[int]) -> str:
        """Add whole numbers, and return their name."""
        from onnx import numpy_helper

        self.initializers.append(numpy_helper.from_array(np.array(value, np.int64), name))
        return name


class _StagedModel:
    """The models of stages as one, under names that are there once, with the decisions between."""

    def __init__(
        self,
        staged: StagedGraph,
        models: "Sequence[onnx.ModelProto]",
        weights: Mapping[str, Tensor],
    ) -> None:
        self.staged, self.models, self.weights = staged, models, weights
        self.placed: dict[str, bytes] = {}  # initializers of all levels so far

    def made(self, index: int, node: str) -> "onnx.ValueInfoProto":
        """Return the output of a stage's model that is a node's value."""
        at = wanted(self.staged.stages[index]).index(node)
        found: onnx.ValueInfoProto = self.models[index].graph.output[at]
        return found

    def level(self, index: int, values: Mapping[str, str], answers: str) -> _Level:
        """Return a stage and those behind it.

        Args:
            index: Of the stage.
            values: The names of its inputs' values, by node.
            answers: The name that its samples' answers get.
        """
        level = _Level()
        known = self._add_stage(level, index, values)
        outputs = dict(self.staged.stages[index].outputs)
        answer = known[outputs[ANSWER]]
        if index + 1 == len(self.staged.stages):
            level.add("Identity", [answer], answers)
            return level
        name = f"decision_{index + 1}/".__add__
        at, none = level.constant(name("stage"), index), level.constant(name("none"), 0)
        threshold = level.add("Gather", [THRESHOLD, at], name("threshold"), axis=0)
        confidence = known[outputs[CONFIDENCE]]
        sure = level.add("GreaterOrEqual", [confidence, threshold], name("sure"))
        unsure = level.add("Not", [sure], name("unsure"))
        places = level.add("NonZero", [unsure], name("places"))  # (1, samples)
        count = level.add("Size", [places], name("count"))
        level.add("Greater", [count, none], name("any"))
        handed = {node: known[outputs[node]] for node in given(self.staged.stages[index + 1])}
        branches = {
            "then_branch": self._branch(index, handed, answer),
            "else_branch": self._stop(index, answer),
        }
        level.add("If", [name("any")], answers, **branches)
        return level

    def _branch(self, index: int, handed: Mapping[str, str], answer: str) -> "onnx.GraphProto":
        """Return the graph for samples that go on: the next stages, whose answers are taken."""
        name = f"decision_{index + 1}/".__add__
        start = _Level()
        axes, last = start.constant(name("axes"), [0]), start.constant(name("last"), [-1])
        samples = start.add("Squeeze", [name("places"), axes], name("samples"))
        picked = {
            node: start.add("Gather", [value, samples], name(f"picked_{number}"), axis=0)
            for number, (node, value) in enumerate(handed.items())
        }
        level = self.level(index + 1, picked, name("better"))
        rows = level.add("Unsqueeze", [samples, last], name("rows"))
        level.add("ScatterND", [answer, rows, name("better")], name("answer"))
        level.nodes[:0] = start.nodes
        level.initializers += start.initializers
        return self._graph(index, level, name("answer"))

    def _stop(self, index: int, answer: str) -> "onnx.GraphProto":
        """Return the graph for the case that no sample goes on."""
        level, name = _Level(), f"decision_{index + 1}/kept"
        level.add("Identity", [answer], name)
        return self._graph(index, level, name)

    def _graph(self, index: int, level: _Level, output: str) -> "onnx.GraphProto":
        from onnx import helper

        node, _ = self.staged.ends[index]
        kind = self.made(index, node).type.tensor_type.elem_type
        outputs = [helper.make_tensor_value_info(output, kind, None)]
        label = output.replace("/", "_")
        return helper.make_graph(level.nodes, label, [], outputs, level.initializers)

    def _add_stage(self, level: _Level, index: int, values: Mapping[str, str]) -> dict[str, str]:
        """Add the nodes of a stage's model, and weights that are nowhere yet.

        Weights keep their keys. The names of the values of its inputs and outputs are returned, by
        node.
        """
        graph, model = self.staged.stages[index], self.models[index].graph
        prefix = f"stage_{index + 1}/"
        inputs = zip(model.input, given(graph), strict=True)
        names = {value.name: values[node] for value, node in inputs}
        for tensor in model.initializer:
            name, content = tensor.name, tensor.SerializeToString()
            if name not in self.weights or self.placed.get(name, content) != content:
                name = prefix + name
            names[tensor.name] = name
            if name not in self.placed:
                self.placed[name] = content
                level.initializers.append(_renamed_tensor(tensor, name))
        level.nodes += [_renamed_node(node, names, prefix) for node in model.node]
        made = zip(model.output, wanted(graph), strict=True)
        return {**values, **{node: names[value.name] for value, node in made}}


def _renamed_tensor(tensor: "onnx.TensorProto", name: str) -> "onnx.TensorProto":
    import onnx

    copy = onnx.TensorProto()
    copy.CopyFrom(tensor)
    copy.name = name
    return copy


def _renamed_node(node: "onnx.NodeProto", names: dict[str, str], prefix: str) -> "onnx.NodeProto":
    """Return a node that reads values under their new names; what it makes gets some too."""
    import onnx

    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.name = prefix + node.name
    for index, name in enumerate(node.input):
        copy.input[index] = names.get(name, name)
    for index, name in enumerate(node.output):
        if name:
            copy.output[index] = names[name] = prefix + name
    for attribute in copy.attribute:
        graph = attribute.g
        if attribute.HasField("g"):
            inner = [_renamed_node(each, names, prefix) for each in graph.node]
            del graph.node[:]
            graph.node.extend(inner)
            for value in graph.output:
                value.name = names.get(value.name, value.name)
    return copy
