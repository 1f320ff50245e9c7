"""Batch norms as a product and a sum: what is exported where the number of samples is not known.

torch.export guards a batch norm by the size of what it reads, which data decide behind a choice of
samples.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from netstitch.networks.folding import BATCH_NORM, has_statistics, norm_parts
from netstitch.networks.graph import WEIGHT, Graph, Node, Ref
from netstitch.text import numbered


def norms_as_sums(graph: Graph, weights: Mapping[str, Tensor]) -> tuple[Graph, dict[str, Tensor]]:
    """Return graph and weights with a scale and a shift in the place of each batch norm.

    They are computed from its statistics and weights, in double precision. Norms that take the
    statistics of their batch stay as they are.
    """
    new = dict(weights)
    nodes: list[Node] = []
    taken = set(graph.by_name)

    def add(node: Node, name: str) -> Ref:
        name = numbered(name, taken)
        taken.add(name)
        nodes.append(replace(node, name=name))
        return Ref(name)

    for node in graph.nodes:
        if node.operation != BATCH_NORM or not has_statistics(graph, node):
            nodes.append(node)
            continue
        values = []
        for part, value in zip(("scale", "shift"), _parts(graph, weights, node), strict=True):
            shape, dtype, path = tuple(value.shape), node.dtype, f"{node.name}_{part}"
            new[path] = value
            values.append(add(Node("", WEIGHT, shape=shape, dtype=dtype, path=path), path))
        product = replace(node, operation="aten.mul.Tensor", args=(node.args[0], values[0]))
        scaled = add(product, f"{node.name}_scaled")
        nodes.append(replace(node, operation="aten.add.Tensor", args=(scaled, values[1])))
    read = {name for node in nodes for name in node.inputs}
    kept = tuple(node for node in nodes if node.operation != WEIGHT or node.name in read)
    paths = {node.path for node in kept if node.operation == WEIGHT}
    return Graph(kept, graph.outputs), {key: new[key] for key in new if key in paths}


def _parts(graph: Graph, weights: Mapping[str, Tensor], node: Node) -> tuple[Tensor, Tensor]:
    """Return a batch norm's factor and summand, (channels, 1, ...)."""
    scale, mean, shift = norm_parts(graph, weights, node)
    sizes = (-1, *[1] * (len(node.shape or ()) - 2))
    dtype = vars(torch)[str(node.dtype)]
    made = (one.reshape(sizes).to(dtype).contiguous() for one in (scale, shift - mean * scale))
    return next(made), next(made)
