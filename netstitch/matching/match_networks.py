"""`netstitch.match`: from networks to the solver's graphs, and from its pairs to a matching."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import nn

from netstitch.errors import MatchingError
from netstitch.matching.acyclic.solver import maximum_acyclic_matching
from netstitch.matching.compatibility import NamedNetwork, PointKind, candidates, kind_of, why_none
from netstitch.matching.equivalence import equivalence_classes
from netstitch.matching.matches import Match, Matching
from netstitch.matching.matching_settings import MatchingObjective, MatchingSettings, Points
from netstitch.matching.objectives import balanced
from netstitch.networks.graph import WEIGHT, Graph, Node
from netstitch.networks.inputs import check_one_task
from netstitch.text import one_line

Weighing = Callable[[Node, Node], float] | npt.ArrayLike


def match(
    *networks: NamedNetwork,
    points: Points = "distinct",
    objective: MatchingObjective = "count",
    weights: Weighing | None = None,
) -> Matching:
    """Return the heaviest acyclic matching of two networks' points (the paper's section 3).

    Points that are an output of their network are not matched. Ties, and networks too wide for the
    exact solver, are as in `maximum_acyclic_matching`.

    With "distinct" points, those that differ by an affine map of each channel
    (`equivalence_classes`) count as one: a convolution and the batch norm behind it, no-ops, pooled
    features before and after they are flattened. A stitch between two of them computes what one
    between their classes does with other weights, so no network is lost, up to an affine map and
    provided that scales of batch norms are not 0; but a class has one partner, where with "all"
    each of its points may have one. Classes are matched at the last points of both that are
    compatible: to compute the source further costs nothing more, the target's map is not computed
    behind the stitch, and normalised features are easier to fit.

    Args:
        networks: two captured networks.
        points: "all" as in the paper, or "distinct".
        objective: what is maximised: "count", the number of matches, as in the paper, or
            "balanced", the sum of 1 - |s - t| for points at shares s and t of their networks'
            multiply-adds.
        weights: what a match is worth instead of an objective, finite and not negative; 0 keeps
            two points apart. Either a function of two compatible points, the first network's
            first, or an array (points of the first graph, points of the second) in the order of
            `graph.points`, of which the entries of points that may be matched are read.

    Raises:
        MatchingError: for other than two networks, choices that do not exist or do not go together,
            networks of different tasks, weights of a wrong shape, negative or not finite, and when
            no points fit.
    """
    MatchingSettings(points=points, objective=objective)  # raises where there is none of the name
    for network in networks:
        _check_named(network)
    if weights is not None and objective != "count":
        raise MatchingError(
            f"match was given weights and the objective {objective!r}: give one of both, weights "
            "are an objective of their own"
        )
    if len(networks) != 2:
        need = "give two" if len(networks) < 2 else "more than two are not supported yet; give two"
        given = "1 network was" if len(networks) == 1 else f"{len(networks)} networks were"
        raise MatchingError(f"{given} given to match: {need}")
    a, b = networks
    check_one_task((a.name, b.name), (a.graph, b.graph), MatchingError)
    steps_a, steps_b = _merged(a.graph, points), _merged(b.graph, points)
    pairs = _pairs(steps_a, steps_b)
    if not pairs:
        raise MatchingError(
            f"no point of {a.name} is compatible with one of {b.name}: {why_none(a, b)}"
        )
    worth = balanced(a.graph, b.graph) if objective == "balanced" else _weigher(a, b, weights)
    table = np.zeros((len(steps_a.members), len(steps_b.members)))
    for steps, (node_a, node_b) in pairs.items():
        what = f"the weight of matching {node_a.name} with {node_b.name} is"
        try:
            weight = table[steps] = float(worth(node_a, node_b))
        except (TypeError, ValueError) as error:
            raise MatchingError(f"{what} no number ({one_line(error)}); give 0 or more") from error
        if not (np.isfinite(weight) and weight >= 0):
            raise MatchingError(f"{what} {weight}; weights must be finite and not negative")
    if not table.any():
        raise MatchingError(
            f"every match of {a.name} with {b.name} has weight 0: give a positive weight to some "
            "pair, or another objective"
        )
    found = maximum_acyclic_matching(
        len(steps_a.members), steps_a.edges, len(steps_b.members), steps_b.edges, table
    )
    chosen = [pairs[pair] for pair in found.pairs]
    matches = tuple(Match((node_a.name, node_b.name)) for node_a, node_b in chosen)
    matching = Matching(matches, found.weight, found.upper_bound, found.method)
    return matching.placed((a.name, b.name), (a.graph, b.graph))


@dataclass(frozen=True)
class _Steps:
    """A network's nodes as the solver numbers them: without weights, and each class as one.

    Attributes:
        members: for each step its points that may be matched, in the order of computation.
        edges: (source, target) steps.
    """

    members: tuple[tuple[Node, ...], ...]
    edges: list[tuple[int, int]]


def _merged(graph: Graph, points: Points) -> _Steps:
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
    return _Steps(tuple(map(tuple, members)), edges)


def _pairs(a: _Steps, b: _Steps) -> dict[tuple[int, int], tuple[Node, Node]]:
    """Return compatible points by steps of A and B: the last of A's that fits any, and of B's."""
    by_kind: dict[PointKind | None, dict[int, Node]] = {}
    for j, members in enumerate(b.members):
        for node in members:
            by_kind.setdefault(kind_of(node), {})[j] = node  # the last of a kind stays
    pairs: dict[tuple[int, int], tuple[Node, Node]] = {}
    for i, members in enumerate(a.members):
        for node in members:
            kind = kind_of(node)
            for j, other in by_kind.get(kind, {}).items() if kind is not None else ():
                pairs[i, j] = node, other
    return pairs


def _weigher(
    a: NamedNetwork, b: NamedNetwork, weights: Weighing | None
) -> Callable[[Node, Node], float]:
    if weights is None:
        return lambda node_a, node_b: 1.0
    if callable(weights):
        return weights
    points_a = {node.name: index for index, node in enumerate(a.graph.points)}
    points_b = {node.name: index for index, node in enumerate(b.graph.points)}
    try:
        table = np.asarray(weights, np.float64)
    except (TypeError, ValueError, RuntimeError):  # the last of tensors that require gradients
        raise MatchingError(
            "weights must be a function of two points or an array of numbers"
        ) from None
    if table.shape != (len(points_a), len(points_b)):
        raise MatchingError(
            f"weights have shape {table.shape}; the points of {a.name} and {b.name} need "
            f"({len(points_a)}, {len(points_b)})"
        )
    return lambda u, v: float(table[points_a[u.name], points_b[v.name]])


def _check_named(network: object) -> None:
    if isinstance(network, NamedNetwork):
        return
    kind = type(network).__name__
    if isinstance(network, list | tuple):
        what = f"a {kind}: give the networks one by one, ns.match(*networks)"
    elif isinstance(network, nn.Module):
        what = f"the model {kind}: capture it first, ns.capture(model, example)"
    else:
        what = f"a {kind}: give what ns.capture(model, example) returns"
    raise MatchingError(f"match takes captured networks, got {what}")
