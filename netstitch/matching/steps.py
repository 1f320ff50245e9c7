"""Networks as the solver numbers them: steps, edges, and the points that may be matched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netstitch.matching.compatibility import LayoutAndSizes, candidates, kind_of
from netstitch.matching.equivalence import equivalence_classes
from netstitch.matching.matching_settings import Points
from netstitch.networks.graph import WEIGHT, Graph, Node

PointPairs = Mapping[tuple[int, int], tuple[Node, Node]]
"""Compatible points of two networks by the numbers of their steps."""


@dataclass(frozen=True)
class SolverSteps:
    """A network's nodes as the solver numbers them: without weights, and each class as one.

    Attributes:
        members: for each step its points that may be matched, in the order of computation.
        edges: (source, target) steps.
    """

    members: tuple[tuple[Node, ...], ...]
    edges: tuple[tuple[int, int], ...]


def steps_of(graph: Graph, points: Points) -> SolverSteps:
    """Return a graph's steps; merging a class makes no cycle, since it is a chain."""
    first_of = {}
    if points == "distinct":
        first_of = {node.name: one[0].name for one in equivalence_classes(graph) for node in one}
    matched = {node.name for node in candidates(graph)}
    at: dict[str, int] = {}
    members: list[list[Node]] = []
    edges = []
    for node in graph.nodes:
        if node.operation == WEIGHT:
            continue
        first = first_of.get(node.name, node.name)
        if first == node.name:
            members.append([])
        at[node.name] = at.get(first, len(members) - 1)
        if node.name in matched:
            members[at[node.name]].append(node)
        own = at[node.name]
        edges += [(at[name], own) for name in node.inputs if name in at and at[name] != own]
    return SolverSteps(tuple(map(tuple, members)), tuple(edges))


def point_pairs(a: SolverSteps, b: SolverSteps) -> PointPairs:
    """Return compatible points by steps of A and B: the last of A's that fits any, and of B's."""
    by_kind: dict[LayoutAndSizes, dict[int, Node]] = {}
    for j, members in enumerate(b.members):
        for kind, node in _last_of_kinds(members).items():
            by_kind.setdefault(kind, {})[j] = node
    pairs: dict[tuple[int, int], tuple[Node, Node]] = {}
    for i, members in enumerate(a.members):
        for kind, node in _last_of_kinds(members).items():
            for j, other in by_kind.get(kind, {}).items():
                pairs[i, j] = node, other
    return pairs


def common_points(members: Sequence[Sequence[Node]]) -> tuple[Node, ...]:
    """Return a point of each of several steps: the last of the first's that fits all others.

    The steps fit in pairs, which is enough: points of one step are of one kind, or they are a
    single position in one of two layouts, and of three such sets that meet in pairs all meet.
    """
    by_kind = [_last_of_kinds(each) for each in members]
    kind = next(kind for kind in reversed(by_kind[0]) if all(kind in own for own in by_kind))
    return tuple(own[kind] for own in by_kind)


def _last_of_kinds(members: Sequence[Node]) -> dict[LayoutAndSizes, Node]:
    """Return the last point of each kind, in the order of these points."""
    last: dict[LayoutAndSizes, Node] = {}
    for node in members:
        kind = kind_of(node)
        if kind is not None:
            last.pop(kind, None)
            last[kind] = node
    return last
