"""Content keys of values, and several graphs as one, in which each content is there once.

All weights are frozen, so nodes of equal content, in one graph or in several, have equal values.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from math import prod

from netstitch.networks.graph import INPUT, WEIGHT, Argument, Dimension, Graph, Node, Ref, rename

INPUT_KEY = "input"
"""The content key of the networks' input."""


def content_keys(graph: Graph) -> dict[str, str]:
    """Return the content key of every node but weights, by name.

    A key is made of the operation, its plain arguments, the paths of its weights, and the keys of
    what it reads: two subnetworks may call different nodes the same.
    """
    keys: dict[str, str] = {}
    texts: dict[str, str] = {}
    for node in graph.nodes:
        if node.operation == WEIGHT:
            texts[node.name] = f"weight {node.path!r}"
            continue
        key = INPUT_KEY if node.operation == INPUT else digest(text_of(node, texts))
        keys[node.name] = key
        texts[node.name] = f"value {key}"
    return keys


def digest(text: str) -> str:
    """Return 128 bits of a text's hash, in hexadecimal."""
    return blake2b(text.encode(), digest_size=16).hexdigest()


def text_of(node: Node, texts: Mapping[str, str]) -> str:
    """Return a node's operation and arguments, with `texts` in the place of the names it reads."""

    def of(argument: Argument) -> str:
        if isinstance(argument, Ref):
            return texts[argument.name]
        if isinstance(argument, tuple):
            return f"({','.join(map(of, argument))})"
        return repr(argument)  # 1, 1.0 and True are told apart

    parts = [node.operation, of(node.args)]
    return " ".join([*parts, *(f"{name}={of(value)}" for name, value in node.kwargs.items())])


def united(
    graphs: Sequence[Graph],
    known: Collection[str] = (),
    contents: Sequence[Mapping[str, str]] | None = None,
) -> Graph:
    """Return one graph that computes what several do, each content once; it has all their outputs.

    Args:
        graphs: Their nodes are named by their content keys in the new graph. Nodes that no output
            depends on are left out.
        known: Content keys of values that are given: where they are read, they become inputs.
        contents: The `content_keys` of each graph, where they are at hand.
    """
    nodes: dict[str, Node] = {}
    outputs: list[tuple[str | None, str]] = []
    for graph, keys in zip(graphs, contents or map(content_keys, graphs), strict=True):
        names = dict(keys)
        outputs += [(key, names[name]) for key, name in graph.outputs]
        needed = {name for _, name in graph.outputs}
        for node in reversed(graph.nodes):
            if node.name in needed and names.get(node.name) not in known:
                needed.update(node.inputs)
        for node in graph.nodes:
            if node.name not in needed:
                continue
            if node.operation == WEIGHT:
                # Its own name, unless another graph has that for another weight.
                same = nodes.setdefault(node.name, node).path == node.path
                names[node.name] = node.name if same else f"weight {node.path}"
            name = names[node.name]
            if name in known:
                nodes.setdefault(name, Node(name, INPUT, shape=node.shape, dtype=node.dtype))
            elif name not in nodes:
                nodes[name] = renamed(node, name, names)
    return Graph(tuple(nodes.values()), tuple(outputs))


def renamed(node: Node, name: str, names: Mapping[str, str]) -> Node:
    """Return a node under a name that reads others under theirs."""
    return Node(  # and not dataclasses.replace, which takes half as long again
        name,
        node.operation,
        tuple([rename(argument, names) for argument in node.args]),
        {key: rename(argument, names) for key, argument in node.kwargs.items()},
        node.shape,
        node.dtype,
        node.path,
        node.multiply_adds,
        node.elementwise,
        node.point,
        node.channels,
    )


def sample_bytes(node: Node) -> int:
    """Return the bytes of a node's value for one sample, at four bytes a number."""
    return _bytes_of(node.shape or ())


@cache
def _bytes_of(shape: tuple[Dimension, ...]) -> int:
    size = 4
    for one in shape:
        size *= one if isinstance(one, int) else prod(map(int, re.findall(r"\d+", one)))
    return size
