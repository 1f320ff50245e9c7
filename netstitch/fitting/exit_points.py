"""The points that exits are fitted at, spread over the cost of each network."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from netstitch.networks.feature_layout import MAP
from netstitch.networks.graph import Graph, Node
from netstitch.networks.module import ancestors
from netstitch.stitching.exit import Exit
from netstitch.stitching.exit_graph import ExitOutput, point_features
from netstitch.stitching.structure import Structure

SHARE = 0.05
"""The most that the linear map of several points' features may cost, of its network's cost."""

MOST_FEATURES, MOST_WEIGHTS = 512, 500_000
"""The most that such a map has: more take long to fit, and many samples."""


@dataclass(frozen=True)
class ExitPoint:
    """A point with the two exits that may be made of it.

    Attributes:
        own: Reads the point alone.
        so_far: Reads some points before it too, that are computed for it in any case; equal to
            `own` where there are none.
    """

    own: Exit
    so_far: Exit


def exit_points(
    structure: Structure, output: ExitOutput, exits: int, points: int
) -> list[ExitPoint]:
    """Return the points that exits are fitted at, by network and in the order of computation.

    An exit costs less than its network. Of points of equal cost the last one is taken.

    Args:
        structure: Of the supernet.
        output: What exits stand for.
        exits: The most in each network.
        points: The most that an exit reads.
    """
    found = []
    for network, graph in enumerate(structure.graphs):
        chosen = _spread(_candidates(graph, output), exits)
        for index, level in enumerate(chosen):
            before = [each for each in chosen[:index] if each.node.name in level.needed]
            several = _several([*before, level], graph, output, points)
            names = tuple(each.node.name for each in several)
            found.append(ExitPoint(Exit(network, names[-1:]), Exit(network, names)))
    return found


@dataclass(frozen=True)
class _Candidate:
    """A point, what it needs, and the multiply-adds of an exit that reads it alone."""

    node: Node
    needed: set[str]
    cost: int


def _candidates(graph: Graph, output: ExitOutput) -> list[_Candidate]:
    """Return the points that can have exits, the last one of each cost."""
    costs = {node.name: node.multiply_adds for node in graph.nodes}
    last: dict[int, _Candidate] = {}
    for node in graph.points:
        if output.of_maps and node.layout is not MAP:
            continue
        needed = ancestors(graph, [node.name])
        before = sum(costs[name] for name in needed)
        cost = before + _map_cost([node], output)
        if cost < graph.multiply_adds:
            last.pop(before, None)  # so that the order stays that of computation
            last[before] = _Candidate(node, needed, cost)
    return list(last.values())


def _spread(levels: list[_Candidate], most: int) -> list[_Candidate]:
    """Return so many levels at most: of the two nearest in cost, as a ratio, the cheaper goes."""
    kept = sorted(levels, key=lambda level: level.cost)
    while len(kept) > most:
        ratios = [dearer.cost / max(1, cheaper.cost) for cheaper, dearer in pairwise(kept)]
        del kept[ratios.index(min(ratios)) if ratios else 0]
    return [level for level in levels if level in kept]


def _several(
    so_far: Sequence[_Candidate], graph: Graph, output: ExitOutput, most: int
) -> list[_Candidate]:
    """Return the last levels, as many as an exit may read; the last one always."""
    taken = [so_far[-1]]
    for level in reversed(so_far[:-1]):
        nodes = [level.node, *(each.node for each in taken)]
        features = sum(point_features(output, node) for node in nodes)
        weights = features * output.classes
        large = features > MOST_FEATURES or weights > MOST_WEIGHTS
        dear = weights > SHARE * graph.multiply_adds
        if output.of_maps or len(nodes) > most or large or dear:
            break
        taken.insert(0, level)
    return taken


def _map_cost(nodes: Sequence[Node], output: ExitOutput) -> int:
    """Return the multiply-adds of the linear map of some points' features."""
    layout = nodes[-1].layout
    assert layout is not None
    positions = layout.sizes(nodes[-1].shape or ()) if output.of_maps else ()
    features = sum(point_features(output, node) for node in nodes)
    return features * output.classes * prod(int(size) for size in positions)
