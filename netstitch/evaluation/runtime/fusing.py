"""Fragments in the fused form: fewer operations, equal up to rounding.

Batch norms go into the layer before them, within a fragment and from one to the next: where a norm
alone reads a layer's value in a genotype, the layer's fragment carries the norm and the norm's
leaves it out. What depends on weights alone is computed once. Activations and sums are computed in
place (see `networks/in_place.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from netstitch.evaluation.runtime.fragments import Fragment, Fragments, content
from netstitch.networks.content import renamed
from netstitch.networks.folding import BATCH_NORM, carrier, fold
from netstitch.networks.graph import INPUT, WEIGHT, Graph, Node, Ref
from netstitch.networks.interpreter import Interpreter, make_interpreter
from netstitch.networks.module import Weights, ancestors

MOST_SLOTS = 62
"""Norms that a fragment leaves out are bits of an integer; what it reads beyond keeps its norm."""


@dataclass(frozen=True)
class Norm:
    """A batch norm that is the only node of its fragment to read one of the fragment's slots.

    Attributes:
        fragment: Index of its fragment.
        slot: Index of the slot that it reads.
        graph: The norm alone, from one slot.
        content: Of the graph as a fragment.
    """

    fragment: int
    slot: int
    graph: Graph
    content: str


def find_norms(fragments: Fragments) -> list[Norm]:
    """Return all norms that a layer in another fragment might carry."""
    found = []
    for index, fragment in enumerate(fragments.every):
        for slot, node in enumerate(fragment.slots[:MOST_SLOTS]):
            readers = [other for other in fragment.graph.nodes if node.name in other.inputs]
            if len(readers) == 1 and _is_norm_of(readers[0], node.name):
                norm = readers[0]
                weights = [fragment.graph.by_name[n] for n in norm.inputs if n != node.name]
                graph = Graph((node, *weights, norm), ((None, norm.name),))
                found.append(Norm(index, slot, graph, content(Fragment(graph, (0,)))))
    return found


def can_carry(fragment: Fragment, norm: Norm) -> bool:
    """Return whether a fragment's root is a layer that could carry a norm."""
    joined = _followed(fragment.graph, norm)
    return carrier(joined, joined.by_name[joined.outputs[0][1]]) is not None


def is_only(fragment: Fragment, norm: Norm) -> bool:
    """Return whether a fragment is nothing but a norm."""
    name = fragment.slots[norm.slot].name
    return len(fragment.slots) == 1 and _is_norm_of(fragment.root, name)


def fused(
    fragment: Fragment, weights: Weights, left_out: Sequence[Norm], carried: Norm | None
) -> Interpreter:
    """Return an interpreter of a fragment in the fused form.

    Args:
        fragment: With its own operations.
        weights: Of the supernet, by key, laid out as they are to be used.
        left_out: Norms of the fragment that others carry.
        carried: A norm of another fragment that this one carries.
    """
    graph = fragment.graph
    for norm in left_out:
        slot = fragment.slots[norm.slot].name
        (reader,) = (node for node in graph.nodes if _is_norm_of(node, slot))
        graph = _pruned(graph, {reader.name: slot})
    if carried is not None:
        graph = _followed(graph, carried)
    own = {node.path: weights[node.path] for node in graph.nodes if node.operation == WEIGHT}
    graph, own = _with_constants(graph, own)
    folded, made = fold(graph, own)
    assert carried is None or folded.by_name[folded.outputs[0][1]].operation != BATCH_NORM
    laid_out = {path: _like(tensor, own.get(path)) for path, tensor in made.items()}
    return make_interpreter(folded, laid_out, in_place=True)


def _is_norm_of(node: Node, name: str) -> bool:
    """Return whether a node is a norm of a value by fixed statistics, and reads it but once."""
    return (
        node.operation == BATCH_NORM
        and node.args[0] == Ref(name)
        and Ref(name) not in node.args[1:]
        and node.args[5] is False
    )


def _followed(graph: Graph, norm: Norm) -> Graph:
    """Return a fragment's graph with a norm behind its root."""
    slot, *rest = norm.graph.nodes
    names = {node.name: f"carried {node.name}" for node in rest}
    names[slot.name] = graph.outputs[0][1]
    added = [renamed(node, names[node.name], names) for node in rest]
    return Graph((*graph.nodes, *added), ((None, added[-1].name),))


def _pruned(graph: Graph, names: Mapping[str, str]) -> Graph:
    """Return the graph with other nodes read in the place of some, without what nothing reads."""
    reads = {node.name: node.name for node in graph.nodes} | dict(names)
    nodes = tuple(renamed(n, n.name, reads) for n in graph.nodes if n.name not in names)
    changed = Graph(nodes, tuple((key, reads[name]) for key, name in graph.outputs))
    needed = ancestors(changed, [name for _, name in changed.outputs])
    # Slots stay, since values are given in their order.
    kept = tuple(node for node in nodes if node.name in needed or node.operation == INPUT)
    return replace(changed, nodes=kept)


def _with_constants(graph: Graph, weights: Weights) -> tuple[Graph, dict[str, Tensor]]:
    """Return the graph with weights in the place of nodes that depend on weights alone."""
    roots = {name for _, name in graph.outputs}
    fixed = {node.name: node for node in graph.nodes if node.operation == WEIGHT}
    paths: dict[str, str] = {}
    for node in graph.nodes:
        # A root's value is given away, to be overwritten too, so it is computed anew each time.
        known = node.inputs and fixed.keys() >= set(node.inputs)
        if known and node.shape is not None and node.name not in roots:
            fixed[node.name] = node
            paths[node.name] = f"{node.name}.weight"
    if not paths:
        return graph, dict(weights)
    constants = make_interpreter(Graph(tuple(fixed.values()), ()), weights, results=paths)
    with torch.inference_mode():
        values = [value.clone() for value in constants.run([])]
    nodes = tuple(
        Node(node.name, WEIGHT, shape=node.shape, dtype=node.dtype, path=paths[node.name])
        if node.name in paths
        else node
        for node in graph.nodes
    )
    made = dict(weights) | dict(zip(paths.values(), values, strict=True))
    return _pruned(Graph(nodes, graph.outputs), {}), made


def _like(tensor: Tensor, before: Tensor | None) -> Tensor:
    """Return a tensor laid out as what it takes the place of."""
    if before is None or before.shape != tensor.shape or before.stride() == tensor.stride():
        return tensor.detach()
    return torch.empty_like(before, dtype=tensor.dtype).copy_(tensor.detach())
