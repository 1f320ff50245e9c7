"""Compatibility of points (the paper's section 3), and the reason where no two are compatible."""

from typing import Protocol, runtime_checkable

from netstitch.networks.feature_layout import LAYOUTS, FeatureLayout
from netstitch.networks.graph import INPUT, WEIGHT, Dimension, Graph, Node
from netstitch.networks.operations import KINDS, Kind

_INSTEAD = (
    "choose networks of convolutions or linear layers, whose features are "
    + " or ".join(f"{each.name}s ({', '.join(each.axes)})" for each in LAYOUTS)
    + " behind the input and before the output"
)

LayoutAndSizes = tuple[FeatureLayout, tuple[Dimension, ...]]
"""The traits that compatible points share: the layout, and the sizes that must agree."""


def compatible(node_a: Node, node_b: Node) -> bool:
    """Return whether both are points of one layout, and of equal sizes but for the channels."""
    kind = kind_of(node_a)
    return kind is not None and kind == kind_of(node_b)


def kind_of(node: Node) -> LayoutAndSizes | None:
    """Return the layout and sizes that compatible points share; None where a node is no point."""
    layout = node.layout
    return None if layout is None else (layout, layout.sizes(node.shape or ()))


def candidates(graph: Graph) -> tuple[Node, ...]:
    """Return the points that may be matched: an output switch chooses between outputs."""
    outputs = {name for _, name in graph.outputs}
    return tuple(node for node in graph.points if node.name not in outputs)


@runtime_checkable
class NamedNetwork(Protocol):
    """A name and a graph: all that `match` needs of a network."""

    name: str
    graph: Graph


def why_none(*networks: NamedNetwork) -> str:
    """Return the reason that no points of networks are compatible, and what to do."""
    bare = [network for network in networks if not candidates(network.graph)]
    if bare:
        # Two networks of one class have one name and one reason.
        reasons = dict.fromkeys(f"{network.name} {_without(network.graph)}" for network in bare)
        return f"{'; '.join(reasons)}; {_INSTEAD}"
    first, *others = networks
    rest = ", ".join(f"those of {other.name} {_layouts(other.graph)}" for other in others)
    return (
        f"points of {first.name} are {_layouts(first.graph)}, {rest}; choose networks with layers "
        "that agree in size"
    )


def _without(graph: Graph) -> str:
    """Return the reason that a network has no point that may be matched."""
    steps = [node for node in graph.nodes if node.operation not in (INPUT, WEIGHT)]
    recurrent = next((n for n in steps if KINDS.get(n.operation) is Kind.RECURRENT), None)
    if recurrent is not None:
        kind = recurrent.operation.split(".")[1]
        return (
            f"is recurrent ({_called(recurrent, kind)}): what its layers give are sequences "
            "(batch, t, c), which stitches do not read, nor what is made of them"
        )
    if graph.points:
        names = ", ".join(node.name for node in graph.points[:3])
        return f"has no point but its output ({names}), which is chosen and not stitched"
    tokens = next((n for n in steps if n.shape is not None and len(n.shape) == 3), None)
    if tokens is not None:
        return (
            f"computes tokens (batch, t, c), as a transformer does, of which no tensor can be "
            f"stitched ({_called(tokens, 'tokens')} is the first)"
        )
    return "has no tensor with the batch in dimension 0 and channels that can be followed"


def _called(node: Node, kind: str) -> str:
    return f"{kind}, {node.path!r}" if node.path else f"{kind}, {node.name!r}"


def _layouts(graph: Graph) -> str:
    """Return the layouts of the points that may be matched, in order, without repeats."""
    points = candidates(graph)
    found = (node.layout.described(node.shape or ()) for node in points if node.layout is not None)
    return ", ".join(dict.fromkeys(found))
