"""Batch norms folded into the convolution or linear layer before them.

With fixed statistics, a norm is a scale and a shift of each channel: equal up to rounding.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from netstitch.networks.content import renamed
from netstitch.networks.graph import WEIGHT, Argument, Graph, Node, Ref
from netstitch.networks.keys import Keys

BATCH_NORM = "aten.batch_norm.default"

LAYERS = {
    "aten.linear.default": 2,
    "aten.conv1d.default": 3,
    "aten.conv1d.padding": 3,
    "aten.conv2d.default": 4,
    "aten.conv2d.padding": 4,
    "aten.conv3d.default": 5,
    "aten.conv3d.padding": 5,
}
"""Layers that may carry a norm, and the dimensions of outputs whose axis 1 is that of channels."""


def fold(graph: Graph, weights: Mapping[str, Tensor]) -> tuple[Graph, dict[str, Tensor]]:
    """Return graph and weights without the batch norms that the layer before them can carry.

    That is so where nothing else reads the layer's output or its weights. Stitches carry norms
    too. Weights that changed are new tensors, in their own type and device.
    """
    weights = dict(weights)
    norms = [node.name for node in graph.nodes if node.operation == BATCH_NORM]
    for name in norms:
        layer = carrier(graph, graph.by_name[name])
        if layer is not None:
            graph, weights = _fold(graph, weights, layer, graph.by_name[name])
    used = {node.path for node in graph.nodes if node.operation == WEIGHT}
    return graph, {key: tensor for key, tensor in weights.items() if key in used}


def carrier(graph: Graph, norm: Node) -> Node | None:
    """Return the layer that can carry a norm, or None."""
    read = norm.args[0]
    if not isinstance(read, Ref) or not has_statistics(graph, norm):
        return None
    layer = graph.by_name[read.name]
    if LAYERS.get(layer.operation) != len(norm.shape or ()) or layer.kwargs:
        return None
    own = [argument for argument in layer.args[1:3] if argument is not None]
    if not all(_weight(graph, item) for item in own):
        return None
    names = [layer.name, *(item.name for item in own if isinstance(item, Ref))]
    paths = {graph.by_name[name].path for name in names[1:]}
    names += [n.name for n in graph.nodes if n.operation == WEIGHT and n.path in paths]
    results = {name for _, name in graph.outputs}
    readers = {node.name for node in graph.nodes if not set(names).isdisjoint(node.inputs)}
    alone = readers == {layer.name, norm.name} and results.isdisjoint(names)
    return layer if alone else None


def has_statistics(graph: Graph, norm: Node) -> bool:
    """Return whether a batch norm uses stored statistics and parameters, in evaluation mode."""
    parameters = norm.args[1:5]
    if norm.args[5] is not False or not all(parameters[2:]):
        return False
    return all(_weight(graph, item) for item in parameters if item is not None)


def norm_parts(
    graph: Graph, weights: Mapping[str, Tensor], norm: Node
) -> tuple[Tensor, Tensor, Tensor]:
    """Return a norm's scale, mean and shift, (channels,) float64, or () where a part is left out.

    It gives (x - mean) scale + shift.
    """

    def tensor(argument: Argument, default: float) -> Tensor:
        if not isinstance(argument, Ref):
            return torch.full((), default, dtype=torch.float64)
        return weights[graph.by_name[argument.name].path].detach().double()

    _, gain, shift, mean, variance = norm.args[:5]
    epsilon = norm.args[7]
    assert isinstance(epsilon, float)
    scale = tensor(gain, 1) / torch.sqrt(tensor(variance, 1) + epsilon)
    return scale, tensor(mean, 0), tensor(shift, 0)


def _weight(graph: Graph, argument: Argument) -> bool:
    return isinstance(argument, Ref) and graph.by_name[argument.name].operation == WEIGHT


def _fold(
    graph: Graph, weights: dict[str, Tensor], layer: Node, norm: Node
) -> tuple[Graph, dict[str, Tensor]]:
    def read(argument: Argument) -> Node | None:
        return graph.by_name[argument.name] if isinstance(argument, Ref) else None

    weight_node = read(layer.args[1])
    assert weight_node is not None
    bias = layer.args[2] if len(layer.args) > 2 else None
    bias_node = read(bias) or _new_bias(graph, weight_node)
    scale, mean, shift = norm_parts(graph, weights, norm)
    old = weights[weight_node.path]
    # Outputs are axis 0 of the weights of all these layers, groups or not.
    weight = old.detach().double() * scale.view(-1, *[1] * (old.dim() - 1))
    before = weights[bias_node.path].detach().double() if isinstance(bias, Ref) else 0.0
    offset = (before - mean) * scale + shift
    new = weights | {
        weight_node.path: _like(old, weight),
        bias_node.path: _like(old, offset),
    }
    args = (*layer.args[:2], Ref(bias_node.name), *layer.args[3:])
    names = {node.name: node.name for node in graph.nodes} | {norm.name: layer.name}
    nodes: list[Node] = []
    for node in graph.nodes:
        if node is layer:
            nodes += [] if isinstance(bias, Ref) else [bias_node]
            nodes.append(replace(layer, args=args))
        elif node is not norm:
            nodes.append(renamed(node, node.name, names))
    outputs = tuple((key, names[name]) for key, name in graph.outputs)
    kept = {name for node in nodes for name in node.inputs}
    nodes = [node for node in nodes if node.operation != WEIGHT or node.name in kept]
    return Graph(tuple(nodes), outputs), new


def _new_bias(graph: Graph, weight: Node) -> Node:
    """Return a node for the bias of a layer that has none, beside its weight."""
    keys = Keys()
    for path in {node.path for node in graph.nodes if node.operation == WEIGHT}:
        keys.add(path)
    stem, _, _ = weight.path.rpartition(".")
    path = keys.make(f"{stem}.bias" if stem else "bias")
    name = f"{weight.name}_bias"
    while name in graph.by_name:
        name += "_"
    size = (weight.shape or ())[:1]
    return Node(name, WEIGHT, shape=size, dtype=weight.dtype, path=path)


def _like(old: Tensor, values: Tensor) -> Tensor:
    made = values.to(old.dtype).contiguous()
    return nn.Parameter(made) if isinstance(old, nn.Parameter) else made
