"""Examples for the tests of joint matchings: random graphs, and slow ways to the maximum."""

from functools import cache
from itertools import combinations, product

import numpy as np
from hypothesis import strategies as st
from matching_examples import graphs

from netstitch.matching.acyclic.joint import DirectedGraph


@st.composite
def joint_problems(draw, weight, count, most):
    """Graphs whose nodes are compatible where they are of one kind, as points of networks are."""
    made = [draw(graphs(most, least=1)) for _ in range(count)]
    kinds = [draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)) for n, _ in made]
    weights = {}
    for i, j in combinations(range(count), 2):
        fits = np.array([[a == b for b in kinds[j]] for a in kinds[i]], float)
        drawn = st.lists(weight, min_size=fits.size, max_size=fits.size)
        weights[i, j] = fits * np.reshape(draw(drawn), fits.shape)
    return [DirectedGraph(n, edges) for n, edges in made], weights


def worth(weights, group):
    """The sum over pairs of a group of (graph, node); None where two may not be together."""
    pairs = [weights[i, j][u, v] for (i, u), (j, v) in combinations(sorted(group), 2)]
    return sum(pairs) if all(pairs) else None


def has_cycle(problem_graphs, groups):
    """Return whether nodes are left once all that read no other are taken away repeatedly."""
    name = {point: frozenset(group) for group in groups for point in group}
    reads = {}
    for graph, each in enumerate(problem_graphs):
        for node in range(each.n):
            reads.setdefault(name.get((graph, node), (graph, node)), set())
        for source, target in each.edges:
            source, target = ((graph, end) for end in (source, target))
            reads[name.get(target, target)].add(name.get(source, source))
    while free := [node for node, sources in reads.items() if not sources & reads.keys()]:
        for node in free:
            del reads[node]
    return bool(reads)


def joint_maximum(problem_graphs, weights):
    """The heaviest way through the product of all graphs' downsets: a node of any of them, or one
    each of several at once, in every state."""
    below = [[0] * each.n for each in problem_graphs]
    for graph, each in enumerate(problem_graphs):
        for source, target in each.edges:
            below[graph][target] |= 1 << source

    @cache
    def rest(*done):
        ready = [
            [None, *(v for v, low in enumerate(lows) if not have >> v & 1 and not low & ~have)]
            for lows, have in zip(below, done, strict=True)
        ]
        best = 0
        for step in product(*ready):
            group = [(graph, node) for graph, node in enumerate(step) if node is not None]
            gained = worth(weights, group)
            if group and gained is not None:
                after = [
                    have if node is None else have | 1 << node
                    for have, node in zip(done, step, strict=True)
                ]
                best = max(best, gained + rest(*after))
        return best

    return rest(*[0] * len(problem_graphs))


def all_groups(problem_graphs, weights):
    """All groups of two nodes or more that may become one."""
    choices = [[None, *range(each.n)] for each in problem_graphs]
    for step in product(*choices):
        group = [(graph, node) for graph, node in enumerate(step) if node is not None]
        if len(group) > 1 and worth(weights, group) is not None:
            yield tuple(group)


def brute_force(problem_graphs, weights):
    """The heaviest of all sets of groups without a cycle."""
    possible = list(all_groups(problem_graphs, weights))

    def rest(first, chosen):
        best = sum(worth(weights, group) for group in chosen)
        used = {point for group in chosen for point in group}
        for number in range(first, len(possible)):
            if used.isdisjoint(possible[number]):
                more = [*chosen, possible[number]]
                if not has_cycle(problem_graphs, more):  # taking a group out makes none
                    best = max(best, rest(number + 1, more))
        return best

    return rest(0, [])
