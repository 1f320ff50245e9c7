"""Which points a stitch can translate between (the paper's section 3)."""

from netstitch.networks.graph import Graph, Node


def compatible(node_a: Node, node_b: Node) -> bool:
    """Whether a linear stitch can make either node's tensor from the other's.

    Both are points; both are (batch, features), or both are (batch, features, height, width) with
    equal heights and equal widths. The numbers of features are free.
    """
    kind = layout(node_a)
    return kind is not None and kind == layout(node_b)


def layout(node: Node) -> tuple[int | str, ...] | None:
    """What two points must share to be compatible; None for a node that no stitch can read."""
    if not node.point or node.shape is None or len(node.shape) not in (2, 4):
        return None
    return (len(node.shape), *node.shape[2:])


def candidates(graph: Graph) -> tuple[Node, ...]:
    """The points that may be matched: those that are not an output of the network themselves.

    What an output switch chooses between needs no stitch.
    """
    outputs = {name for _, name in graph.outputs}
    return tuple(node for node in graph.points if node.name not in outputs)
