"""Acyclic matchings of any number of graphs: groups of nodes, one of each graph at most.

Two graphs are matched exactly and merged: the nodes of a pair become one, and what comes of it is
an acyclic graph again. The next graph is matched against that one, where a pair is worth the sum of
what the new node is worth with every member. Then each graph is taken out and matched again with
the merged others, until nothing improves.

What is left of a joint matching when all graphs but two are left out is an acyclic matching of the
two. So no joint matching weighs more than the maxima of all pairs of graphs together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import fsum

import numpy as np

from netstitch.matching.acyclic.dynamic_program import PairWeights
from netstitch.matching.acyclic.partial_order import Edge, topological_order
from netstitch.matching.acyclic.solver import (
    ROUNDING,
    STATE_CAP,
    AcyclicMatching,
    maximum_acyclic_matching,
)

JOINT = "each network matched with the others merged"

MergedNodes = Mapping[int, int]
"""Nodes that become one, by the index of their graph."""


@dataclass(frozen=True)
class JointMatching:
    """Groups of nodes whose merged graph is acyclic.

    Attributes:
        groups: nodes by the index of their graph, two or more each, in an order in which the merged
            graph can be computed.
        weight: the sum of the weights of all pairs of nodes that are in one group, rounded once.
        upper_bound: no acyclic matching weighs more, up to float64 rounding: the sum of the upper
            bounds of all pairs of graphs, which need not be reachable; equal to `weight` where the
            matching is known to be a maximum.
        method: the algorithm that found it, in words.
    """

    groups: tuple[MergedNodes, ...]
    weight: float
    upper_bound: float
    method: str


@dataclass(frozen=True)
class DirectedGraph:
    """The nodes 0..n-1 and (source, target) edges."""

    n: int
    edges: Sequence[Edge]


@dataclass(frozen=True)
class _JointProblem:
    """Graphs, the weights of all pairs of them, and how many states are solved exactly."""

    graphs: Sequence[DirectedGraph]
    weights: Mapping[tuple[int, int], PairWeights]
    state_cap: int

    def between(self, one: int, other: int) -> PairWeights:
        """Return the weights (nodes of one, nodes of the other)."""
        return self.weights[one, other] if one < other else self.weights[other, one].T

    def alone(self, one: int, other: int) -> AcyclicMatching:
        """Return the heaviest acyclic matching of two graphs."""
        a, b, weights = self.graphs[one], self.graphs[other], self.weights[one, other]
        return maximum_acyclic_matching(
            a.n, a.edges, b.n, b.edges, weights, state_cap=self.state_cap
        )

    def merged(
        self, chosen: Iterable[int], groups: Iterable[MergedNodes]
    ) -> tuple[list[MergedNodes], list[Edge]]:
        """Return the nodes of some graphs, where those of a group are one, and the edges."""
        nodes: list[MergedNodes] = list(groups)
        grouped = {point for group in nodes for point in group.items()}
        chosen = tuple(chosen)
        singles = ((graph, node) for graph in chosen for node in range(self.graphs[graph].n))
        nodes += [{graph: node} for graph, node in singles if (graph, node) not in grouped]
        # The solver tries the lowest number first: graphs take turns, as far as edges allow.
        nodes.sort(key=lambda group: min((node, graph) for graph, node in group.items()))
        at = {point: number for number, group in enumerate(nodes) for point in group.items()}
        edges = {
            (at[graph, source], at[graph, target])
            for graph in chosen
            for source, target in self.graphs[graph].edges
        }
        return nodes, sorted(edges)

    def joined(
        self, graph: int, others: Iterable[int], groups: Iterable[MergedNodes]
    ) -> list[MergedNodes]:
        """Return groups of all, after matching a graph with the others as their groups merge them.

        A node joins a group where it is compatible with every member.
        """
        nodes, edges = self.merged(others, groups)
        table = np.zeros((len(nodes), self.graphs[graph].n))
        for number, group in enumerate(nodes):
            worth = [self.between(member, graph)[node] for member, node in group.items()]
            table[number] = np.where(np.all(worth, axis=0), np.sum(worth, axis=0), 0.0)
        own = self.graphs[graph]
        found = maximum_acyclic_matching(
            len(nodes), edges, own.n, own.edges, table, state_cap=self.state_cap
        )
        partner = dict(found.pairs)
        more = [
            {**group, graph: partner[number]} if number in partner else group
            for number, group in enumerate(nodes)
        ]
        return [group for group in more if len(group) > 1]

    def weight(self, groups: Iterable[MergedNodes], of: int | None = None) -> float:
        """Return the sum of the weights of all pairs in a group, or of those with one graph."""
        return fsum(
            self.weights[one, other][group[one], group[other]]
            for group in groups
            for one, other in combinations(sorted(group), 2)
            if of is None or of in (one, other)
        )


def joint_acyclic_matching(
    graphs: Sequence[DirectedGraph],
    weights: Mapping[tuple[int, int], PairWeights],
    *,
    state_cap: int = STATE_CAP,
) -> JointMatching:
    """Return groups of nodes, each node in one at most, whose merged graph is acyclic.

    Of two graphs it is that of `maximum_acyclic_matching`. Of more it weighs at least as much as
    the heaviest matching found for two of them, and no more than its `upper_bound`. Equal input
    always gives equal output.

    Args:
        graphs: two or more acyclic graphs.
        weights: for every pair of graphs (i, j), i < j, what their nodes are worth together, (nodes
            of i, nodes of j): finite and not negative; nodes of weight 0 are in no common group.
        state_cap: as in `maximum_acyclic_matching`.

    Raises:
        MatchingError: as `maximum_acyclic_matching` does.
    """
    problem = _JointProblem(graphs, weights, state_cap)
    alone = {pair: problem.alone(*pair) for pair in combinations(range(len(graphs)), 2)}
    if len(graphs) == 2:
        (found,) = alone.values()
        pairs = tuple({0: i, 1: j} for i, j in found.pairs)
        return JointMatching(pairs, found.weight, found.upper_bound, found.method)

    upper = fsum(found.upper_bound for found in alone.values())
    groups = _improved(problem, _first(problem, alone), alone, upper)
    weight = problem.weight(groups)
    if weight >= upper * (1 - ROUNDING):
        upper = weight
    nodes, edges = problem.merged(range(len(graphs)), groups)
    order = topological_order(len(nodes), edges, "merged")
    sorted_groups = (nodes[number] for number in order if len(nodes[number]) > 1)
    inside = tuple(dict(sorted(group.items())) for group in sorted_groups)
    return JointMatching(inside, weight, upper, JOINT)


def _first(
    problem: _JointProblem, alone: Mapping[tuple[int, int], AcyclicMatching]
) -> list[MergedNodes]:
    """Return the groups after the heaviest pair of graphs and then each further one was matched."""
    one, other = max(alone, key=lambda pair: alone[pair].weight)
    groups: list[MergedNodes] = [{one: i, other: j} for i, j in alone[one, other].pairs]
    chosen = [one, other]
    for graph in range(len(problem.graphs)):
        if graph not in chosen:
            groups = problem.joined(graph, chosen, groups)
            chosen.append(graph)
    return groups


def _improved(
    problem: _JointProblem,
    groups: list[MergedNodes],
    alone: Mapping[tuple[int, int], AcyclicMatching],
    enough: float,
) -> list[MergedNodes]:
    """Return groups that weigh no less, after each graph was matched again until none gained.

    The search ends at `enough`, an upper bound.
    """
    count = len(problem.graphs)
    most = [
        fsum(found.upper_bound for pair, found in alone.items() if graph in pair)
        for graph in range(count)
    ]
    best, graph, idle = problem.weight(groups), 0, 0
    while idle < count and best < enough * (1 - ROUNDING):
        idle += 1
        if problem.weight(groups, of=graph) < most[graph] * (1 - ROUNDING):
            without = ({g: node for g, node in group.items() if g != graph} for group in groups)
            rest = [group for group in without if len(group) > 1]
            others = [each for each in range(count) if each != graph]
            found = problem.joined(graph, others, rest)
            weight = problem.weight(found)
            if weight > best * (1 + ROUNDING):
                idle = 0
            if weight >= best:  # another one of equal weight may lead on
                groups, best = found, weight
        graph = (graph + 1) % count
    return groups
