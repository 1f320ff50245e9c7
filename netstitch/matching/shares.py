"""Where in its network's multiply-adds a point stands."""

from netstitch.networks.graph import Graph
from netstitch.networks.module import ancestors


def shares_before(graph: Graph) -> dict[str, float]:
    """By point: the share of the network's multiply-adds that it takes to compute the point.

    Between 0 and 1, all it depends on counted; 0 everywhere in a network without multiply-adds.
    """
    return {node.name: _share(graph, ancestors(graph, [node.name])) for node in graph.points}


def optional_shares(graph: Graph) -> dict[str, float]:
    """By point: the share of the network's multiply-adds that nothing needs once it is given.

    What the point depends on, without what the outputs need in any other way: inside a residual
    block only the block's own branch.
    """
    outputs = [name for _, name in graph.outputs]
    whole = _share(graph, ancestors(graph, outputs))
    return {
        node.name: whole - _share(graph, _needed(graph, outputs, node.name))
        for node in graph.points
    }


def _needed(graph: Graph, outputs: list[str], given: str) -> set[str]:
    """What the outputs depend on when one node needs nothing."""
    needed = set(outputs)
    for node in reversed(graph.nodes):
        if node.name in needed and node.name != given:
            needed.update(node.inputs)
    return needed - {given}


def _share(graph: Graph, names: set[str]) -> float:
    total = graph.multiply_adds
    part = sum(node.multiply_adds for node in graph.nodes if node.name in names)
    return part / total if total else 0.0
