"""Reshapes with all sizes written out that are known, so that they take batches of no samples."""

from dataclasses import replace

from netstitch.networks.graph import Node

_RESHAPES = {"aten.view.default", "aten.reshape.default", "aten._unsafe_view.default"}


def with_known_sizes(node: Node) -> Node:
    """Return a reshape that infers no size but one that depends on the batch; else the node.

    Without numbers, and where their count is not known, a size cannot be inferred.
    """
    if node.operation not in _RESHAPES or node.shape is None or len(node.args) < 2:
        return node
    read, sizes, *others = node.args
    if not isinstance(sizes, tuple) or len(sizes) != len(node.shape):
        return node
    known = tuple(
        found if size == -1 and isinstance(found, int) else size
        for size, found in zip(sizes, node.shape, strict=True)
    )
    return replace(node, args=(read, known, *others))
