"""Why two networks have no points that a stitch could translate between, and what to do."""

from typing import Protocol

from netstitch.matching.compatibility import candidates, layout
from netstitch.networks.graph import INPUT, WEIGHT, Graph, Node
from netstitch.networks.operations import KINDS, Kind

_INSTEAD = (
    "choose networks of convolutions or linear layers, whose features are vectors (batch, c) or "
    "maps (batch, c, h, w) behind the input and before the output"
)


class NamedNetwork(Protocol):
    """Anything with a name and a graph, such as a Network."""

    name: str
    graph: Graph


def why_none(a: NamedNetwork, b: NamedNetwork) -> str:
    """Return the reason that no point of two networks is compatible, and what to do."""
    bare = [network for network in (a, b) if not candidates(network.graph)]
    if bare:
        # Two networks of one class have one name and one reason.
        reasons = dict.fromkeys(f"{network.name} {_without(network.graph)}" for network in bare)
        return f"{'; '.join(reasons)}; {_INSTEAD}"
    return (
        f"points of {a.name} are {_layouts(a.graph)}, those of {b.name} {_layouts(b.graph)}; "
        "choose networks with layers that agree in size"
    )


def _without(graph: Graph) -> str:
    """Why a network has no point that may be matched."""
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
    return "has no tensor with the batch in dimension 0 and channels that can be told"


def _called(node: Node, kind: str) -> str:
    return f"{kind}, {node.path!r}" if node.path else f"{kind}, {node.name!r}"


def _layouts(graph: Graph) -> str:
    """The layouts of the points that may be matched, in order, without repeats."""
    found = dict.fromkeys(layout(node) for node in candidates(graph))
    shown = [
        "vectors" if len(kind) == 1 else f"maps of {kind[1]}x{kind[2]}"
        for kind in found
        if kind is not None
    ]
    return ", ".join(shown)
