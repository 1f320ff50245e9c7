"""Units in the fused form: fewer operations, equal up to rounding.

Batch norms go into the layer before them, within a unit and from one unit to the next: where a
norm alone reads a layer's value in a genotype, the layer's unit carries the norm and the norm's
unit leaves it out. What depends on weights alone is computed once. Activations and sums overwrite
what they read (see `overwriting.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from netstitch.evaluation.runtime.fragments import Fragment, Fragments, content
from netstitch.evaluation.runtime.instructions import Prepared, prepare
from netstitch.networks.folding import BATCH_NORM, carrier, fold
from netstitch.networks.graph import INPUT, WEIGHT, Graph, Node, Ref, rename
from netstitch.networks.module import Weights, to_torch
from netstitch.networks.operations import resolve

MOST_SLOTS = 62
"""Norms that a unit leaves out are bits of an integer; what it reads beyond keeps its norm."""


@dataclass(frozen=True)
class Norm:
    """A batch norm that is the only node of its unit to read one of the unit's slots.

    unit, slot: where it stands. graph: the norm alone, from one slot. digest: its content.
    """

    unit: int
    slot: int
    graph: Graph
    digest: bytes


def find_norms(units: Fragments) -> dict[tuple[int, int], Norm]:
    """All norms that a layer in another unit might carry, by unit and slot."""
    found = {}
    for index, unit in enumerate(units.units):
        for slot, node in enumerate(unit.slots[:MOST_SLOTS]):
            readers = [other for other in unit.graph.nodes if node.name in other.inputs]
            if len(readers) == 1 and _is_norm_of(readers[0], node.name):
                graph = _alone(unit.graph, readers[0], node)
                found[index, slot] = Norm(index, slot, graph, content(Fragment(graph, (0,))))
    return found


def can_carry(unit: Fragment, norm: Norm) -> bool:
    """Whether a unit's root is a layer that could carry a norm."""
    joined = _followed(unit.graph, norm)
    return carrier(joined, joined.by_name[joined.outputs[0][1]]) is not None


def is_only(unit: Fragment, norm: Norm) -> bool:
    """Whether a unit is nothing but a norm."""
    name = unit.slots[norm.slot].name
    return len(unit.slots) == 1 and _is_norm_of(unit.root, name)


def fused(
    unit: Fragment, weights: Weights, left_out: Sequence[Norm], carried: Norm | None
) -> Prepared:
    """A unit without the norms that others carry, and with the one that it carries.

    weights: of the supernet, by key, laid out as they are to be used.
    """
    graph = unit.graph
    for norm in left_out:
        graph = _without(graph, unit.slots[norm.slot].name)
    if carried is not None:
        graph = _followed(graph, carried)
    own = {node.path: weights[node.path] for node in graph.nodes if node.operation == WEIGHT}
    graph, own = _baked(graph, own)
    folded, made = fold(graph, own)
    assert carried is None or folded.by_name[folded.outputs[0][1]].operation != BATCH_NORM
    laid_out = {path: _like(tensor, own.get(path)) for path, tensor in made.items()}
    return prepare(folded, laid_out, overwriting=True)


def _is_norm_of(node: Node, name: str) -> bool:
    """Whether a node is a norm of a value by fixed statistics, and reads it but once."""
    return (
        node.operation == BATCH_NORM
        and node.args[0] == Ref(name)
        and Ref(name) not in node.args[1:]
        and node.args[5] is False
    )


def _alone(graph: Graph, norm: Node, slot: Node) -> Graph:
    weights = [graph.by_name[name] for name in norm.inputs if name != slot.name]
    return Graph((slot, *weights, norm), ((None, norm.name),))


def _followed(graph: Graph, norm: Norm) -> Graph:
    """A unit's graph with a norm behind its root."""
    names = {node.name: f"carried_{node.name}" for node in norm.graph.nodes}
    slot = next(node for node in norm.graph.nodes if node.operation == INPUT)
    names[slot.name] = graph.outputs[0][1]
    added = [
        replace(
            node,
            name=names[node.name],
            args=tuple(rename(argument, names) for argument in node.args),
        )
        for node in norm.graph.nodes
        if node is not slot
    ]
    return Graph((*graph.nodes, *added), ((None, added[-1].name),))


def _without(graph: Graph, slot: str) -> Graph:
    """A unit's graph whose slot stands for the value of the norm that read it."""
    norm = next(node for node in graph.nodes if _is_norm_of(node, slot))
    return _replaced(graph, {norm.name: slot})


def _replaced(graph: Graph, names: Mapping[str, str]) -> Graph:
    """The graph with other nodes read in the place of some, and without what nothing reads."""
    kept = {node.name: node.name for node in graph.nodes} | dict(names)
    nodes = [
        replace(
            node,
            args=tuple(rename(argument, kept) for argument in node.args),
            kwargs={key: rename(argument, kept) for key, argument in node.kwargs.items()},
        )
        for node in graph.nodes
        if node.name not in names
    ]
    outputs = tuple((key, kept[name]) for key, name in graph.outputs)
    needed = {name for _, name in outputs}
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(node.inputs)
    # Slots stay, since values are given in their order.
    return Graph(tuple(n for n in nodes if n.name in needed or n.operation == INPUT), outputs)


def _baked(graph: Graph, weights: Weights) -> tuple[Graph, dict[str, Tensor]]:
    """The graph with nodes that depend on weights alone computed and in the place of weights."""
    values = {n.name: weights[n.path] for n in graph.nodes if n.operation == WEIGHT}
    constants: list[Node] = []
    roots = {name for _, name in graph.outputs}
    for node in graph.nodes:
        fixed = node.inputs and all(name in values for name in node.inputs)
        # A root's value is given away, to be overwritten too, so it is made anew each time.
        if node.operation == WEIGHT or not fixed or node.shape is None or node.name in roots:
            continue
        args = [to_torch(argument, values) for argument in node.args]
        kwargs = {key: to_torch(argument, values) for key, argument in node.kwargs.items()}
        with torch.inference_mode():
            values[node.name] = resolve(node.operation)(*args, **kwargs).clone()
        constants.append(node)
    if not constants:
        return graph, dict(weights)
    paths = {node.name: f"{node.name}.weight" for node in constants}
    made = dict(weights) | {paths[node.name]: values[node.name] for node in constants}
    nodes = tuple(
        Node(node.name, WEIGHT, shape=node.shape, dtype=node.dtype, path=paths[node.name])
        if node.name in paths
        else node
        for node in graph.nodes
    )
    return _replaced(Graph(nodes, graph.outputs), {}), made


def _like(tensor: Tensor, before: Tensor | None) -> Tensor:
    """A tensor laid out as what it takes the place of."""
    if before is None or before.shape != tensor.shape or before.stride() == tensor.stride():
        return tensor.detach()
    made = torch.empty_strided(
        before.shape, before.stride(), dtype=tensor.dtype, device=tensor.device
    )
    return made.copy_(tensor.detach())
